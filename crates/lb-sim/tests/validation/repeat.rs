//! V23: the same seed gives the same run, on any machine and any number of threads.

use lb_sim::{Scenario, Simulation, simulate};
use rayon::prelude::*;

/// Bursts over two tiers and an outage: whatever draws a number takes part.
const SCENARIO: &str = r#"
[run]
seed = 2026
duration = "5m"
replications = 6
[clients]
workers = 4
sdk = "openai-python-3.54"
[[backend]]
name = "ptu"
model = "gpt-4.1"
preset = "azure-ptu"
ptus = 30
[[backend]]
name = "east"
priority = 2
model = "gpt-4.1"
preset = "azure-standard"
tpm = 100000
rpm_per_1k_tpm = 6
foreign = { tpm = 20000 }
[[backend]]
name = "west"
priority = 2
weight = 3
model = "gpt-4.1"
preset = "azure-standard"
tpm = 100000
rpm_per_1k_tpm = 6
[[workload]]
name = "chat"
kind = "bursts"
rate = 6
bursts = { factor = 8, burst = "5s", calm = "20s" }
input = { mean = 800, sigma = 0.9 }
output = { mean = 150, sigma = 0.6 }
max_tokens = 400
[[workload]]
name = "jobs"
kind = "gamma"
rate = 1
cv = 3.0
input = { quantiles = [100, 1000, 8000] }
output = { mean = 60, law = "exponential" }
[[workload]]
name = "users"
kind = "closed"
users = 5
think = "4s"
input = 500
output = 100
deadline = "3s"
[[fault]]
backend = "west"
kind = "status"
share = 0.5
mean_between = "60s"
mean_duration = "10s"
"#;

/// The hash of the first replication. It changes when a run of this scenario changes in any event: in the order of
/// events, a draw, a time. If that is on purpose, put the hash here that the test prints, and say so in the changelog:
/// results of earlier versions cannot be compared then.
const GOLDEN: u64 = 0xa3cd_5cae_732d_487a;

fn hashes(scenario: &Scenario) -> Vec<u64> {
    simulate(scenario).unwrap().iter().map(|run| run.hash).collect()
}

#[test]
fn v23_the_same_seed_gives_the_same_events_on_any_number_of_threads() {
    let scenario = Scenario::parse(SCENARIO).unwrap();
    let alone = hashes(&scenario);
    assert_eq!(alone.len(), 6);
    assert_eq!(alone, hashes(&Scenario::parse(SCENARIO).unwrap()));
    for threads in [1, 2, 5] {
        let simulation = Simulation::new(&scenario).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let side_by_side: Vec<u64> =
            pool.install(|| (0..6_u64).into_par_iter().map(|replication| simulation.run(replication).hash).collect());
        assert_eq!(alone, side_by_side, "{threads} threads");
    }
    // Replications differ, and so do seeds.
    let mut distinct = alone.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 6);
    let other = Scenario::parse(&SCENARIO.replace("seed = 2026", "seed = 2027")).unwrap();
    assert_ne!(Simulation::new(&other).unwrap().run(0).hash, alone[0]);
}

#[test]
fn v23_writing_the_log_changes_nothing() {
    let simulation = Simulation::new(&Scenario::parse(SCENARIO).unwrap()).unwrap();
    let mut log = Vec::new();
    let logged = simulation.run_logged(3, &mut log).unwrap();
    assert_eq!(logged.hash, simulation.run(3).hash);
    assert!(log.iter().filter(|&&byte| byte == b'\n').count() > 5_000);
}

#[test]
fn v23_the_events_are_those_of_the_machine_that_wrote_this_test() {
    let hash = Simulation::new(&Scenario::parse(SCENARIO).unwrap()).unwrap().run(0).hash;
    assert_eq!(hash, GOLDEN, "0x{hash:016x}: see the constant's comment");
}
