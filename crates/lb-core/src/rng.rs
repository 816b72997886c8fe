//! Random numbers for the choice among equals.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// A source of random 64-bit numbers.
///
/// # Contract
///
/// 1. [`next_u64`](Rng::next_u64) is called from any thread that picks a backend, once per pick (rarely more, to
///    stay free of bias), and not at all if there is only one candidate.
/// 2. All 64 bits are used; each must be uniform. It need not be unpredictable: nothing secret depends on it.
/// 3. It must neither block nor call back into the pool.
pub trait Rng: Send + Sync {
    /// The next random number.
    fn next_u64(&self) -> u64;
}

impl<R: Rng + ?Sized> Rng for &R {
    fn next_u64(&self) -> u64 {
        (**self).next_u64()
    }
}

impl<R: Rng + ?Sized> Rng for std::sync::Arc<R> {
    fn next_u64(&self) -> u64 {
        (**self).next_u64()
    }
}

/// A small generator per thread, seeded from the operating system: the default.
///
/// Each thread draws from a wyrand stream of its own (Wang Yi, wyhash), so that threads never wait for each other.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "its state is the thread's, so that it has none of its own")]
pub struct ThreadRng;

thread_local! {
    /// Zero until the thread's first draw; a constant start is the cheapest one to check.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// The start of a thread's stream.
#[cold]
fn seed() -> u64 {
    rand::random()
}

impl Rng for ThreadRng {
    #[inline(always)]
    fn next_u64(&self) -> u64 {
        STATE.with(|state| {
            let last = match state.get() {
                0 => seed(),
                last => last,
            };
            let next = last.wrapping_add(0xa076_1d64_78bd_642f);
            state.set(next);
            let product = u128::from(next) * u128::from(next ^ 0xe703_7ed1_a0b4_28db);
            #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
            let (low, high) = (product as u64, (product >> 64) as u64);
            low ^ high
        })
    }
}

/// A generator with a seed, for tests and simulations, SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014): the same seed gives the same numbers, on every platform and
/// in every version of this crate.
///
/// It may be shared by threads; each number is then given out once, in no fixed order.
///
/// ```
/// use lb_core::{Rng, SeededRng};
///
/// assert_eq!(SeededRng::new(7).next_u64(), SeededRng::new(7).next_u64());
/// ```
#[derive(Debug)]
pub struct SeededRng {
    state: AtomicU64,
}

impl SeededRng {
    /// The increment of SplitMix64: the odd number nearest to 2^64 divided by the golden ratio.
    pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

    /// A generator that starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// The first number of the generator that starts from `seed`: a bijection that spreads every bit, for hashing.
    #[inline]
    #[must_use]
    pub const fn first(seed: u64) -> u64 {
        let z = seed.wrapping_add(Self::GAMMA);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        Self::first(self.state.fetch_add(Self::GAMMA, Ordering::Relaxed))
    }
}

/// A uniform number below `bound`, without bias (Lemire, "Fast random integer generation in an interval", 2019).
///
/// A bound of 0 or 1 draws nothing and gives 0.
// Always inlined: with plain `inline` it stays a call where there are many callers, and every pick pays for it.
#[inline(always)]
pub(crate) fn below<R: Rng + ?Sized>(rng: &R, bound: u32) -> u32 {
    if bound <= 1 {
        return 0;
    }
    let mut product = (rng.next_u64() >> 32) * u64::from(bound);
    // Some low words would make some results likelier; whether this is one is worth a division only if it can be.
    if low(product) < bound {
        product = unbiased(rng, bound, product);
    }
    high(product)
}

/// `product`, or the first of further draws that is not rejected.
#[cold]
#[inline(never)]
fn unbiased<R: Rng + ?Sized>(rng: &R, bound: u32, mut product: u64) -> u64 {
    let rejected = bound.wrapping_neg() % bound;
    while low(product) < rejected {
        product = (rng.next_u64() >> 32) * u64::from(bound);
    }
    product
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
const fn low(product: u64) -> u32 {
    product as u32
}

const fn high(product: u64) -> u32 {
    (product >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeded_stream_is_the_published_splitmix64() {
        // The reference implementation's first outputs for the seed 1234567.
        let rng = SeededRng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_single_candidate_draws_no_randomness() {
        struct Forbidden;
        impl Rng for Forbidden {
            fn next_u64(&self) -> u64 {
                panic!("no randomness is needed for one candidate")
            }
        }
        assert_eq!(below(&Forbidden, 1), 0);
    }

    #[test]
    fn every_result_below_the_bound_is_equally_likely() {
        let rng = SeededRng::new(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[below(&rng, 7) as usize] += 1;
        }
        // Five standard deviations of a binomial with n = 70,000 and p = 1/7 are 463.
        assert!(counts.iter().all(|&n| n.abs_diff(10_000) < 463), "{counts:?}");
    }

    #[test]
    fn threads_draw_from_streams_of_their_own() {
        let here = ThreadRng.next_u64();
        let there = std::thread::spawn(|| ThreadRng.next_u64()).join().unwrap();
        assert_ne!(here, there);
    }
}
