//! The cooldowns of a pool: who is available, until when the others are out, and why.
//!
//! # Shape
//!
//! Each tier is a *sparse set*: an array of its slots whose first `available` entries are available, in any order, and
//! whose rest is cooling. Picking one at random is one index, whatever the tier's size and whoever cools. Taking a
//! slot out swaps it with the last available one; recovering swaps it back. `soonest` is the earliest deadline of those
//! that cool: [`NONE`] says that none does, so that a pick then looks at nothing else and reads no clock.
//!
//! # Concurrency
//!
//! Readers take no lock. Writers take one short mutex, so there is one at a time, and store in this order, each with
//! release: the deadline, the set's entries, `available`, `soonest`. Readers load in the opposite order, with acquire.
//!
//! - A reader that sees a `soonest` sees the `available` that belongs to it, or a later one; and with that the entries.
//! - While a mark is half done, a reader may still pick the slot, which equals looking a moment earlier. After
//!   [`extend`](Cooldowns::extend) has returned, every reader that knows of it sees its stores, and picks it no more.
//! - While a recovery is half done, a reader may see the slot as available: its deadline has passed.
//! - A swap moves entries under readers, so one that looks at *several* entries could miss a slot. Whoever has to look
//!   at all looks at the deadlines instead, which do not move: a slot that is available stays so until it is marked.
//! - `soonest` may be earlier than the truth (its slot's cooldown was extended), never later: a reader then sweeps for
//!   nothing, and the sweep corrects it. The [search](Cooldowns::search) of the whole pool does not use it.

#[cfg(all(test, lb_loom))]
mod loom_models;
#[cfg(all(test, not(lb_loom)))]
mod tests;

use std::time::Duration;

use crate::{
    clock::Instant,
    outcome::Reason,
    pool::tier::{NONE, Tier},
    retry_after::HintSource,
    sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock},
};

/// The deadline of a slot that is not cooling; every real one is later than it.
const AVAILABLE: u64 = 0;

/// How many recoveries are told at a time, so that none needs an allocation.
const BATCH: usize = 32;

/// How long a backend cools down, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cooldown {
    pub(crate) duration: Duration,
    pub(crate) reason: Reason,
    pub(crate) hint: Option<HintSource>,
}

/// Who is available, until when the others are out, and why.
#[derive(Debug)]
pub(crate) struct Cooldowns {
    tiers: Box<[Tier]>,
    /// The sparse sets, one after the other: `entries[tier.slots]` is a permutation of `tier.slots`.
    entries: Box<[AtomicU32]>,
    /// The deadline of each slot.
    deadlines: Box<[AtomicU64]>,
    /// What only writers need, and what makes one at a time of them.
    cold: Mutex<Box<[Cold]>>,
}

#[derive(Debug)]
struct Cold {
    tier: usize,
    /// Where the slot stands in `entries`.
    position: u32,
    cause: Option<Cooldown>,
}

/// That no slot can be picked; see [`Cooldowns::search`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoneLeft {
    /// How long until the soonest of all slots is available.
    pub(crate) soonest: Duration,
    /// How many are cooling.
    pub(crate) cooling: usize,
}

impl Cooldowns {
    /// Cooldowns of tiers whose slots have these weights, and all are available. Slots count through all tiers.
    pub(crate) fn new(tiers_of_weights: &[Vec<u32>]) -> Self {
        let mut start = 0;
        let mut tiers = Vec::with_capacity(tiers_of_weights.len());
        let mut cold = Vec::new();
        for (tier, weights) in tiers_of_weights.iter().enumerate() {
            let new = Tier::new(start, weights);
            cold.extend((start..start + new.len).map(|position| Cold { tier, position, cause: None }));
            start += new.len;
            tiers.push(new);
        }
        Self {
            tiers: tiers.into(),
            entries: (0..start).map(AtomicU32::new).collect(),
            deadlines: (0..start).map(|_| AtomicU64::new(AVAILABLE)).collect(),
            cold: Mutex::new(cold.into()),
        }
    }

    /// The tiers, best priority first.
    #[inline]
    pub(super) fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// One of the available slots of `tier`, by a number below [`Tier::available`].
    #[inline]
    pub(super) fn entry(&self, tier: &Tier, number: u32) -> usize {
        // Relaxed: `available` was loaded with acquire, and a swap since then leaves a slot of the tier here too.
        self.entries[(tier.start + number) as usize].load(Ordering::Relaxed) as usize
    }

    /// Whether `slot` is available at `now`: not cooling, or only until now.
    #[inline]
    pub(crate) fn is_available(&self, slot: usize, now: Instant) -> bool {
        self.deadlines[slot].load(Ordering::Acquire) <= now.as_nanos()
    }

