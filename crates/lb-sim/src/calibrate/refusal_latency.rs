//! How long refusals took to come back.

use std::fmt;

use serde::Serialize;

use super::calibration::seconds_in_toml;
use crate::log::Log;

/// How long refusals took to come back, in seconds, from the log's own times.
///
/// `Display` writes it as the line of a scenario, for a backend or for `[clients]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RefusalLatency {
    /// Half of them took longer.
    pub median: f64,
    /// A tenth of them were faster.
    pub low: f64,
    /// A tenth of them were slower.
    pub high: f64,
    /// How many there are whose beginning and end the log tells apart.
    pub refusals: u64,
}

impl RefusalLatency {
    /// Of the refusals in a log; `None` if it does not say when they ended.
    pub(super) fn of(log: &Log) -> Option<Self> {
        let refused = log.attempts().iter().filter(|attempt| attempt.is_refused() && attempt.end > attempt.start);
        let mut latencies: Vec<u64> = refused.map(|attempt| attempt.end - attempt.start).collect();
        latencies.sort_unstable();
        let last = latencies.len().checked_sub(1)?;
        let at = |tenths: usize| latencies[last * tenths / 10] as f64 / 1e9;
        Some(Self { median: at(5), low: at(1), high: at(9), refusals: last as u64 + 1 })
    }
}

impl fmt::Display for RefusalLatency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] = [self.median, self.low, self.high].map(seconds_in_toml);
        let line = format!("refusal_latency = \"{median}\"");
        write!(f, "{line:<26} # the median of {}; 80 % took {low} to {high}", self.refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scenario, log::Attempt};

    const MS: u64 = 1_000_000;

    fn refused(start: u64, latency: u64) -> Attempt {
        Attempt { start, end: start + latency, status: 429, ..Attempt::default() }
    }

    #[test]
    fn it_is_the_median_and_the_spread_of_refusals_that_ended() {
        let accepted = Attempt { end: 9_000 * MS, status: 200, ..Attempt::default() };
        let refusals = (0..11).map(|number| refused(number, (30 + 2 * number) * MS));
        let log = Log::new(refusals.chain([accepted, refused(5, 0)]));
        let latency = RefusalLatency::of(&log).unwrap();
        assert_eq!(latency, RefusalLatency { median: 0.040, low: 0.032, high: 0.048, refusals: 11 });
        let line = latency.to_string();
        assert_eq!(line, "refusal_latency = \"40ms\"   # the median of 11; 80 % took 32ms to 48ms");
        let scenario = format!(
            "[run]\nduration = \"1m\"\n[clients]\n{line}\n[[backend]]\nname = \"a\"\npreset = \"azure-standard\"\n\
             tpm = 1000\n[[workload]]\nname = \"w\"\nkind = \"poisson\"\nrate = 1\ninput = 1\noutput = 1\n"
        );
        let read = Scenario::parse(&scenario).unwrap().clients.refusal_latency;
        assert_eq!(read.map(|span| span.as_nanos()), Some(40 * MS));
    }

    #[test]
    fn a_log_that_does_not_say_when_refusals_ended_tells_none() {
        assert_eq!(RefusalLatency::of(&Log::new([refused(0, 0)])), None);
    }
}
