//! What requests look at to choose a backend, and where they count: without a lock.
//!
//! # Shape
//!
//! Each tier is a *sparse set*: an array of its slots whose first `available` entries are available, in any order, and
//! whose rest is out. Picking one at random is one index, whatever the tier's size and whoever is out. Taking a slot out
//! swaps it with the last available one; putting it back swaps it back. `soonest` is the earliest moment at which
//! somebody has to look at one that is out (a cooldown ends, a suspect is to be asked); [`NONE`] says that none is out, so
//! that a pick then looks at nothing else and reads no clock.
//!
//! Of what else is known about a backend three words are mirrored for readers: the deadline; `marks` (its epoch, and
//! whether a success would change anything), so that an attempt at a backend against which nothing stands costs two
//! loads; and the end of its last cooldown, for those who wait.
//!
//! # Concurrency
//!
//! Readers take no lock. Writers hold the mutex of the [ledger](super::ledger), so there is one at a time, and store in this
//! order, each with release: the deadline, the set's entries, `available`, `soonest`. Readers load in the opposite order,
//! with acquire.
//!
//! - A reader that sees a `soonest` sees the `available` that belongs to it, or a later one; and with that the entries.
//! - While a slot is being taken out, a reader may still pick it, which equals looking a moment earlier. After
//!   [`States::hear`](super::States::hear) has returned, every reader that knows of it sees its stores, and picks the slot
//!   no more.
//! - While a slot is being put back, a reader may see it as available: its cooldown has ended, or a success came.
//! - A swap moves entries under readers, so one that looks at *several* entries could miss a slot. Whoever has to look
//!   at all looks at the deadlines instead, which do not move: a slot that is available stays so until it is taken out.
//! - `soonest` may be earlier than the truth, never later: every change that makes a slot due earlier stores it, and one
//!   that makes it due later (a cooldown that is extended, a suspect that failed again, a claim, a success, a drain)
//!   leaves it. A reader then sweeps for nothing, and the sweep corrects it. With nothing out it is [`NONE`] at once. The
//!   [search](super::States::search) of the whole pool does not use it.

use std::{ops::Range, sync::Arc};

use crate::{
    clock::Instant,
    pool::{
        counters::AllCounters,
        standing::{NEVER, Standing},
        tier::{NONE, Tier},
    },
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// The deadline of a slot that is available; every other is later than it.
const AVAILABLE: u64 = 0;

/// What requests of one pool look at. Clones are the same view.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) tiers: Arc<[Tier]>,
    /// The sparse sets, one after the other: `entries[tier.slots]` is a permutation of `tier.slots`.
    entries: Arc<[AtomicU32]>,
    /// The moment from which each slot can be picked; [`NEVER`] if that is not for time to say.
    deadlines: Arc<[AtomicU64]>,
    /// The epoch of each slot, times two, plus one if a success would change anything.
    marks: Arc<[AtomicU64]>,
    /// When the last cooldown of each slot ends, or has ended.
    cooled_until: Arc<[AtomicU64]>,
    pub(super) counters: AllCounters,
}

impl View {
    /// A view of tiers whose slots have these weights, and all are available. Slots count through all tiers.
    pub(super) fn new(tiers_of_weights: &[Vec<u32>]) -> Self {
        let mut start = 0;
        let mut tiers = Vec::with_capacity(tiers_of_weights.len());
        for weights in tiers_of_weights {
            let tier = Tier::new(start, weights);
            start += tier.len;
            tiers.push(tier);
        }
        let words = |value| (0..start).map(move |_| AtomicU64::new(value)).collect();
        Self {
            tiers: tiers.into(),
            entries: (0..start).map(AtomicU32::new).collect(),
            deadlines: words(AVAILABLE),
            marks: words(0),
            cooled_until: words(0),
            counters: AllCounters::new(start as usize),
        }
    }

    /// Whether nobody has it any more but the one who asks.
    pub(super) fn is_abandoned(&mut self) -> bool {
        Arc::get_mut(&mut self.tiers).is_some()
    }

