//! Traffic: the requests of all workloads, in order of arrival.

use std::path::Path;

use crate::{
    draw::Draws,
    scenario::{ScenarioError, Workload},
};

/// A request as it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When, in nanoseconds from the start.
    pub at: u64,
    /// Which workload it is of.
    pub workload: u32,
    /// Its number in that workload, from 0: with the workload the key of all its draws.
    pub number: u64,
    /// How large it is.
    pub size: Size,
}

/// How large a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the prompt that the service has in its cache.
    pub cached: u64,
    /// Tokens that the completion will have.
    pub output: u64,
    /// What the request says as `max_tokens`.
    pub max_tokens: Option<u64>,
}
