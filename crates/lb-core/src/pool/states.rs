//! The states of a pool's backends: who can be picked, and what stands against the others.
//!
//! Readers look at a [view](super::view), without a lock. Whatever changes is written to the [ledger](super::ledger) under
//! its mutex, and shown in the views of all pools that it concerns: this one's, and those of pools that have replaced it, or
//! that it has replaced.

#[cfg(all(test, lb_loom))]
mod loom_models;
#[cfg(all(test, not(lb_loom)))]
mod tests;

use std::sync::Arc;

use crate::{
    cause::Cause,
    clock::Instant,
    outcome::Reason,
    pool::{
        counters::{AllCounters, Counters},
        ledger::Ledger,
        left::NoneLeft,
        policy::Policy,
        standing::{Change, News, Standing},
        suspicion::Claim,
        tier::{NONE, Tier},
        tried::Tried,
        view::{View, due_at},
    },
    state::State,
    sync::{Mutex, Ordering, lock},
};

/// How many recoveries are told at a time, so that none needs an allocation.
const BATCH: usize = 32;

/// Who can be picked, and what stands against the others.
#[derive(Debug)]
pub(crate) struct States {
    view: View,
    /// The number of the view at the ledger.
    number: u64,
    ledger: Arc<Mutex<Ledger>>,
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
        let view = View::new(tiers_of_weights);
        let (ledger, number) = Ledger::new(view.clone());
        Self { view, number, ledger: Arc::new(Mutex::new(ledger)) }
    }

    /// The states of a pool that replaces this one. `kept` says of each of its slots which one here it goes on for, if it is
    /// not new.
    pub(crate) fn replaced(&self, tiers_of_weights: &[Vec<u32>], kept: impl Fn(usize) -> Option<usize>) -> Self {
        let view = View::new(tiers_of_weights);
        let mut ledger = lock(&self.ledger);
        ledger.clear();
        let number = ledger.seat(view.clone(), |slot| kept(slot).map(|here| (self.number, here)));
        drop(ledger);
        Self { view, number, ledger: Arc::clone(&self.ledger) }
    }

    /// The tiers, best priority first.
    #[inline]
    pub(super) fn tiers(&self) -> &[Tier] {
        &self.view.tiers
    }

    /// Where attempts are counted.
    #[inline]
    pub(super) const fn counters(&self) -> &AllCounters {
        &self.view.counters
    }

    /// One of the available slots of `tier`, by a number below [`Tier::available`].
    #[inline]
    pub(super) fn entry(&self, tier: &Tier, number: u32) -> usize {
        self.view.entry(tier, number)
    }

    /// Whether `slot` is available at `now`, or cooling only until now.
    #[inline]
    pub(crate) fn is_available(&self, slot: usize, now: Instant) -> bool {
        self.view.is_available(slot, now)
    }

    /// When the last cooldown of a slot ends, or has ended; the beginning of time if it never cooled.
    pub(crate) fn cooled_until(&self, slot: usize) -> Instant {
        self.view.cooled_until(slot)
    }

    /// The marks of a slot, for an attempt that begins: its epoch, times two, plus one if a success would change anything.
    #[inline]
    pub(crate) fn marks(&self, slot: usize) -> u64 {
        self.view.marks(slot)
    }

    /// Whether a success at this slot would change anything.
    #[inline]
    pub(crate) fn stands_accused(&self, slot: usize) -> bool {
        self.marks(slot) & 1 == 1
    }

    /// Whether a success at any slot would change anything: else none is suspect.
    pub(crate) fn any_stands_accused(&self) -> bool {
        (0..self.view.len()).any(|slot| self.stands_accused(slot))
    }

    /// Takes note of what an attempt at `slot` says; gives what changed, and how many strikes stand against it.
    pub(crate) fn hear(&self, slot: usize, news: News, now: Instant, policy: &Policy) -> (Option<Change>, u32) {
        let mut ledger = lock(&self.ledger);
        let standing = ledger.standing(self.number, slot);
        let (change, strikes) = (standing.hear(news, now, policy), standing.strikes());
        ledger.show(self.number, slot);
        (change, strikes)
    }

    /// Takes `slot` out for the operator, or puts it back; whether that changed anything.
    pub(crate) fn drain(&self, slot: usize, is_drained: bool, now: Instant) -> bool {
        self.change(slot, |standing| {
            standing.expire(now);
            standing.drain(is_drained)
        })
    }

    /// Takes `slot` out until then, because somebody said so; whether that is longer than it was out anyway.
    pub(crate) fn cool(&self, slot: usize, reason: Reason, until: Instant, now: Instant) -> bool {
        self.change(slot, |standing| standing.cool_by_hand(reason, until, now))
    }

    /// Ends the cooldown of `slot`, because somebody said so; whether there was one.
    pub(crate) fn end_cooldown(&self, slot: usize, now: Instant) -> bool {
        self.change(slot, |standing| standing.end_cooldown(now))
    }

    fn change<T>(&self, slot: usize, change: impl FnOnce(&mut Standing) -> T) -> T {
        let mut ledger = lock(&self.ledger);
        let changed = change(ledger.standing(self.number, slot));
        ledger.show(self.number, slot);
        changed
    }

    /// Ends every cooldown that has expired; each is given to `recovered` exactly once, with no lock held.
    pub(crate) fn sweep(&self, now: Instant, mut recovered: impl FnMut(usize)) {
        for tier in self.tiers() {
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
        let mut ledger = lock(&self.ledger);
        let (mut count, mut soonest, mut probe) = (0, NONE, None);
        for position in View::positions_out(tier) {
            let slot = self.view.slot_at(position);
            let standing = ledger.standing(self.number, slot);
            if count < BATCH && standing.expire(now) {
                // What stood first among those that are out moves here; it is out on, and was looked at before.
                ledger.show(self.number, slot);
                if self.is_available(slot, now) {
                    batch[count] = slot;
                    count += 1;
                    continue;
                }
            } else if let (None, Some(policy), Some(suspicion)) = (probe, probes, standing.suspicion()) {
                probe = suspicion.probe(now, policy).map(|claim| Choice { slot, claim: Some(claim) });
            }
            soonest = soonest.min(due_at(ledger.standing(self.number, slot)));
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
        let mut ledger = lock(&self.ledger);
        let slots = 0..self.view.len();
        let is_candidate = |slot: usize| seeker.may_try && !seeker.tried.contains(slot) && seeker.allows(slot);
        if let Some(slot) = slots.clone().find(|&slot| is_candidate(slot) && self.is_available(slot, now)) {
            return Ok(Choice::available(slot));
        }
        let rank = |ledger: &mut Ledger, slot: usize| {
            let suspicion = ledger.standing(self.number, slot).suspicion().filter(|_| is_candidate(slot))?;
            (suspicion.opens_at() <= now).then_some((!suspicion.reason.is_answer(), self.view.tier_of(slot)))
        };
        let best = slots.clone().filter_map(|slot| rank(&mut ledger, slot)).min();
        let suspect = best.and_then(|best| {
            let equals: Vec<_> = slots.clone().filter(|&slot| rank(&mut ledger, slot) == Some(best)).collect();
            draw(&equals, weight, seeker.draw)
        });
        if let Some((slot, suspicion)) =
            suspect.and_then(|slot| Some((slot, ledger.standing(self.number, slot).suspicion()?)))
        {
            return Ok(Choice { slot, claim: suspicion.enter(now, policy) });
        }
        if let Some(slot) = seeker.again.filter(|&slot| seeker.may_try && self.is_available(slot, now)) {
            return Ok(Choice::available(slot));
        }
        let mut left = NoneLeft::of(seeker.pin.map_or(slots.len(), <[usize]>::len));
        for (slot, standing) in ledger.standings(self.number).filter(|&(slot, _)| seeker.allows(slot)) {
            left.add(slot, standing, seeker.tried.contains(slot), now);
        }
        Err(left)
    }

    /// The state of `slot` at `now`, with its strikes, its last failure, and what happened there.
    pub(crate) fn state(&self, slot: usize, now: Instant) -> (State, u32, Option<Cause>, Counters) {
        let mut ledger = lock(&self.ledger);
        let counters = ledger.counters(self.number, slot);
        let standing = ledger.standing(self.number, slot);
        (standing.state(now), standing.strikes(), standing.last().cloned(), counters)
    }

    /// What happened at backends that were replaced.
    pub(crate) fn removed(&self) -> Counters {
        lock(&self.ledger).removed(self.number)
    }
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
