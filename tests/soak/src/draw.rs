//! What is left to chance, by a seed.

use std::time::Duration;

use lb_core::{Rng, SeededRng};

/// One participant's draws: the same for the same seed, whatever the others do.
#[derive(Debug)]
pub(crate) struct Draw(SeededRng);

impl Draw {
    pub(crate) fn new(seed: u64, participant: u64) -> Self {
        // Two seeds that are neighbours shall not be two participants that are.
        Self(SeededRng::new(SeededRng::new(seed).next_u64() ^ participant))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    /// Whole milliseconds, from `from` to below `to`.
    pub(crate) fn milliseconds(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    /// Brings a list into another order.
    pub(crate) fn shuffle<T>(&self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.below(last as u64 + 1);
            list.swap(last, usize::try_from(other).unwrap_or_default());
        }
    }
}
