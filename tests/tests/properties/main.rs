//! What holds of every pool and every sequence of events.
//!
//! A [`case`] is a pool with options and a list of events: requests that overlap, answers and faults, callers that
//! give up, time that passes, an operator. The [`world`] plays it against a balancer on a mock clock and writes down what
//! happened, as a [`history`]. The [`oracle`] goes through the history beside the balancer: it reads the [`table`] of what
//! answers mean and keeps a [`belief`] of each backend, by the words of the documentation and without a line of the core.
//! Each property is one test over many histories; those that can say what they mean by the history alone do so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod accounting;
mod belief;
mod case;
mod cooldowns;
mod exhaustion;
mod fairness;
mod history;
mod hostile;
mod moments;
mod oracle;
mod poison;
mod selection;
mod states;
mod suspects;
mod table;
mod waiting;
mod wire;
mod world;

use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm};

/// So many histories per property; failures are saved beside the test's source.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 4096,
        // Each choice between strategies forks the generator, and most of the time goes to that with the default one.
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    }
}
