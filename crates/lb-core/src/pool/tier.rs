//! A tier: the backends of one priority, as far as a pick looks at them.

use std::ops::Range;

use crate::{
    clock::Instant,
    pool::weights::WeightTree,
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// The `soonest` of a tier in which nothing is out.
pub(super) const NONE: u64 = u64::MAX;

/// The hot state of one tier, on a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Tier {
    /// The earliest moment at which somebody has to look at a slot that is out, or one before it; [`NONE`] if none is.
    pub(super) soonest: AtomicU64,
    /// How many are available: they are the first entries.
    pub(super) available: AtomicU32,
    pub(super) start: u32,
    pub(super) len: u32,
    /// What the available ones weigh, if their weights are unequal.
    pub(super) weights: Option<WeightTree>,
}

impl Tier {
    /// A tier whose slots begin at `start` and have these weights, and all are available.
    pub(super) fn new(start: u32, weights: &[u32]) -> Self {
        // Fits: a pool has at most ten million backends.
        let len = u32::try_from(weights.len()).unwrap_or(u32::MAX);
        let are_equal = weights.iter().all(|weight| *weight == weights[0]);
        Self {
            soonest: AtomicU64::new(NONE),
            available: AtomicU32::new(len),
            start,
            len,
            weights: (!are_equal).then(|| WeightTree::new(weights.to_vec())),
        }
    }

    /// Its slots.
    pub(super) fn slots(&self) -> Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }

    /// How many slots it has, if their weights are equal and nothing is out, as far as anybody noticed.
    #[inline]
    pub(super) fn equals_if_all_available(&self) -> Option<u32> {
        (self.soonest().is_none() && self.weights.is_none()).then_some(self.len)
    }

    /// The earliest moment at which somebody has to look at it, or one before that; `None` if nothing is out, as far as
    /// anybody noticed: then all its slots are available.
    #[inline]
    pub(super) fn soonest(&self) -> Option<Instant> {
        let soonest = self.soonest.load(Ordering::Acquire);
        (soonest != NONE).then_some(Instant::from_nanos(soonest))
    }

    /// How many of its slots are available, if none of its cooldowns has expired.
    #[inline]
    pub(super) fn available(&self) -> u32 {
        self.available.load(Ordering::Acquire)
    }

    /// What its available slots weigh, if their weights are unequal.
    #[inline]
    pub(super) fn weights(&self) -> Option<&WeightTree> {
        self.weights.as_ref()
    }
}
