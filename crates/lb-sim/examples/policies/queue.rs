//! What waiting is measured by: a strict queue in front of the same limits, that knows when they let the next one in.

use std::error::Error;

use lb_limits::{Chain, Demand, Ptu, SECOND};
use lb_sim::{Scenario, Simulation};

/// How long the requests of `scenarios/policies/waiting.toml` wait for its PTUs if they go in the order in which they came,
/// each at the first moment at which it is let in: in nanoseconds, the shortest first.
pub(crate) fn waits(scenario: &Scenario, replication: u64) -> Result<Vec<u64>, Box<dyn Error>> {
    // As the scenario has them: 600 PTUs of 1,000 tokens a minute, and requests of 1,000 tokens that cost what they reserve.
    let ptu = Ptu::new(600, 1_000).output_ratio(1).burst_ns(SECOND);
    let demand = Demand { max_tokens: Some(1), ..Demand::tokens(999) };
    let mut limits = Chain::new([ptu.into()]);
    let (mut waits, mut free) = (Vec::new(), 0);
    for arrival in arrivals(scenario, replication)? {
        free = arrival.max(free);
        while let Err(refusal) = limits.admit(free, &demand) {
            free += refusal.hint_ns().ok_or("the limits let nobody in any more")?;
        }
        waits.push(free - arrival);
    }
    waits.sort_unstable();
    Ok(waits)
}

/// When the requests of a run arrive, in nanoseconds.
fn arrivals(scenario: &Scenario, replication: u64) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut log = Vec::new();
    let _ = Simulation::new(scenario)?.run_logged(replication, &mut log)?;
    let log = String::from_utf8(log)?;
    let arrived = log.lines().filter_map(|line| line.split_once(",arrived,"));
    Ok(arrived.map(|(at, _)| at.parse()).collect::<Result<_, _>>()?)
}
