//! The states of a pool's backends: who can be picked, and what stands against the others.
//!
//! # Shape
//!
//! Each tier is a *sparse set*: an array of its slots whose first `available` entries are available, in any order, and
//! whose rest is out. Picking one at random is one index, whatever the tier's size and whoever is out. Taking a slot out
//! swaps it with the last available one; putting it back swaps it back. `soonest` is the earliest moment at which
//! somebody has to look at one that is out (a cooldown ends, a suspect is to be asked); [`NONE`] says that none is out, so
//! that a pick then looks at nothing else and reads no clock.
//!
//! What is known about a backend beside that, its [`Standing`], only writers need. Two words of it are mirrored for
//! readers: the deadline, and `marks` (its epoch, and whether a success would change anything), so that an attempt at a
//! backend against which nothing stands costs two loads.
//!
//! # Concurrency
//!
//! Readers take no lock. Writers take one short mutex, so there is one at a time, and store in this order, each with
//! release: the deadline, the set's entries, `available`, `soonest`. Readers load in the opposite order, with acquire.
//!
//! - A reader that sees a `soonest` sees the `available` that belongs to it, or a later one; and with that the entries.
//! - While a slot is being taken out, a reader may still pick it, which equals looking a moment earlier. After
//!   [`hear`](States::hear) has returned, every reader that knows of it sees its stores, and picks the slot no more.
//! - While a slot is being put back, a reader may see it as available: its cooldown has ended, or a success came.
//! - A swap moves entries under readers, so one that looks at *several* entries could miss a slot. Whoever has to look
//!   at all looks at the deadlines instead, which do not move: a slot that is available stays so until it is taken out.
//! - `soonest` may be earlier than the truth, never later: every change that makes a slot due earlier stores it, and one
//!   that makes it due later (a cooldown that is extended, a suspect that failed again, a claim, a success, a drain)
//!   leaves it. A reader then sweeps for nothing, and the sweep corrects it. With nothing out it is [`NONE`] at once. The
//!   [search](States::search) of the whole pool does not use it.

#[cfg(all(test, lb_loom))]
mod loom_models;
#[cfg(all(test, not(lb_loom)))]
mod tests;

use crate::{
    cause::Cause,
    clock::Instant,
    pool::{
        left::NoneLeft,
        policy::Policy,
        standing::{Change, NEVER, News, Standing},
        suspicion::Claim,
        tier::{NONE, Tier},
        tried::Tried,
    },
    state::State,
    sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock},
};

/// The deadline of a slot that is available; every other is later than it.
const AVAILABLE: u64 = 0;

/// How many recoveries are told at a time, so that none needs an allocation.
const BATCH: usize = 32;

/// Who can be picked, and what stands against the others.
#[derive(Debug)]
pub(crate) struct States {
    tiers: Box<[Tier]>,
    /// The sparse sets, one after the other: `entries[tier.slots]` is a permutation of `tier.slots`.
    entries: Box<[AtomicU32]>,
    /// The moment from which each slot can be picked; [`NEVER`] if that is not for time to say.
    deadlines: Box<[AtomicU64]>,
    /// The epoch of each slot, times two, plus one if a success would change anything.
    marks: Box<[AtomicU64]>,
    /// What only writers need, and what makes one at a time of them.
    cold: Mutex<Box<[Cold]>>,
}

#[derive(Debug)]
struct Cold {
    tier: usize,
    /// Where the slot stands in `entries`.
    position: u32,
    standing: Standing,
}

/// A backend that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) slot: usize,
    /// The claim by which it is asked, if it is a suspect that one request at a time asks.
    pub(crate) claim: Option<Claim>,
}

impl Choice {
    /// A backend that is available.
    pub(crate) const fn available(slot: usize) -> Self {
        Self { slot, claim: None }
    }
}

/// A request that found nothing available.
#[derive(Clone, Copy)]
pub(crate) struct Seeker<'t> {
    /// The backends that it has tried.
    pub(crate) tried: &'t Tried,
    /// The only slots that can serve it, if not all can.
    pub(crate) pin: Option<&'t [usize]>,
    /// Whether it may make another attempt.
    pub(crate) may_try: bool,
    /// The backend that it may ask again, after all others.
    pub(crate) again: Option<usize>,
    /// Any number, to choose among equals.
    pub(crate) draw: u64,
}

impl Seeker<'_> {
    fn allows(&self, slot: usize) -> bool {
        self.pin.is_none_or(|pin| pin.contains(&slot))
    }
}

