//! Shared parts of the tests: a stage for scenarios, a gate that holds requests back, and a journal of events.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "not published: only the tests use it")]

pub mod gate;
pub mod journal;
pub mod stage;

/// The example of README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The examples of the page on events, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/observability.md")]
pub struct Observability;
