//! Moments: what the generated histories reach.

use std::collections::BTreeMap;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    belief::Way,
    case::case,
    cases,
    history::{State, What},
    table::{Says, counted_as, is_at_the_callers_expense, nanos, reason},
};

/// The properties say nothing about what never happens: here it is seen to happen.
#[test]
fn the_generated_histories_reach_every_kind_of_moment() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let mut runner = TestRunner::new_with_rng(cases(1), rng);
    let mut count = BTreeMap::<&str, u32>::new();
    for _ in 0..1_000 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let history = case.play();
        let mut saw = |what, is: bool| *count.entry(what).or_default() += u32::from(is);
        for line in history.log() {
            saw("cooldowns", line.starts_with("cooling"));
            saw("strikes", line.starts_with("struck"));
            saw("suspects", line.starts_with("suspect"));
            saw("recoveries", line.starts_with("available"));
            saw("synthesised", line.contains(" synthesised "));
            saw("last", line.contains(" last "));
            let is_strike = line.starts_with("struck") || line.starts_with("suspect");
            saw("strikes by refusals", is_strike && line.ends_with("unprocessed"));
        }
        history
            .check(|moment| {
                let (oracle, now) = (&moment.oracle, moment.now);
                match moment.what {
                    What::Picked(pick) => {
                        let choice = oracle.choice(pick.request, now).unwrap();
                        saw("second attempts", pick.number == 2);
                        saw("fourth attempts", pick.number == 4);
                        saw("probes", choice.way == Way::Probe);
                        saw("last ways", choice.way == Way::Last);
                        saw("choices of a last way", choice.way == Way::Last && choice.among.len() > 1);
                        saw("repeats", choice.way == Way::Again);
                        saw("choices", choice.way == Way::Available && choice.among.len() > 1);
                        saw(
                            "picks while something cools",
                            oracle.backends.iter().any(|b| b.state(now).deadline().is_some()),
                        );
                    }
                    What::Settled { request, backend, answer } => {
                        let (says, state) = (case.says(*backend, answer), oracle.backends[*backend].state(now));
                        let (way, is_old) = oracle.attempt(*request, *backend).unwrap();
                        if let (Says::Cooling(nanos), Some(until)) = (says, state.deadline()) {
                            saw("stragglers that would shorten", until > now + nanos);
                            saw("stragglers that extend", until < now + nanos);
                        }
                        saw("hints of zero", says == Says::Cooling(0));
                        let is_failure = matches!(says, Says::Strike | Says::Failed);
                        saw("late successes", is_old && counted_as(answer) == "successes");
                        saw("late failures", is_old && is_failure);
                        let fails = is_failure && !is_old && matches!(state, State::Suspect { .. });
                        saw("failures at suspects", fails);
                        saw("those of requests that had failed", fails && oracle.has_failed(*request));
                        let is_at_expense = is_at_the_callers_expense(reason(answer));
                        saw("failed probes at a caller's expense", fails && way == Way::Probe && is_at_expense);
                    }
                    What::Told(line) => {
                        let after_return = line.starts_with("suspect").then(|| line.split(' ').nth(3).unwrap());
                        let probe_at = after_return.map_or(0, |moment| moment.parse::<u64>().unwrap());
                        saw("relapses", probe_at > now + nanos(case.options.probe_after));
                    }
                    What::Dropped { .. } => saw("drops", true),
                    What::Drained { is_out, .. } => saw("drains", *is_out),
                    What::Delivered(_) | What::Looked(_) => {}
                }
                Ok(())
            })
            .unwrap();
    }
    eprintln!("{count:#?}");
    assert!(count.values().all(|&times| times >= 15), "{count:#?}");
}