impl States {
    /// States of tiers whose slots have these weights, and all are available. Slots count through all tiers.
    pub(crate) fn new(tiers_of_weights: &[Vec<u32>]) -> Self {
        let mut start = 0;
        let mut tiers = Vec::with_capacity(tiers_of_weights.len());
        let mut cold = Vec::new();
        for (tier, weights) in tiers_of_weights.iter().enumerate() {
            let new = Tier::new(start, weights);
            let slot = |position| Cold { tier, position, standing: Standing::default() };
            cold.extend((start..start + new.len).map(slot));
            start += new.len;
            tiers.push(new);
        }
        Self {
            tiers: tiers.into(),
            entries: (0..start).map(AtomicU32::new).collect(),
            deadlines: (0..start).map(|_| AtomicU64::new(AVAILABLE)).collect(),
            marks: (0..start).map(|_| AtomicU64::new(0)).collect(),
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

    /// Whether `slot` is available at `now`, or cooling only until now.
    #[inline]
    pub(crate) fn is_available(&self, slot: usize, now: Instant) -> bool {
        let deadline = self.deadlines[slot].load(Ordering::Acquire);
        deadline <= now.as_nanos() && deadline != NEVER.as_nanos()
    }

    /// The marks of a slot, for an attempt that begins.
    #[inline]
    pub(crate) fn marks(&self, slot: usize) -> u64 {
        self.marks[slot].load(Ordering::Acquire)
    }

    /// Whether a success at this slot would change anything.
    #[inline]
    pub(crate) fn stands_accused(&self, slot: usize) -> bool {
        self.marks(slot) & 1 == 1
    }

    /// Whether a success at any slot would change anything: else none is suspect.
    pub(crate) fn any_stands_accused(&self) -> bool {
        (0..self.marks.len()).any(|slot| self.stands_accused(slot))
    }

    /// Takes note of what an attempt at `slot` says; gives what changed, and how many strikes stand against it.
    pub(crate) fn hear(&self, slot: usize, news: News, now: Instant, policy: &Policy) -> (Option<Change>, u32) {
        let mut cold = lock(&self.cold);
        let change = cold[slot].standing.hear(news, now, policy);
        self.place(&mut cold, slot);
        (change, cold[slot].standing.strikes())
    }

    /// Takes `slot` out for the operator, or puts it back; whether that changed anything.
    pub(crate) fn drain(&self, slot: usize, is_drained: bool, now: Instant) -> bool {
        self.change(slot, |standing| {
            standing.expire(now);
            standing.drain(is_drained)
        })
    }

    /// Takes `slot` out until then, because somebody said so; whether that is longer than it was out anyway.
    pub(crate) fn cool(&self, slot: usize, until: Instant, now: Instant) -> bool {
        self.change(slot, |standing| standing.cool_by_hand(until, now))
    }

    /// Ends the cooldown of `slot`, because somebody said so; whether there was one.
    pub(crate) fn end_cooldown(&self, slot: usize, now: Instant) -> bool {
        self.change(slot, |standing| standing.end_cooldown(now))
    }

    fn change<T>(&self, slot: usize, change: impl FnOnce(&mut Standing) -> T) -> T {
        let mut cold = lock(&self.cold);
        let changed = change(&mut cold[slot].standing);
        self.place(&mut cold, slot);
        changed
    }

    /// Ends every cooldown that has expired; each is given to `recovered` exactly once, with no lock held.
    pub(crate) fn sweep(&self, now: Instant, mut recovered: impl FnMut(usize)) {
        for tier in &self.tiers {
            if tier.soonest().is_some_and(|soonest| soonest <= now) {
                self.recover(tier, now, None, &mut recovered);
            }
        }
    }

    /// Ends the expired cooldowns of `tier`, as [`sweep`](States::sweep) does. With a policy, it also gives out the right
    /// to ask a suspect of it first, if that is due.
    #[cold]
    #[inline(never)]
    pub(super) fn recover(
        &self,
        tier: &Tier,
        now: Instant,
        mut probes: Option<&Policy>,
        mut recovered: impl FnMut(usize),
    ) -> Option<Choice> {
        let mut probe = None;
        let mut batch = [0; BATCH];
        loop {
            let (count, found) = self.recover_batch(tier, now, probes, &mut batch);
            if found.is_some() {
                (probe, probes) = (found, None);
            }
            batch[..count].iter().for_each(|&slot| recovered(slot));
            if count < BATCH {
                return probe;
            }
        }
    }

    /// Ends as many expired cooldowns as there is room for in `batch`, and corrects `soonest`.
    fn recover_batch(
        &self,
        tier: &Tier,
        now: Instant,
        probes: Option<&Policy>,
        batch: &mut [usize; BATCH],
    ) -> (usize, Option<Choice>) {
        let mut cold = lock(&self.cold);
        let available = tier.available.load(Ordering::Relaxed);
        let (mut count, mut soonest, mut probe) = (0, NONE, None);
        for position in tier.start + available..tier.start + tier.len {
            let slot = self.entries[position as usize].load(Ordering::Relaxed) as usize;
            let standing = &mut cold[slot].standing;
            if count < BATCH && standing.expire(now) {
                // What stood first among those that are out moves here; it is out on, and was looked at before.
                self.place(&mut cold, slot);
                if self.is_available(slot, now) {
                    batch[count] = slot;
                    count += 1;
                    continue;
                }
            } else if let (None, Some(policy), Some(suspicion)) = (probe, probes, standing.suspicion()) {
                probe = suspicion.probe(now, policy).map(|claim| Choice { slot, claim: Some(claim) });
            }
            soonest = soonest.min(due_at(&cold[slot].standing));
        }
        tier.soonest.store(soonest, Ordering::Release);
        (count, probe)
    }

    /// Looks at the whole pool at `now`, for a request that found nothing available: the first slot that is available
    /// after all, else a suspect that lets it in, else the one that it may ask again.
    ///
    /// A suspect whose last failure was an answer goes before the others; then the better priority; then the weights.
    pub(crate) fn search(
        &self,
        now: Instant,
        seeker: Seeker<'_>,
        policy: &Policy,
        weight: impl Fn(usize) -> u32,
    ) -> Result<Choice, NoneLeft> {
        // Held to the end: no writer changes anything between two looks.
        let mut cold = lock(&self.cold);
        let is_candidate = |slot: usize| seeker.may_try && !seeker.tried.contains(slot) && seeker.allows(slot);
        if let Some(slot) = (0..cold.len()).find(|&slot| is_candidate(slot) && self.is_available(slot, now)) {
            return Ok(Choice::available(slot));
        }
        let rank = |cold: &mut [Cold], slot: usize| {
            let tier = cold[slot].tier;
            let suspicion = cold[slot].standing.suspicion().filter(|_| is_candidate(slot))?;
            (suspicion.opens_at() <= now).then_some((!suspicion.reason.is_answer(), tier))
        };
        let best = (0..cold.len()).filter_map(|slot| rank(&mut cold, slot)).min();
        let suspect = best.and_then(|best| {
            let equals: Vec<_> = (0..cold.len()).filter(|&slot| rank(&mut cold, slot) == Some(best)).collect();
            draw(&equals, weight, seeker.draw)
        });
        if let Some((slot, suspicion)) = suspect.and_then(|slot| Some((slot, cold[slot].standing.suspicion()?))) {
            return Ok(Choice { slot, claim: suspicion.enter(now, policy) });
        }
        if let Some(slot) = seeker.again.filter(|&slot| seeker.may_try && self.is_available(slot, now)) {
            return Ok(Choice::available(slot));
        }
        let mut left = NoneLeft::of(seeker.pin.map_or(cold.len(), <[usize]>::len));
        for (slot, Cold { standing, .. }) in cold.iter().enumerate().filter(|&(slot, _)| seeker.allows(slot)) {
            left.add(slot, standing, seeker.tried.contains(slot), now);
        }
        Err(left)
    }

    /// The state of `slot` at `now`, with its strikes and its last failure.
    pub(crate) fn state(&self, slot: usize, now: Instant) -> (State, u32, Option<Cause>) {
        let standing = &lock(&self.cold)[slot].standing;
        (standing.state(now), standing.strikes(), standing.last().cloned())
    }

    /// Shows readers what the standing of `slot` says.
    fn place(&self, cold: &mut [Cold], slot: usize) {
        let standing = &cold[slot].standing;
        let deadline = standing.out_until().map_or(AVAILABLE, Instant::as_nanos);
        let (due_at, accused) = (due_at(standing), u64::from(standing.stands_accused()));
        self.marks[slot].store(standing.epoch() << 1 | accused, Ordering::Release);
        let old = self.deadlines[slot].load(Ordering::Relaxed);
        self.deadlines[slot].store(deadline, Ordering::Release);

        let (tier, position) = (&self.tiers[cold[slot].tier], cold[slot].position);
        let mut available = tier.available.load(Ordering::Relaxed);
        match (old == AVAILABLE, deadline == AVAILABLE) {
            (true, false) => {
                available -= 1;
                self.swap(cold, position, tier.start + available);
                tier.available.store(available, Ordering::Release);
                if let Some(weights) = &tier.weights {
                    weights.take(slot - tier.start as usize);
                }
            }
            (false, true) => {
                self.swap(cold, position, tier.start + available);
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
    fn swap(&self, cold: &mut [Cold], here: u32, there: u32) {
        let a = self.entries[here as usize].load(Ordering::Relaxed);
        let b = self.entries[there as usize].load(Ordering::Relaxed);
        self.entries[here as usize].store(b, Ordering::Release);
        self.entries[there as usize].store(a, Ordering::Release);
        cold[a as usize].position = there;
        cold[b as usize].position = here;
    }
}

/// The moment at which somebody has to look at a backend, as it counts for [`Tier::soonest`].
fn due_at(standing: &Standing) -> u64 {
    // One that is out for ever is out, so that this is not `NONE`.
    standing.due_at().map_or(NONE, |due_at| due_at.as_nanos().min(NONE - 1))
}

/// One of these slots at random by weight, with a number for the chance.
fn draw(slots: &[usize], weight: impl Fn(usize) -> u32, number: u64) -> Option<usize> {
    let total: u64 = slots.iter().map(|&slot| u64::from(weight(slot))).sum();
    let mut drawn = u64::try_from((u128::from(number) * u128::from(total)) >> 64).unwrap_or(0);
    slots.iter().copied().find(|&slot| match drawn.checked_sub(u64::from(weight(slot))) {
        Some(left) => {
            drawn = left;
            false
        }
        None => true,
    })
}
