//! A request's waits for a cooldown to end.

use std::{ops::Deref, time::Duration};

use super::{Dispatch, Repeat, terms::Unwanted};
use crate::{
    clock::{Instant, Lazy},
    pool::{Exclude, Place, Pool, Turn, Waiter},
};

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Whose turn it is, if the request has to mind it: others are older, and it may wait for as long as that takes.
    pub(super) fn turn(&self, now: impl FnOnce() -> Instant) -> Option<Turn> {
        let (wait, terms) = (self.pool.policy.wait?, self.terms.as_deref()?);
        let comes_anew = self.attempts() == 0;
        if terms.refuses_to_wait || !(comes_anew || terms.wait.since.is_some()) {
            return None;
        }
        let now = now();
        let turn = self.pool.waiting.turn(terms.wait.ticket, wait, now)?;
        Some(turn).filter(|turn| !turn.is_over_by(terms.ends_at(wait.longest, now)))
    }

    /// The end of the cooldown after which it will be the request's turn first, at a backend that is available.
    pub(super) fn soonest_turn(&self, turn: Turn, now: Instant) -> Option<Instant> {
        let terms = self.terms.as_deref()?;
        let states = &self.pool.states;
        let unwanted = Unwanted { tried: &self.tried, terms, turn: None, states };
        let slots = (0..self.pool.backends().len()).filter(|&slot| states.is_available(slot, now));
        let cooled_until = slots.filter(|&slot| !unwanted.contains(slot)).map(|slot| states.cooled_until(slot));
        cooled_until.filter(|&until| !turn.has_come(until)).min()
    }

    /// Takes a place among those who wait for something that is there at `opens_at`, or keeps it; `None` if the request
    /// cannot wait, or not long enough.
    pub(super) fn wait(&mut self, opens_at: Option<Instant>, now: Instant) -> Option<Place> {
        let (wait, opens_at) = (self.pool.policy.wait?, opens_at?);
        if !self.may_try() {
            return None;
        }
        let terms = self.terms.get_or_insert_default();
        if terms.refuses_to_wait {
            return None;
        }
        terms.wait.ends_at.get_or_insert(now.saturating_add(wait.longest));
        let waiter = Waiter { ticket: terms.wait.ticket, opens_at, ends_at: terms.ends_at(wait.longest, now) };
        let place = self.pool.waiting.enter(waiter, wait)?;
        terms.wait.ticket = Some(place.ticket);
        terms.wait.since.get_or_insert(now);
        Some(place)
    }

    /// Its ticket, if it waits.
    pub(crate) fn ticket(&self) -> Option<u64> {
        let waiting = self.terms.as_ref().filter(|terms| terms.wait.since.is_some());
        waiting.and_then(|terms| terms.wait.ticket)
    }

    /// After a wait the request may ask every backend once more.
    pub(super) fn end_round_if_waiting(&mut self) {
        if self.terms.as_ref().is_none_or(|terms| terms.wait.since.is_none()) {
            return;
        }
        self.earlier = self.attempts();
        self.tried.clear();
        self.repeat = Repeat::No;
        self.failed = None;
    }

    /// The request goes on, or gives up, if it has waited.
    pub(super) fn end_wait<F: FnOnce() -> Instant>(&mut self, now: &mut Lazy<F>) {
        let Some(terms) = self.terms.as_mut().filter(|terms| terms.wait.since.is_some()) else { return };
        let before = terms.wait.total;
        terms.wait.end(now.get());
        let waited = terms.wait.total.saturating_sub(before);
        if let Some(ticket) = terms.wait.ticket {
            self.pool.waiting.leave(ticket, waited);
        }
        self.tell_waited(waited);
    }

    /// The request ends while it waits.
    #[cold]
    pub(super) fn give_place_back(&mut self) {
        if let Some(ticket) = self.ticket() {
            self.pool.waiting.leave(ticket, Duration::ZERO);
        }
    }
}
