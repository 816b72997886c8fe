//! The physical floor: the least that any selection shared by threads can do.
//!
//! It learns that something has changed by one acquire load, draws a random number without bias from a generator of
//! its thread, and takes an element of a list. It cannot mark or recover a backend, so nothing that balances can be
//! faster. Where a deadline must be looked at, a clock read comes on top.

use std::{
    cell::Cell,
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use lb_core::{Backend, Pool};

use crate::state::{Shape, State};

/// The backends that may be picked.
#[derive(Debug)]
pub struct Floor<'p> {
    candidates: Box<[&'p Backend]>,
    available: AtomicU32,
}

impl<'p> Floor<'p> {
    /// The candidates of a pool of this shape in this state.
    #[must_use]
    pub fn new(pool: &'p Pool, shape: Shape, state: State) -> Self {
        let candidates: Box<[_]> = state.candidates(shape).into_iter().map(|slot| &pool.backends()[slot]).collect();
        let available = AtomicU32::new(u32::try_from(candidates.len()).unwrap_or(u32::MAX));
        Self { candidates, available }
    }

    /// One acquire load, one unbiased draw, one index.
    #[inline(always)]
    pub fn pick(&self) -> Option<&'p Backend> {
        let available = self.available.load(Ordering::Acquire);
        self.candidates.get(below(available) as usize).copied()
    }

    /// The same and one read of the monotonic clock.
    #[inline(always)]
    pub fn pick_with_clock(&self) -> Option<&'p Backend> {
        black_box(Instant::now());
        self.pick()
    }
}

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// wyrand by Wang Yi: an addition, a multiplication and an exclusive or, the fewest that pass the usual tests.
///
/// Every thread starts from the same number: nothing depends on it here, and seeding would be a branch more.
#[inline(always)]
fn wyrand() -> u64 {
    STATE.with(|state| {
        let next = state.get().wrapping_add(0xa076_1d64_78bd_642f);
        state.set(next);
        let product = u128::from(next) * u128::from(next ^ 0xe703_7ed1_a0b4_28db);
        #[expect(clippy::cast_possible_truncation, reason = "the low half")]
        let low = product as u64;
        low ^ u64::try_from(product >> 64).unwrap_or(0)
    })
}

/// A uniform number below `bound`, without bias (Lemire, 2019); 0 for a bound of 0 or 1.
#[inline(always)]
fn below(bound: u32) -> u32 {
    if bound <= 1 {
        return 0;
    }
    let product = (wyrand() >> 32) * u64::from(bound);
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    let low = product as u32;
    let drawn = u32::try_from(product >> 32).unwrap_or(0);
    if low < bound { reject(bound, low, drawn) } else { drawn }
}

/// Draws again while the low half is among the few that would make some results likelier.
#[cold]
#[inline(never)]
fn reject(bound: u32, mut low: u32, mut drawn: u32) -> u32 {
    let threshold = bound.wrapping_neg() % bound;
    while low < threshold {
        let product = (wyrand() >> 32) * u64::from(bound);
        #[expect(clippy::cast_possible_truncation, reason = "the low half")]
        let again = product as u32;
        low = again;
        drawn = u32::try_from(product >> 32).unwrap_or(0);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{
        self,
        tests::{assert_picks_the_candidates, matrix},
    };

    #[test]
    fn it_picks_the_same_candidates_as_the_balancer() {
        for (shape, state) in matrix() {
            let pool = state::pool(shape);
            let floor = Floor::new(&pool, shape, state);
            let slot = |backend: Option<&Backend>| backend.map(|backend| state::slot(&pool, backend));
            assert_picks_the_candidates(shape, state, || slot(floor.pick()));
            assert_picks_the_candidates(shape, state, || slot(floor.pick_with_clock()));
        }
    }

    #[test]
    fn every_result_below_the_bound_is_equally_likely() {
        for bound in [2_u32, 7, 3 << 30] {
            let buckets = bound.min(6);
            let mut counts = [0_u32; 6];
            for _ in 0..60_000 {
                let drawn = u64::from(below(bound));
                assert!(drawn < u64::from(bound));
                counts[usize::try_from(drawn * u64::from(buckets) / u64::from(bound)).unwrap()] += 1;
            }
            if bound != 7 {
                let expected = 60_000 / buckets;
                let counts = &counts[..buckets as usize];
                // Five standard deviations of a binomial with n = 60,000 and p up to 1/2 are at most 613.
                assert!(counts.iter().all(|&count| count.abs_diff(expected) < 613), "{bound}: {counts:?}");
            }
        }
    }
}
