//! Calibration: the depth of a PTU deployment's bucket, from a log of what it accepted and refused.
//!
//! How deep the bucket is, is not documented, and no other number matters as much. A log tells it in two ways:
//!
//! 1. **Decisions.** The accepted requests are replayed through [`lb_limits::Ptu`]: charged with their estimate when
//!    they were sent, corrected to their cost when they ended. That gives the level at every decision, in seconds of
//!    drain, and without knowing the depth. A request is refused if the level is above the depth.
//! 2. **Hints.** A refusal says how long to wait until the level is back at the depth. Level minus hint is the depth.
//!
//! Services are "not perfectly precise", and neither are clocks. So the level is taken to have a logistic error, some
//! decisions to be wrong, and some hints to be arbitrary; how large and how many is fitted as well. What the service
//! reserves when a request arrives may differ from `uncached input + ratio x max_tokens`: the factor between the two
//! (the bias) is fitted too, and, for requests without `max_tokens`, what it assumes instead.
//!
//! The interval is the wider of the profile likelihood's and that of a bootstrap over stretches of the log. The answer
//! is "identified" if the whole interval is within a factor of 1.2 of the estimate, and a reason otherwise.
//!
//! **The log must hold all traffic of the deployment**, every process that uses it included. What is not in the log is
//! not in the level, and the depth then comes out too small.

mod bucket;
mod calibration;
mod likelihood;
mod noise;
mod refusal_latency;
mod search;
mod surface;
mod verdict;

use std::{error::Error as StdError, fmt};

use lb_limits::Ptu;

pub use calibration::{Calibration, Counts, Fitted, HintUnit};
pub use refusal_latency::RefusalLatency;
pub use verdict::{Reason, Verdict};

use crate::log::Log;

/// Fits the depth of a bucket, and the bias of its estimate, to a log of one deployment.
///
/// Of `ptu` the number of PTUs, the model's worth and ratio, and the cache's minimum are used; depth and default of
/// `max_tokens` are what is asked for.
///
/// ```
/// use lb_limits::Ptu;
/// use lb_sim::{calibrate::{calibrate, Verdict}, log::Log};
///
/// let log = Log::parse(
///     "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms\n\
///      0.000,1.250,900,0,400,87,200,\n",
/// )?;
/// let calibration = calibrate(&log, &Ptu::new(50, 3_000).output_ratio(4))?;
/// assert!(matches!(calibration.verdict, Verdict::NotIdentifiable(_)));
/// println!("{calibration}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the log is of several backends, or the deployment has no throughput. A log that cannot tell is no error: see
/// [`Calibration::verdict`].
pub fn calibrate(log: &Log, ptu: &Ptu) -> Result<Calibration, CalibrateError> {
    let backends: Vec<String> = log.backends().into_iter().map(str::to_owned).collect();
    if backends.len() > 1 {
        return Err(CalibrateError::SeveralBackends(backends));
    }
    if ptu.ptus == 0 || ptu.input_tpm_per_ptu == 0 {
        return Err(CalibrateError::NoThroughput);
    }
    Ok(search::calibration(log, ptu))
}

/// Why a calibration cannot begin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CalibrateError {
    /// The log is of several backends: pick one with [`Log::of_backend`].
    SeveralBackends(Vec<String>),
    /// No PTUs, or a model whose PTU is worth nothing.
    NoThroughput,
}

impl fmt::Display for CalibrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralBackends(names) => {
                write!(f, "the log is of several backends ({}); say which one to calibrate", names.join(", "))
            }
            Self::NoThroughput => {
                f.write_str("the deployment has no throughput; give its number of PTUs and what one is worth")
            }
        }
    }
}

impl StdError for CalibrateError {}

#[cfg(test)]
mod tests;
