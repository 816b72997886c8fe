//! On which terms a request goes: its wishes, and what its waits have come to.

use std::{ops::Deref, sync::Arc, time::Duration};

use super::Dispatch;
use crate::{
    backend::Backend,
    clock::Instant,
    pool::{Exclude, Pool, States, Tried, Turn},
    served::FailedAttempt,
    wishes::{Affinity, Pin, ServedBy, WishError, Wishes},
};

/// The terms of one request. One that wishes nothing, in a pool without a deadline where nobody waits, has none.
#[derive(Debug, Default)]
pub(super) struct Terms {
    within: Option<Duration>,
    /// No attempt begins, and no wait ends, after this.
    pub(super) deadline: Option<Instant>,
    has_begun: bool,
    affinity: Option<Affinity>,
    pinned_to: Option<Pin>,
    /// The only slots that can serve it, if it is pinned.
    pub(super) pin: Option<Box<[usize]>>,
    pub(super) refuses_to_wait: bool,
    pub(super) head_timeout: Option<Duration>,
    pub(super) teller: Option<ServedBy>,
    pub(super) wait: Waited,
    /// Whom it has tried in vain in a pool that was replaced since.
    pub(super) trail: Box<[FailedAttempt]>,
}

/// What the waits of a request have come to.
#[derive(Debug, Default)]
pub(super) struct Waited {
    /// Its place in order of age, once it has waited.
    pub(super) ticket: Option<u64>,
    /// Since when it waits, if it does.
    pub(super) since: Option<Instant>,
    /// When its patience, or the pool's, is over; known once it has waited.
    pub(super) ends_at: Option<Instant>,
    /// How long all its waits were that are over.
    pub(super) total: Duration,
}

impl Waited {
    /// It waits no longer.
    pub(super) fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.total = self.total.saturating_add(now.saturating_since(since));
        }
    }
}

impl Terms {
    /// The terms of these wishes in a pool; `None` if they change nothing.
    pub(super) fn of(wishes: Wishes, pool: &Pool) -> Result<Option<Box<Self>>, WishError> {
        if wishes.is_empty() {
            return Ok(Self::of_none(pool));
        }
        let Wishes { within, deadline, affinity, pin, may_wait, head_timeout, teller } = wishes;
        Ok(Some(Box::new(Self {
            within: [within, pool.policy.deadline].into_iter().flatten().min(),
            deadline,
            affinity,
            pin: pin.as_ref().map(|pin| slots(pin, pool)).transpose()?,
            pinned_to: pin,
            refuses_to_wait: may_wait == Some(false),
            head_timeout,
            teller,
            ..Self::default()
        })))
    }

    /// The terms of a request that wishes nothing: the pool's deadline, and its turn if others wait.
    #[inline]
    pub(super) fn of_none(pool: &Pool) -> Option<Box<Self>> {
        if pool.policy.has_terms { Self::of_pool(pool) } else { None }
    }

    #[cold]
    fn of_pool(pool: &Pool) -> Option<Box<Self>> {
        let within = pool.policy.deadline;
        (within.is_some() || pool.waiting.anybody()).then(|| Box::new(Self { within, ..Self::default() }))
    }

    /// The same terms in another pool.
    pub(super) fn move_to(&mut self, pool: &Pool) -> Result<(), WishError> {
        self.pin = self.pinned_to.as_ref().map(|pin| slots(pin, pool)).transpose()?;
        Ok(())
    }

    /// Whether it is too late for another attempt.
    pub(super) fn is_over(&mut self, mut now: impl FnMut() -> Instant) -> bool {
        if !std::mem::replace(&mut self.has_begun, true) {
            let ends_at = self.within.map(|within| now().saturating_add(within));
            self.deadline = [self.deadline, ends_at].into_iter().flatten().min();
        }
        self.deadline.is_some_and(|deadline| now() >= deadline)
    }

    /// When the request's patience, or the pool's, is over; before it has waited, if it began to wait now.
    pub(super) fn ends_at(&self, longest: Duration, now: Instant) -> Instant {
        let patience = self.wait.ends_at.unwrap_or(now.saturating_add(longest));
        self.deadline.map_or(patience, |deadline| deadline.min(patience))
    }

    /// Whether this slot can serve the request.
    pub(super) fn allows(&self, slot: usize) -> bool {
        self.pin.as_ref().is_none_or(|slots| slots.contains(&slot))
    }
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Whether only some of the backends can serve the request.
    pub(crate) fn is_pinned(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.pin.is_some())
    }

    /// After how long without a head an attempt is to be given up, if the request wishes that: for drivers by hand.
    #[must_use]
    pub fn head_timeout(&self) -> Option<Duration> {
        self.terms.as_ref().and_then(|terms| terms.head_timeout)
    }
}

/// The slots of a pin.
fn slots(pin: &Pin, pool: &Pool) -> Result<Box<[usize]>, WishError> {
    let (Pin::Backend(name) | Pin::Resource(name)) = pin;
    let slot = pool.slot(name).ok_or_else(|| WishError::UnknownBackend(Arc::clone(name)))?;
    let pinned = &pool.backends()[slot];
    let is_of_it = |backend: &Backend| backend.shares_resource_with(pinned);
    Ok(match pin {
        Pin::Backend(_) => [slot].into(),
        Pin::Resource(_) => (0..pool.backends().len()).filter(|&slot| is_of_it(&pool.backends()[slot])).collect(),
    })
}

/// The backends that a request does not want, on its terms: those that it has tried, those that cannot serve it, and those
/// at which it is not its turn.
#[derive(Clone, Copy)]
pub(super) struct Unwanted<'d> {
    pub(super) tried: &'d Tried,
    pub(super) terms: &'d Terms,
    pub(super) turn: Option<Turn>,
    pub(super) states: &'d States,
}

impl Exclude for Unwanted<'_> {
    const NOTHING: bool = false;

    fn contains(self, slot: usize) -> bool {
        let is_early = |turn: Turn| !turn.has_come(self.states.cooled_until(slot));
        self.tried.contains(slot) || !self.terms.allows(slot) || self.turn.is_some_and(is_early)
    }

    fn any(self, condition: impl Fn(usize) -> bool) -> bool {
        // Not those that cannot serve it: a draw that is one of them is looked at again.
        self.tried.any(condition)
    }

    fn may_probe(self) -> bool {
        self.tried.is_empty() && self.terms.pin.is_none()
    }

    fn affinity(self) -> Option<Affinity> {
        self.terms.affinity
    }
}
