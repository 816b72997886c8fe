//! Random draws of a world, all from its seed.

use std::time::Duration;

use lb_core::{Rng, SeededRng};

/// A stream of draws.
pub(crate) struct Draw(SeededRng);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededRng::new(seed))
    }

    /// At least 0 and below 1.
    pub(crate) fn unit(&self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&self, share: f64) -> bool {
        self.unit() < share
    }

    /// One of these.
    pub(crate) fn of<T: Copy>(&self, choices: &[T]) -> T {
        let index = self.0.next_u64() % choices.len() as u64;
        choices[usize::try_from(index).unwrap()]
    }

    /// Between these, each order of magnitude as likely as any other.
    pub(crate) fn scale(&self, least: f64, most: f64) -> f64 {
        least * (most / least).powf(self.unit())
    }

    /// The same for seconds.
    pub(crate) fn span(&self, least: f64, most: f64) -> Duration {
        Duration::from_secs_f64(self.scale(least, most))
    }

    /// The gap to the next of events that do not know of each other.
    pub(crate) fn gap(&self, per_second: f64) -> Duration {
        Duration::from_secs_f64(-(1.0 - self.unit()).ln() / per_second)
    }
}