    /// Takes `slot` out until `now` plus the cooldown; gives its deadline if that made it later.
    pub(crate) fn extend(&self, slot: usize, now: Instant, cooldown: Cooldown) -> Option<Instant> {
        // The last moment there is says that nothing cools, so a cooldown ends one nanosecond before it.
        let until = now.saturating_add(cooldown.duration).min(Instant::from_nanos(NONE - 1));
        let mut cold = lock(&self.cold);
        let old = self.deadlines[slot].load(Ordering::Relaxed);
        // A late answer must not shorten a newer cooldown; one that ends now takes nobody out.
        if until.as_nanos() <= old || until <= now {
            return None;
        }
        cold[slot].cause = Some(cooldown);
        self.deadlines[slot].store(until.as_nanos(), Ordering::Release);
        let tier = &self.tiers[cold[slot].tier];
        if old == AVAILABLE {
            let last = tier.available.load(Ordering::Relaxed) - 1;
            let position = cold[slot].position;
            self.swap(&mut cold, position, tier.start + last);
            tier.available.store(last, Ordering::Release);
            if let Some(weights) = &tier.weights {
                weights.take(slot - tier.start as usize);
            }
        }
        if until.as_nanos() < tier.soonest.load(Ordering::Relaxed) {
            tier.soonest.store(until.as_nanos(), Ordering::Release);
        }
        Some(until)
    }

    /// Ends every cooldown that has expired; each is given to `recovered` exactly once, with no lock held.
    pub(crate) fn sweep(&self, now: Instant, mut recovered: impl FnMut(usize)) {
        for tier in &self.tiers {
            if tier.soonest().is_some_and(|soonest| soonest <= now) {
                self.recover(tier, now, &mut recovered);
            }
        }
    }

    /// Ends the expired cooldowns of `tier`, as [`sweep`](Cooldowns::sweep) does.
    #[cold]
    #[inline(never)]
    pub(super) fn recover(&self, tier: &Tier, now: Instant, mut recovered: impl FnMut(usize)) {
        let mut batch = [0; BATCH];
        loop {
            let count = self.recover_batch(tier, now, &mut batch);
            batch[..count].iter().for_each(|&slot| recovered(slot));
            if count < BATCH {
                return;
            }
        }
    }

    /// Ends as many expired cooldowns as there is room for in `batch`, and corrects `soonest`.
    fn recover_batch(&self, tier: &Tier, now: Instant, batch: &mut [usize; BATCH]) -> usize {
        let mut cold = lock(&self.cold);
        let mut available = tier.available.load(Ordering::Relaxed);
        let (mut count, mut soonest) = (0, NONE);
        for position in tier.start + available..tier.start + tier.len {
            let slot = self.entries[position as usize].load(Ordering::Relaxed) as usize;
            let deadline = self.deadlines[slot].load(Ordering::Relaxed);
            if deadline <= now.as_nanos() && count < BATCH {
                self.deadlines[slot].store(AVAILABLE, Ordering::Release);
                cold[slot].cause = None;
                // What stood there is cooling on, and was looked at before: it may move back.
                self.swap(&mut cold, position, tier.start + available);
                available += 1;
                if let Some(weights) = &tier.weights {
                    weights.put(slot - tier.start as usize);
                }
                batch[count] = slot;
                count += 1;
            } else {
                soonest = soonest.min(deadline);
            }
        }
        tier.available.store(available, Ordering::Release);
        tier.soonest.store(soonest, Ordering::Release);
        count
    }

    /// Swaps two entries.
    fn swap(&self, cold: &mut [Cold], here: u32, there: u32) {
        let a = self.entries[here as usize].load(Ordering::Relaxed);
        let b = self.entries[there as usize].load(Ordering::Relaxed);
        self.entries[here as usize].store(b, Ordering::Release);
        self.entries[there as usize].store(a, Ordering::Release);
        cold[a as usize].position = there;
        cold[b as usize].position = here;
    }

    /// Looks at the whole pool at `now`: the first slot that is available and satisfies `is_candidate`, which is of the
    /// best priority that has one.
    ///
    /// Of [`NoneLeft`] every deadline is the truth. A slot that is available but no candidate counts as `tried_delay`.
    pub(crate) fn search(
        &self,
        now: Instant,
        tried_delay: Duration,
        is_candidate: impl Fn(usize) -> bool,
    ) -> Result<usize, NoneLeft> {
        // Held to the end: no writer changes a deadline between two looks.
        let _cold = lock(&self.cold);
        let mut left = NoneLeft { soonest: Duration::MAX, cooling: 0 };
        for (slot, deadline) in self.deadlines.iter().enumerate() {
            let deadline = Instant::from_nanos(deadline.load(Ordering::Relaxed));
            let delay = if deadline <= now {
                if is_candidate(slot) {
                    return Ok(slot);
                }
                tried_delay
            } else {
                left.cooling += 1;
                deadline.saturating_since(now)
            };
            left.soonest = left.soonest.min(delay);
        }
        Err(left)
    }

    /// Until when and why `slot` is out at `now`; `None` if it is available.
    pub(crate) fn state(&self, slot: usize, now: Instant) -> Option<(Instant, Cooldown)> {
        let cold = lock(&self.cold);
        if self.is_available(slot, now) {
            return None;
        }
        let until = Instant::from_nanos(self.deadlines[slot].load(Ordering::Relaxed));
        cold[slot].cause.map(|cause| (until, cause))
    }
}
