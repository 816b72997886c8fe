//! Whether memory grows over a run.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::process::resident;

/// A shorter run is still warming up.
const SHORTEST: Duration = Duration::from_secs(60);

/// The last third of a run may hold as many times what the middle one held.
const MAX_GROWTH: f64 = 1.05;

/// What a run held, in KiB: the means of its thirds.
#[derive(Debug)]
pub(crate) struct Memory {
    thirds: [f64; 3],
    is_long: bool,
}

impl Memory {
    /// Watches until `end`; `None` where the system does not say what a process holds.
    pub(crate) async fn watch(end: Instant) -> Option<Self> {
        let start = Instant::now();
        let length = end.saturating_duration_since(start);
        let mut samples = Vec::new();
        while Instant::now() < end {
            samples.push(resident()?);
            sleep(length / 300).await;
        }
        Self::of(&samples, length)
    }

    #[expect(clippy::cast_precision_loss, reason = "kibibytes and samples are far below 2^52")]
    fn of(samples: &[u64], length: Duration) -> Option<Self> {
        let third = samples.len() / 3;
        let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
        let mut parts = samples.chunks_exact(third.max(1)).map(mean);
        let thirds = [parts.next()?, parts.next()?, parts.next()?];
        Some(Self { thirds, is_long: length >= SHORTEST })
    }

    pub(crate) fn growth(&self) -> f64 {
        self.thirds[2] / self.thirds[1]
    }

    /// Whether a run that was long enough to tell ended with more than it may.
    pub(crate) fn grows(&self) -> bool {
        self.is_long && self.growth() > MAX_GROWTH
    }

    pub(crate) fn thirds(&self) -> [f64; 3] {
        self.thirds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_whose_last_third_holds_more_grows() {
        let samples = |last| [vec![50; 5], vec![100; 5], vec![last; 5]].concat();
        for (last, length, grows) in [(105, 60, false), (106, 60, true), (106, 59, false)] {
            let memory = Memory::of(&samples(last), Duration::from_secs(length)).unwrap();
            assert_eq!(memory.grows(), grows, "{last}, {length}: {memory:?}");
        }
    }
}
