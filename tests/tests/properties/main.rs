//! What holds of every pool and every sequence of events.
//!
//! A [`case`] is a pool with options and a list of events: requests that overlap, answers and faults, callers that
//! give up, time that passes. The [`world`] plays it against a balancer on a mock clock and writes down what happened,
//! as a [`history`]. The history is also the oracle: deadlines, candidates and counts are computed from the whole
//! record each time, without any state of their own. Each property is one test over many histories.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod accounting;
mod case;
mod cooldowns;
mod exhaustion;
mod fairness;
mod history;
mod hostile;
mod selection;
mod wire;
mod world;

use proptest::test_runner::{Config, FileFailurePersistence};

/// So many histories per property; failures are saved beside the test's source.
fn cases(cases: u32) -> Config {
    let regressions = FileFailurePersistence::WithSource("regressions");
    Config { cases, failure_persistence: Some(Box::new(regressions)), max_shrink_iters: 4096, ..Config::default() }
}
