//! The groups of cases, shared by the criterion benchmarks and the ratio runner.

#[cfg(feature = "stacks")]
pub mod adapters;
pub mod lifecycle;
#[cfg(feature = "json")]
pub mod models;
#[cfg(feature = "stacks")]
pub mod overhead;
pub mod pieces;
#[cfg(feature = "stacks")]
pub mod request;
pub mod selection;
pub mod threads;
