//! Traffic: the requests of all workloads, in order of arrival.
//!
//! [`Traffic`] makes arrivals one by one, in memory that does not depend on how many there are. Every gap, length and
//! choice is a keyed draw of the workload and the request's number (see [`random`](crate::random)), so that runs that
//! differ in one workload, or in what the backends do, meet the same requests otherwise.

mod closed;
mod exponential;
mod fit;
mod gap;
mod import;
mod length;
mod loaded;
pub(crate) mod quantile;
mod rates;
mod replay;
mod sizes;
mod spread;
mod stats;
mod stream;

use std::path::Path;

use self::stream::Stream;
pub use self::{
    fit::{Arrivals, Fit},
    import::{Minute, Minutes, Row, Trace},
    loaded::Loaded,
    stats::{Dispersion, Spread, Stats},
};
use crate::{
    random::Draws,
    scenario::{ScenarioError, Workload},
};

/// A request as it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When, in nanoseconds from the start.
    pub at: u64,
    /// Which workload it is of.
    pub workload: u32,
    /// Its number in that workload: with the workload the key of all its draws. No two are the same; generated requests
    /// count from 0, those of traces, exports and users leave gaps (see [`Traffic`]).
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

/// The arrivals of a run.
///
/// `growth` multiplies the rate of every workload: gaps shrink, a trace gets further copies (the last one thinned), an
/// export's counts and a closed loop's users are multiplied.
///
/// Numbers tell requests apart and key their draws. They count from 0 where arrivals are generated (with gaps, if `thin`
/// drops some); a request of a trace has its copy in the upper 16 bits and its place in the copy below, one of an
/// Azure Monitor export its minute above 24 bits, one of a closed loop its user above 40 bits.
///
/// ```
/// use std::path::Path;
///
/// use lb_sim::{random::Draws, scenario::Workload, traffic::Traffic};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chat: Workload = toml::from_str(
///     r#"
///     name = "chat"
///     kind = "poisson"
///     rate = 5
///     input = { mean = 1200, sigma = 0.8 }
///     output = 200
///     "#,
/// )?;
/// let hour = 3_600_000_000_000;
/// let mut traffic = Traffic::new(&[chat], Path::new("."), 1.0, Draws::new(7), Some(hour))?;
/// let mut arrivals = 0;
/// while let Some(arrival) = traffic.next() {
///     assert!(arrival.at < hour && arrival.size.output == 200);
///     arrivals += 1;
/// }
/// assert!((17_500..18_500).contains(&arrivals));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Traffic {
    streams: Vec<Stream>,
    /// When the next request of each stream arrives; `u64::MAX` for none.
    times: Vec<u64>,
    /// The stream whose request is next.
    first: usize,
    draws: Draws,
    until: u64,
    span: Option<u64>,
}

impl Traffic {
    /// The arrivals of these workloads before `until`; without, until the longest trace that does not loop has ended.
    /// File names are relative to `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or a workload says what cannot be; with the key.
    pub fn new(
        workloads: &[Workload],
        folder: &Path,
        growth: f64,
        draws: Draws,
        until: Option<u64>,
    ) -> Result<Self, ScenarioError> {
        Self::with(workloads, &Self::load(workloads, folder)?, growth, draws, until)
    }

    /// The files that these workloads name, for [`Traffic::with`].
    ///
    /// # Errors
    ///
    /// As [`Loaded::read`].
    pub fn load(workloads: &[Workload], folder: &Path) -> Result<Loaded, ScenarioError> {
        let mut loaded = Loaded::new(folder);
        loaded.read(workloads)?;
        Ok(loaded)
    }

    /// As [`new`](Traffic::new), with files that have been read already.
    ///
    /// # Errors
    ///
    /// As [`new`](Traffic::new); also if a file of these workloads is not among those read.
    pub fn with(
        workloads: &[Workload],
        loaded: &Loaded,
        growth: f64,
        draws: Draws,
        until: Option<u64>,
    ) -> Result<Self, ScenarioError> {
        let streams = (0..)
            .zip(workloads)
            .map(|(number, workload)| Stream::new(number, workload, loaded, growth, draws))
            .collect::<Result<Vec<_>, _>>()?;
        let span = streams.iter().filter_map(Stream::span).max();
        let until = until.or(span).ok_or_else(|| {
            ScenarioError::new(
                "run.duration",
                "it is missing; only a trace or an export that does not loop ends by itself",
            )
        })?;
        let mut traffic = Self { times: vec![u64::MAX; streams.len()], streams, first: 0, draws, until, span };
        for index in 0..traffic.streams.len() {
            traffic.times[index] = traffic.streams[index].advance(draws, until);
        }
        traffic.find_first();
        Ok(traffic)
    }

    /// How long the longest trace or export is that does not loop, in nanoseconds.
    #[must_use]
    pub const fn span(&self) -> Option<u64> {
        self.span
    }

    /// No request arrives at this time or later.
    #[must_use]
    pub const fn until(&self) -> u64 {
        self.until
    }

    /// When the next request arrives.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<u64> {
        self.times.get(self.first).copied().filter(|&at| at != u64::MAX)
    }

    /// The next request, in order of time; of several at one time the one of the first workload.
    #[expect(clippy::should_implement_trait, reason = "after `None` a closed loop can go on: no iterator")]
    #[inline]
    pub fn next(&mut self) -> Option<Arrival> {
        let at = self.peek()?;
        let stream = &mut self.streams[self.first];
        let arrival = stream.take(at, self.draws);
        self.times[self.first] = stream.advance(self.draws, self.until);
        self.find_first();
        Some(arrival)
    }

    /// Tells that a request has ended for its caller at `now`. In a closed loop its user then thinks and sends again; of
    /// other workloads nothing comes of it.
    pub fn finished(&mut self, workload: u32, number: u64, now: u64) {
        let index = workload as usize;
        let Some(stream) = self.streams.get_mut(index) else { return };
        if stream.finished(number, now, self.draws) {
            self.times[index] = stream.advance(self.draws, self.until);
            self.find_first();
        }
    }

    #[inline]
    fn find_first(&mut self) {
        let mut first = 0;
        for (index, at) in self.times.iter().enumerate().skip(1) {
            if *at < self.times[first] {
                first = index;
            }
        }
        self.first = first;
    }
}

/// A time at another speed.
fn scaled(at: u64, speed: f64) -> u64 {
    if speed == 1.0 {
        return at;
    }
    nanos(at as f64 / speed)
}

/// The whole part of a number; none if negative, `i64::MAX` if too large.
#[inline]
fn nanos(value: f64) -> u64 {
    // By way of `i64`, for which processors have an instruction.
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
    let whole = value as i64;
    whole.max(0).cast_unsigned()
}
