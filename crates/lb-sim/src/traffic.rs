//! Traffic: the requests of all workloads, in order of arrival.
//!
//! `Traffic` makes arrivals one by one, in memory that does not depend on how many there are. Every gap, length and
//! choice is a keyed draw of the workload and the request's number (see [`random`](crate::random)), so that runs that
//! differ in one workload, or in what the backends do, meet the same requests otherwise.

mod cached;
mod closed;
mod exponential;
#[cfg(any(feature = "cli", test))]
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
#[cfg(any(feature = "cli", test))]
mod stats;
mod stream;

use std::path::Path;

#[cfg(feature = "cli")]
pub(crate) use self::fit::Fit;
pub use self::import::{Row, Trace};
#[cfg(any(feature = "cli", test))]
pub(crate) use self::stats::{Dispersion, Stats};
use self::stream::Stream;
pub(crate) use self::stream::{INPUT_SPREAD, OUTPUT_SPREAD};
pub(crate) use self::{
    import::{Minute, Minutes},
    loaded::Loaded,
};
use crate::{
    random::Draws,
    scenario::{ScenarioError, Workload},
};

/// A request as it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// When, in nanoseconds from the start.
    pub(crate) at: u64,
    /// Which workload it is of.
    pub(crate) workload: u32,
    /// Its number in that workload: with the workload the key of all its draws. No two are the same; generated requests
    /// count from 0, those of traces, exports and users leave gaps (see [`Traffic`]).
    pub(crate) number: u64,
    /// How large it is.
    pub(crate) size: Size,
}

/// How large a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Size {
    /// Tokens of the prompt, cached ones included.
    pub(crate) input: u64,
    /// Tokens of the prompt that the service has in its cache.
    pub(crate) cached: u64,
    /// Tokens that the completion will have.
    pub(crate) output: u64,
    /// What the request says as `max_tokens`.
    pub(crate) max_tokens: Option<u64>,
}

/// The arrivals of a run.
///
/// `growth` multiplies the rate of every workload: gaps shrink, a trace gets further copies (the last one thinned), an
/// export's counts and a closed loop's users are multiplied.
///
/// Numbers tell requests apart and key their draws. They count from 0 where arrivals are generated (with gaps, if `thin`
/// drops some); a request of a trace has its copy in the upper 16 bits and its place in the copy below, one of an
/// Azure Monitor export its minute above 24 bits, one of a closed loop its user above 40 bits.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    streams: Vec<Stream>,
    /// When the next request of each stream arrives; `u64::MAX` for none.
    times: Vec<u64>,
    /// The stream whose request is next, and when that arrives.
    first: usize,
    soonest: u64,
    draws: Draws,
    until: u64,
}

impl Traffic {
    /// As [`with`](Traffic::with), with files that are read now, from `folder`.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn new(
        workloads: &[Workload],
        folder: &Path,
        growth: f64,
        draws: Draws,
        until: Option<u64>,
    ) -> Result<Self, ScenarioError> {
        Self::with(workloads, &Self::load(workloads, folder)?, growth, draws, until)
    }

    /// The files that these workloads name, for [`Traffic::with`].
    pub(crate) fn load(workloads: &[Workload], folder: &Path) -> Result<Loaded, ScenarioError> {
        let mut loaded = Loaded::new(folder);
        loaded.read(workloads)?;
        Ok(loaded)
    }

    /// The arrivals of these workloads before `until`; without, until the longest trace that does not loop has ended.
    pub(crate) fn with(
        workloads: &[Workload],
        loaded: &Loaded,
        growth: f64,
        draws: Draws,
        until: Option<u64>,
    ) -> Result<Self, ScenarioError> {
        // One clock for all files with dates, which begins with the earliest.
        let origin = loaded.begin(workloads).unwrap_or(0);
        let streams = (0..)
            .zip(workloads)
            .map(|(number, workload)| Stream::new(number, workload, loaded, origin, growth, draws))
            .collect::<Result<Vec<_>, _>>()?;
        let span = streams.iter().filter_map(Stream::span).max();
        let until = until.or(span).ok_or_else(|| {
            ScenarioError::new(
                "run.duration",
                "it is missing; only a trace or an export that does not loop ends by itself",
            )
        })?;
        let mut traffic =
            Self { times: vec![u64::MAX; streams.len()], streams, first: 0, soonest: u64::MAX, draws, until };
        for index in 0..traffic.streams.len() {
            traffic.times[index] = traffic.streams[index].advance(draws, until);
        }
        traffic.find_first();
        Ok(traffic)
    }

    /// No request arrives at this time or later.
    pub(crate) const fn until(&self) -> u64 {
        self.until
    }

    /// When the next request arrives; `u64::MAX` if none does.
    #[inline]
    pub(crate) const fn peek(&self) -> u64 {
        self.soonest
    }

    /// The next request, in order of time; of several at one time the one of the first workload. After
    /// `None` a closed loop can go on: this is no iterator.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Arrival> {
        if self.soonest == u64::MAX {
            return None;
        }
        let stream = &mut self.streams[self.first];
        let arrival = stream.take();
        self.times[self.first] = stream.advance(self.draws, self.until);
        self.find_first();
        arrival
    }

    /// Tells that a request has ended for its caller at `now`. In a closed loop its user then thinks and sends again; of
    /// other workloads nothing comes of it.
    pub(crate) fn finished(&mut self, workload: u32, number: u64, now: u64) {
        let index = workload as usize;
        let Some(stream) = self.streams.get_mut(index) else { return };
        if stream.finished(number, now, self.draws) {
            self.times[index] = stream.advance(self.draws, self.until);
            self.find_first();
        }
    }

    #[inline]
    fn find_first(&mut self) {
        (self.first, self.soonest) = (0, u64::MAX);
        for (index, &at) in self.times.iter().enumerate() {
            if at < self.soonest {
                (self.first, self.soonest) = (index, at);
            }
        }
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

#[cfg(test)]
mod tests;
