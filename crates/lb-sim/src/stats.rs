//! Statistics over runs: intervals and bounds.

pub(crate) mod bound;
#[cfg(any(feature = "cli", test))]
mod compared;
mod estimate;
pub(crate) mod student;

#[cfg(any(feature = "cli", test))]
pub(crate) use self::compared::Compared;
pub use self::estimate::Estimate;
