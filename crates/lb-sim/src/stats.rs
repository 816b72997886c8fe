//! Statistics over runs: intervals and bounds.

pub(crate) mod bound;
mod compared;
mod estimate;
mod student;

pub use self::{compared::Compared, estimate::Estimate};
