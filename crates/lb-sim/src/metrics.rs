//! What a run counts: integers that add up, histograms of fixed size, timelines of fixed length.

mod distribution;
mod latencies;
#[cfg(feature = "render")]
mod over_time;
mod replications;
mod tally;
mod timeline;

pub use distribution::Distribution;
pub use latencies::Latencies;
#[cfg(feature = "render")]
pub(crate) use over_time::{OverTime, Requests};
pub(crate) use replications::PooledTimes;
pub use replications::{Replications, RunSummary, Times};
pub use tally::{BackendTally, ClassTally, Conservation, GivenUp, WorkerTally};
pub use timeline::{BackendBin, Bin, Timeline};

/// What one run (one replication) gave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunResult {
    /// Which replication, from 0.
    pub replication: u64,
    /// The hash over every event of the run, in order.
    pub hash: u64,
    /// When the last request arrived at the latest: the duration, or the end of the traces. Nanoseconds.
    pub end: u64,
    /// Requests that arrived before this count in `conservation`, timelines and the time-based metrics only.
    pub warmup: u64,
    /// Events that the engine worked off.
    pub events: u64,
    /// All requests, the warm-up's included.
    pub conservation: Conservation,
    /// Per workload, in the scenario's order.
    pub classes: Vec<ClassTally>,
    /// Per backend, in the scenario's order.
    pub backends: Vec<BackendTally>,
    /// Per worker.
    pub workers: Vec<WorkerTally>,
    /// Over time, the warm-up included.
    pub timeline: Timeline,
}