    /// How many slots it has.
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// The tier that a slot is in.
    pub(super) fn tier_of(&self, slot: usize) -> usize {
        self.tiers.partition_point(|tier| tier.start as usize <= slot).saturating_sub(1)
    }

    /// One of the available slots of `tier`, by a number below [`Tier::available`].
    #[inline]
    pub(super) fn entry(&self, tier: &Tier, number: u32) -> usize {
        // Relaxed: `available` was loaded with acquire, and a swap since then leaves a slot of the tier here too.
        self.entries[(tier.start + number) as usize].load(Ordering::Relaxed) as usize
    }

    /// The positions of the slots of `tier` that are out, for a writer.
    pub(super) fn positions_out(tier: &Tier) -> Range<u32> {
        tier.start + tier.available.load(Ordering::Relaxed)..tier.start + tier.len
    }

    /// The slot at a position, for a writer.
    pub(super) fn slot_at(&self, position: u32) -> usize {
        self.entries[position as usize].load(Ordering::Relaxed) as usize
    }

    /// Whether `slot` is available at `now`, or cooling only until now.
    #[inline]
    pub(super) fn is_available(&self, slot: usize, now: Instant) -> bool {
        let deadline = self.deadlines[slot].load(Ordering::Acquire);
        deadline <= now.as_nanos() && deadline != NEVER.as_nanos()
    }

    #[inline]
    pub(super) fn marks(&self, slot: usize) -> u64 {
        self.marks[slot].load(Ordering::Acquire)
    }

    pub(super) fn cooled_until(&self, slot: usize) -> Instant {
        Instant::from_nanos(self.cooled_until[slot].load(Ordering::Relaxed))
    }

    /// Shows readers what the standing of `slot` says; `positions` says where each slot stands in the entries.
    pub(super) fn show(&self, slot: usize, standing: &Standing, positions: &mut [u32]) {
        let deadline = standing.out_until().map_or(AVAILABLE, Instant::as_nanos);
        let (due_at, accused) = (due_at(standing), u64::from(standing.stands_accused()));
        self.marks[slot].store(standing.epoch() << 1 | accused, Ordering::Release);
        self.cooled_until[slot].store(standing.cooled_until().as_nanos(), Ordering::Relaxed);
        let old = self.deadlines[slot].load(Ordering::Relaxed);
        self.deadlines[slot].store(deadline, Ordering::Release);

        let (tier, position) = (&self.tiers[self.tier_of(slot)], positions[slot]);
        let mut available = tier.available.load(Ordering::Relaxed);
        match (old == AVAILABLE, deadline == AVAILABLE) {
            (true, false) => {
                available -= 1;
                self.swap(positions, position, tier.start + available);
                tier.available.store(available, Ordering::Release);
                if let Some(weights) = &tier.weights {
                    weights.take(slot - tier.start as usize);
                }
            }
            (false, true) => {
                self.swap(positions, position, tier.start + available);
                available += 1;
                tier.available.store(available, Ordering::Release);
                if let Some(weights) = &tier.weights {
                    weights.put(slot - tier.start as usize);
                }
            }
            _ => {}
        }
        if available == tier.len {
            tier.soonest.store(NONE, Ordering::Release);
        } else if due_at < tier.soonest.load(Ordering::Relaxed) {
            tier.soonest.store(due_at, Ordering::Release);
        }
    }

    /// Swaps two entries.
    fn swap(&self, positions: &mut [u32], here: u32, there: u32) {
        let a = self.entries[here as usize].load(Ordering::Relaxed);
        let b = self.entries[there as usize].load(Ordering::Relaxed);
        self.entries[here as usize].store(b, Ordering::Release);
        self.entries[there as usize].store(a, Ordering::Release);
        positions[a as usize] = there;
        positions[b as usize] = here;
    }
}

/// The moment at which somebody has to look at a backend, as it counts for [`Tier::soonest`].
pub(super) fn due_at(standing: &Standing) -> u64 {
    // One that is out for ever is out, so that this is not `NONE`.
    standing.due_at().map_or(NONE, |due_at| due_at.as_nanos().min(NONE - 1))
}
