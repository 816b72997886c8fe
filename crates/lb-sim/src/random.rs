//! Keyed random draws: what is drawn depends on what it is for, never on what was drawn before.
//!
//! A draw is a function of the run's seed, a purpose and two keys (a request and an attempt, say). One request that
//! takes another way therefore shifts no draw of any other, and two runs that differ in one parameter meet the same
//! requests: the common random numbers that make their difference worth reading.

use std::sync::atomic::{AtomicU64, Ordering};

use lb_core::{Rng, SeededRng};

/// What a draw is for. Its number is part of the draw: numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Purpose {
    /// The gap before an arrival.
    Gap = 1,
    /// The state that a bursty source changes to, and when.
    State = 2,
    /// Whether an arrival of a trace is kept.
    Thin = 3,
    /// Where a copy of a trace begins.
    Offset = 4,
    /// Tokens of the prompt.
    Input = 5,
    /// Tokens of the completion.
    Output = 6,
    /// Which part of the prompt is cached.
    Cached = 7,
    /// How long a user thinks.
    Think = 8,
    /// Which worker takes the request.
    Worker = 9,
    /// The balancer's choice among equals.
    Choice = 10,
    /// The noise of the time to the first token.
    FirstToken = 11,
    /// The noise of the time per token.
    PerToken = 12,
    /// The jitter of an SDK's wait.
    Backoff = 13,
    /// When a random fault begins, and how long it lasts.
    Fault = 14,
    /// Whether a fault hits a request.
    Hit = 15,
    /// The phase of a window.
    Phase = 16,
    /// The gaps of foreign load.
    Foreign = 17,
    /// Numbers of tests and of generators of samples.
    Sample = 18,
    /// Which conversation a request is of.
    Conversation = 19,
    /// Whether a request goes on where its predecessor was served.
    Pin = 20,
}

/// The draws of one run.
///
/// ```
/// use lb_sim::random::{Draws, Purpose};
///
/// let draws = Draws::new(7);
/// assert_eq!(draws.bits(Purpose::Gap, 1, 2), Draws::new(7).bits(Purpose::Gap, 1, 2));
/// assert_ne!(draws.bits(Purpose::Gap, 1, 2), draws.bits(Purpose::Gap, 2, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    seed: u64,
}

impl Draws {
    /// The draws of the run with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed: SeededRng::first(seed ^ 0x6a09_e667_f3bc_c908) }
    }

    /// The draws of one replication of the run.
    #[must_use]
    pub const fn replication(self, number: u64) -> Self {
        if number == 0 { self } else { Self { seed: SeededRng::first(self.seed ^ SeededRng::first(number)) } }
    }

    /// 64 uniform bits.
    #[inline]
    #[must_use]
    pub const fn bits(self, purpose: Purpose, first: u64, second: u64) -> u64 {
        let purpose = (purpose as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let first = SeededRng::first(self.seed ^ purpose ^ first.wrapping_mul(SeededRng::GAMMA));
        SeededRng::first(first ^ second.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).wrapping_add(SeededRng::GAMMA))
    }

    /// A uniform number above 0 and below 1.
    #[inline]
    #[must_use]
    pub fn uniform(self, purpose: Purpose, first: u64, second: u64) -> f64 {
        unit(self.bits(purpose, first, second))
    }

    /// A generator, for what needs several numbers.
    #[inline]
    #[must_use]
    pub const fn rng(self, purpose: Purpose, first: u64, second: u64) -> SeededRng {
        SeededRng::new(self.bits(purpose, first, second))
    }

    /// The same numbers, for what mostly needs none.
    #[inline]
    pub(crate) const fn lazy_rng(self, purpose: Purpose, first: u64, second: u64) -> LazyRng {
        LazyRng { draws: self, purpose, keys: (first, second), drawn: AtomicU64::new(0) }
    }
}

/// The generator of [`Draws::rng`], whose key is hashed only when a number is drawn.
#[derive(Debug)]
pub(crate) struct LazyRng {
    draws: Draws,
    purpose: Purpose,
    keys: (u64, u64),
    /// How far it has come from its start.
    drawn: AtomicU64,
}

impl Rng for LazyRng {
    fn next_u64(&self) -> u64 {
        let (first, second) = self.keys;
        // Not one step: a run has one thread.
        let drawn = self.drawn.load(Ordering::Relaxed);
        self.drawn.store(drawn.wrapping_add(SeededRng::GAMMA), Ordering::Relaxed);
        SeededRng::first(self.draws.bits(self.purpose, first, second).wrapping_add(drawn))
    }
}

/// Uniform bits as a number above 0 and below 1.
#[inline]
pub(crate) const fn unit(bits: u64) -> f64 {
    // 52 bits, so that the half that keeps it off zero is exact.
    ((bits >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_keys_are_uncorrelated() {
        let draws = Draws::new(1);
        let n = 100_000_u32;
        let mean = |of: &dyn Fn(u64) -> f64| (0..u64::from(n)).map(of).sum::<f64>() / f64::from(n);
        let product = |second: u64, third: u64| {
            mean(&|i| {
                (draws.uniform(Purpose::Gap, i, second) - 0.5)
                    * (draws.uniform(Purpose::Gap, i + third, second + 1) - 0.5)
            })
        };
        // The standard deviation of the mean of products of two uniforms is 1 / (12 sqrt n).
        let bound = 5.0 / (12.0 * f64::from(n).sqrt());
        for (second, third) in [(0, 0), (0, 1), (7, 0), (1 << 32, 1)] {
            assert!(product(second, third).abs() < bound, "{second} {third}");
        }
        let uniform = mean(&|i| draws.uniform(Purpose::Input, 3, i));
        assert!((uniform - 0.5).abs() < 5.0 / (12.0 * f64::from(n)).sqrt());
    }

    #[test]
    fn every_part_of_the_key_matters() {
        let bits = Draws::new(1).bits(Purpose::Gap, 2, 3);
        assert_ne!(bits, Draws::new(2).bits(Purpose::Gap, 2, 3));
        assert_ne!(bits, Draws::new(1).bits(Purpose::State, 2, 3));
        assert_ne!(bits, Draws::new(1).bits(Purpose::Gap, 3, 3));
        assert_ne!(bits, Draws::new(1).bits(Purpose::Gap, 2, 4));
        assert_ne!(bits, Draws::new(1).replication(1).bits(Purpose::Gap, 2, 3));
        assert_eq!(bits, Draws::new(1).replication(0).bits(Purpose::Gap, 2, 3));
    }

    #[test]
    fn a_lazy_generator_gives_the_numbers_of_the_other() {
        let draws = Draws::new(5);
        let (lazy, other) = (draws.lazy_rng(Purpose::Choice, 1, 2), draws.rng(Purpose::Choice, 1, 2));
        for _ in 0..5 {
            assert_eq!(lazy.next_u64(), other.next_u64());
        }
    }

    #[test]
    fn uniform_numbers_are_never_zero_or_one() {
        assert!(unit(0) > 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }
}
