//! What the observers are told of a request's walk.

use std::{ops::Deref, time::Duration};

use super::Dispatch;
#[cfg(feature = "json")]
use crate::unmapped::Unmapped;
use crate::{
    attempt::Attempt,
    cause::Cause,
    clock::{Instant, Lazy},
    level::Level,
    not_repeated::NotRepeated,
    observe::Event,
    outcome::Outcome,
    pool::{Blame, Change, Pool},
    served::Served,
};

impl<P: Deref<Target = Pool>> Dispatch<P> {
    pub(super) fn tell(
        &mut self,
        slot: usize,
        blame: Blame,
        change: Option<Change>,
        strikes: u32,
        cause: &Cause,
        now: Instant,
    ) {
        let level =
            if let Some(Change::Suspected(_) | Change::Cooling(_)) = change { Level::Warn } else { Level::Info };
        let Some(request) = self.number(level) else { return };
        let backend = self.backend(slot);
        match (change, blame) {
            (Some(Change::Suspected(probe_at)), _) => {
                let after = probe_at.saturating_since(now);
                self.pool.emit(&Event::Suspected { request, backend, probe_at, after, cause });
            }
            (Some(Change::Cooling(until)), Blame::Cooling { duration, hint, .. }) => {
                self.pool.emit(&Event::Cooling { request, backend, until, duration, cause, hint });
            }
            (Some(Change::Struck(_)), _) | (_, Blame::Strike) => {
                self.pool.emit(&Event::Struck { request, backend, strikes, cause });
            }
            _ => {}
        }
    }

    pub(super) fn tell_settled<F: FnOnce() -> Instant>(
        &mut self,
        slot: usize,
        outcome: Outcome,
        cause: Option<&Cause>,
        now: &mut Lazy<F>,
    ) {
        if let Some(request) = self.number(Level::Trace) {
            let (backend, attempt, elapsed) = (self.backend(slot), self.attempts(), self.elapsed(now));
            self.pool.emit(&Event::Settled { request, backend, attempt, outcome, cause, elapsed });
        }
    }

    #[cold]
    pub(super) fn emit_sent(&mut self, attempt: &Attempt) {
        if let Some(request) = self.number(Level::Debug) {
            let is_probe = self.beginning.claim.is_some_and(|claim| claim.is_probe);
            let backend = self.backend(attempt.slot());
            self.pool.emit(&Event::Sent { request, backend, attempt: attempt.number(), is_probe });
        }
    }

    /// The open attempt went out with the caller's model.
    #[cfg(feature = "json")]
    #[cold]
    pub(crate) fn tell_unmapped(&mut self, why: Unmapped) {
        let Some(slot) = self.open else { return };
        if let Some(request) = self.number(Level::Debug) {
            let (backend, attempt) = (self.backend(slot), self.attempts());
            self.pool.emit(&Event::Unmapped { request, backend, attempt, why });
        }
    }

    /// The request goes on from the backend that failed to this one.
    pub(super) fn tell_failed_over(&mut self, to: usize) {
        let Some((from, outcome, cause)) = self.failed.take() else { return };
        if let Some(request) = self.number(Level::Info) {
            let (from, to) = (self.backend(from), self.backend(to));
            self.pool.emit(&Event::FailedOver { request, from, to, outcome, cause: &cause });
        }
    }

    /// Tells the observers that the request would go on, and cannot, such as one whose body could be sent once only.
    ///
    /// For drivers by hand; the balancers' loop calls it. Where the last attempt does not fail over, nobody is told.
    pub fn cannot_repeat(&mut self, why: NotRepeated) {
        let Some((backend, outcome, cause)) = self.failed.take() else { return };
        if let Some(request) = self.number(Level::Info) {
            let backend = self.backend(backend);
            self.pool.emit(&Event::NotRepeated { request, backend, outcome, cause: &cause, why });
        }
    }

    /// The request waits.
    pub(super) fn tell_waiting(&mut self, until: Instant, after: Duration, older: usize) {
        if let Some(request) = self.number(Level::Debug) {
            self.pool.emit(&Event::Waiting { request, until, after, older });
        }
    }

    /// A wait of the request is over.
    pub(super) fn tell_waited(&mut self, waited: Duration) {
        if let Some(request) = self.number(Level::Debug) {
            self.pool.emit(&Event::Waited { request, waited });
        }
    }

    /// Tells who served the request, if it wishes that.
    pub(crate) fn tell_served(&self, served: &Served) {
        if let Some(teller) = self.terms.as_ref().and_then(|terms| terms.teller.as_ref()) {
            teller.set(served);
        }
    }
}
