//! A request's waits for a cooldown to end.

use std::{ops::Deref, time::Duration};

use super::{Dispatch, Repeat};
use crate::{
    clock::{Instant, Lazy},
    pool::{Place, Pool, Waiter},
};

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Takes a place among those who wait, or keeps it; `None` if the request cannot wait, or not long enough.
    pub(super) fn wait(&mut self, cools_in: Option<Duration>, now: Instant) -> Option<Place> {
        let (wait, cools_in) = (self.pool.policy.wait?, cools_in?);
        if !self.may_try() {
            return None;
        }
        let terms = self.terms.get_or_insert_default();
        if terms.refuses_to_wait {
            return None;
        }
        let patience = *terms.wait.ends_at.get_or_insert(now.saturating_add(wait.longest));
        let waiter = Waiter {
            ticket: terms.wait.ticket,
            opens_at: now.saturating_add(cools_in),
            ends_at: terms.deadline.map_or(patience, |deadline| deadline.min(patience)),
        };
        let place = self.pool.waiting.enter(waiter, wait)?;
        terms.wait.ticket = Some(place.ticket);
        terms.wait.since.get_or_insert(now);
        Some(place)
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
        let waiting = self.terms.as_ref().filter(|terms| terms.wait.since.is_some());
        if let Some(ticket) = waiting.and_then(|terms| terms.wait.ticket) {
            self.pool.waiting.leave(ticket, Duration::ZERO);
        }
    }
}
