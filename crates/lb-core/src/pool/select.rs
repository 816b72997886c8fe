//! Selection: the lowest priority number that has an available, untried backend; inside it at random by weight.
//!
//! The cost does not depend on how many backends there are, how many are cooling, or how many threads pick: with equal
//! weights a pick is one index into a [sparse set](super::cooldown), with unequal ones a [tree](super::weights) is
//! descended, in O(log N). Only a request that fails over inside a tier whose tried backends are available again looks
//! at every backend of the tier, after it has waited for a network anyway.

use std::ops::Range;

use super::{cooldown::Cooldowns, tried::Tried};
use crate::{
    backend::Backend,
    clock::{Instant, Lazy},
    rng::{Rng, below},
};

/// The backends of one priority: consecutive slots, because a pool keeps its backends sorted by priority.
#[derive(Debug)]
pub(super) struct Tier {
    index: usize,
    slots: Range<usize>,
    /// How many slots there are, if their weights are equal.
    equals: Option<u32>,
}

impl Tier {
    /// The tiers of `backends`, which are sorted by priority.
    pub(super) fn of(backends: &[Backend]) -> Box<[Self]> {
        let mut start = 0;
        let same_priority = backends.chunk_by(|a, b| a.priority() == b.priority());
        let tiers = same_priority.enumerate().map(|(index, tier)| {
            let slots = start..start + tier.len();
            start = slots.end;
            let are_equal = tier.iter().all(|backend| backend.weight() == tier[0].weight());
            let equals = if are_equal { u32::try_from(tier.len()).ok() } else { None };
            Self { index, slots, equals }
        });
        tiers.collect()
    }

    /// Picks among all backends of this tier, if none is cooling and their weights are equal.
    #[inline]
    pub(super) fn pick_any<R: Rng + ?Sized>(&self, cooldowns: &Cooldowns, rng: &R) -> Option<usize> {
        match self.equals {
            Some(len) if cooldowns.all_available(self.index) => Some(self.slots.start + below(rng, len) as usize),
            _ => None,
        }
    }

    /// Picks among the available, untried backends of this tier.
    ///
    /// The clock is read only if something in the tier is cooling. `recovered` is called, with no lock held, for each
    /// backend whose cooldown is found to have expired.
    pub(super) fn pick<F: FnOnce() -> Instant, R: Rng + ?Sized>(
        &self,
        backends: &[Backend],
        cooldowns: &Cooldowns,
        tried: &Tried,
        now: &mut Lazy<F>,
        rng: &R,
        recovered: impl FnMut(usize),
    ) -> Option<usize> {
        // With nothing cooling, every moment will do.
        let mut moment = Instant::from_nanos(0);
        if !cooldowns.all_available(self.index) {
            moment = now.get();
            cooldowns.sweep(self.index, moment, recovered);
        }
        let is_candidate = |slot: usize| cooldowns.is_available(slot, moment) && !tried.contains(slot);
        // Those that were tried are mostly cooling, or of another tier: then what is available are the candidates.
        let is_in_the_way = |slot| self.slots.contains(&slot) && cooldowns.is_available(slot, moment);
        if !tried.iter().any(is_in_the_way) {
            let drawn = match self.equals {
                Some(_) => match cooldowns.available(self.index) {
                    0 => return None,
                    available => Some(cooldowns.entry(self.index, below(rng, available))),
                },
                None if cooldowns.available(self.index) > 1 => {
                    cooldowns.by_weight(self.index, |total| below(rng, total))
                }
                None => None,
            };
            // Another thread may have recovered a tried one since we looked, or marked the one that was drawn.
            if let Some(slot) = drawn.filter(|slot| is_candidate(*slot)) {
                return Some(slot);
            }
        }
        self.pick_among(backends, rng, is_candidate)
    }

    /// Picks among the backends of the tier that satisfy `is_candidate`, in two passes and without an allocation.
    ///
    /// Slots do not move, so a backend that is available all the time is found, whatever other threads mark.
    fn pick_among<R: Rng + ?Sized>(
        &self,
        backends: &[Backend],
        rng: &R,
        is_candidate: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let candidates = || self.slots.clone().filter(|&slot| is_candidate(slot));
        let (mut count, mut total, mut last) = (0, 0_u32, None);
        for slot in candidates() {
            count += 1;
            total = total.saturating_add(backends[slot].weight());
            last = Some(slot);
        }
        if count <= 1 {
            return last;
        }
        let mut drawn = below(rng, total);
        for slot in candidates() {
            let weight = backends[slot].weight();
            if drawn < weight {
                return Some(slot);
            }
            drawn -= weight;
        }
        // Another thread took a candidate out between the passes: the last of the first pass was one a moment ago.
        last
    }
}
