//! Selection: the lowest priority number that has an available, untried backend; inside it at random by weight.

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
    /// Running sums of the weights; `None` if all are equal.
    sums: Option<Box<[u32]>>,
    total: u32,
}

impl Tier {
    /// The tiers of `backends`, which are sorted by priority.
    pub(super) fn of(backends: &[Backend]) -> Box<[Self]> {
        let mut start = 0;
        let same_priority = backends.chunk_by(|a, b| a.priority() == b.priority());
        let tiers = same_priority.enumerate().map(|(index, tier)| {
            let slots = start..start + tier.len();
            start = slots.end;
            let equal = tier.iter().all(|backend| backend.weight() == tier[0].weight());
            let sums: Box<[u32]> = tier
                .iter()
                .scan(0_u32, |sum, backend| {
                    *sum = sum.saturating_add(if equal { 1 } else { backend.weight() });
                    Some(*sum)
                })
                .collect();
            let total = sums.last().copied().unwrap_or(0);
            Self { index, slots, sums: (!equal).then_some(sums), total }
        });
        tiers.collect()
    }

    /// The slots of this tier's backends.
    pub(super) fn slots(&self) -> Range<usize> {
        self.slots.clone()
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
        if cooldowns.any(self.index) {
            let now = now.get();
            cooldowns.sweep(self.slots.clone(), now, recovered);
            self.pick_among(backends, rng, |slot| cooldowns.is_available(slot, now) && !tried.contains(slot))
        } else if tried.is_empty() {
            Some(self.pick_any(rng))
        } else {
            self.pick_among(backends, rng, |slot| !tried.contains(slot))
        }
    }

    /// Picks among all backends of the tier.
    fn pick_any<R: Rng + ?Sized>(&self, rng: &R) -> usize {
        let drawn = below(rng, self.total);
        let offset = match &self.sums {
            Some(sums) => sums.partition_point(|&sum| sum <= drawn),
            None => drawn as usize,
        };
        self.slots.start + offset
    }

    /// Picks among the backends of the tier that satisfy `is_candidate`, in two passes and without an allocation.
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
