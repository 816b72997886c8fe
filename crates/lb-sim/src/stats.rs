//! Statistics over runs: intervals and bounds.

pub(crate) mod bound;
mod compared;
mod estimate;

pub use self::{compared::Compared, estimate::Estimate};
