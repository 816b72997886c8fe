//! Shared parts of the tests: a stage for scenarios, a gate that holds requests back, and a journal of events.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "not published: only the tests use it")]

pub mod gate;
pub mod journal;
pub mod stage;

/// The examples of the pages, compiled and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../docs/configuration.md")]
    struct Configuration;

    #[doc = include_str!("../../docs/observability.md")]
    struct Observability;

    #[doc = include_str!("../../docs/several-models.md")]
    struct SeveralModels;

    #[doc = include_str!("../../docs/wishes.md")]
    struct Wishes;
}
