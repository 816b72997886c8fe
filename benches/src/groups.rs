//! The groups of cases, shared by the criterion benchmarks and the ratio runner.

pub mod adapters;
pub mod lifecycle;
#[cfg(feature = "json")]
pub mod models;
pub mod overhead;
pub mod pieces;
pub mod request;
pub mod selection;
pub mod threads;
