//! Suspicion: when a backend that failed without a word is asked again.

use std::time::Duration;

use crate::{clock::Instant, outcome::Reason, pool::policy::Policy};

/// How long a suspect that failed is closed to requests that find nothing else.
const CLOSED_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What is known about a suspect.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// Its last failure.
    pub(super) reason: Reason,
    /// How long after its last failure a request asks it first.
    wait: Duration,
    /// The moment from which one request may ask it first, to see.
    pub(super) probe_at: Instant,
    /// Whether a probe has not said how it ended.
    is_probed: bool,
    /// The moment from which requests that find nothing else may ask it.
    closed_until: Instant,
    /// The last claim that was given out, until its holder ends.
    claim: Option<Claim>,
}

/// One request's right to ask a suspect; it lapses by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    lapses_at: Instant,
    pub(crate) is_probe: bool,
}

impl Suspicion {
    /// Suspicion from `now` on, whose first probe comes after `wait`.
    pub(super) fn new(reason: Reason, wait: Duration, now: Instant) -> Self {
        Self { reason, wait, probe_at: now.saturating_add(wait), is_probed: false, closed_until: now, claim: None }
    }

    /// How long after a failure it was asked last.
    pub(super) const fn wait(&self) -> Duration {
        self.wait
    }

    /// Takes the right to ask it first, if that is due.
    pub(super) fn probe(&mut self, now: Instant, policy: &Policy) -> Option<Claim> {
        if now < self.probe_at {
            return None;
        }
        // Whoever asked last hangs there, as the one before did.
        if self.is_probed && self.reason.is_timeout() {
            self.wait = policy.twice(self.wait);
        }
        self.is_probed = true;
        let lapses_at = now.saturating_add(self.wait);
        // A claim that lapses after a timeout is a failed probe: the next comes after twice as long.
        self.probe_at = if self.reason.is_timeout() { now.saturating_add(policy.twice(self.wait)) } else { lapses_at };
        self.claim(lapses_at, true)
    }

    /// The moment from which a request that finds nothing else may ask it: any number at a time, but one where the last
    /// failure was a timeout.
    pub(super) fn opens_at(&self) -> Instant {
        match self.claim {
            Some(claim) if self.reason.is_timeout() => self.closed_until.max(claim.lapses_at),
            _ => self.closed_until,
        }
    }

    /// Lets a request in that found nothing else, at a moment when it is open.
    pub(super) fn enter(&mut self, now: Instant, policy: &Policy) -> Option<Claim> {
        if !self.reason.is_timeout() {
            return None;
        }
        let lapses_at = now.saturating_add(policy.probe_after);
        self.probe_at = self.probe_at.max(lapses_at);
        self.claim(lapses_at, false)
    }

    /// The holder of this claim has ended.
    pub(super) fn release(&mut self, claim: Option<Claim>) {
        if claim.is_some() && self.claim == claim {
            // What goes last says nothing about a probe before it, whose claim has lapsed.
            self.is_probed &= !claim.is_some_and(|claim| claim.is_probe);
            self.claim = None;
        }
    }

    /// It was seen to fail again, by the holder of `claim` if there was one.
    pub(super) fn fail(&mut self, reason: Reason, claim: Option<Claim>, now: Instant, policy: &Policy) {
        if claim.is_some_and(|claim| claim.is_probe) && self.claim == claim {
            self.wait = if reason.is_at_the_callers_expense() { policy.twice(self.wait) } else { policy.probe_after };
        }
        self.release(claim);
        self.reason = reason;
        self.probe_at = now.saturating_add(self.wait);
        self.closed_until = now.saturating_add(CLOSED_AFTER_FAILURE);
    }

    fn claim(&mut self, lapses_at: Instant, is_probe: bool) -> Option<Claim> {
        self.claim = Some(Claim { lapses_at, is_probe });
        self.claim
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Fault, pool::PoolOptions};

    #[test]
    fn a_probe_that_hangs_makes_the_next_wait_longer_whoever_goes_there_in_between() {
        let at = |secs: u64| Instant::from_nanos(secs * 1_000_000_000);
        let (policy, hangs) = (Policy::new(&PoolOptions::default()), Reason::Fault(Fault::ConnectTimeout));
        let mut suspicion = Suspicion::new(hangs, policy.probe_after, at(0));
        assert!(suspicion.probe(at(10), &policy).is_some(), "it never ends");

        assert_eq!(suspicion.opens_at(), at(20));
        let last = suspicion.enter(at(20), &policy);
        suspicion.fail(hangs, last, at(21), &policy);

        assert!(suspicion.probe(at(31), &policy).is_some());
        assert_eq!((suspicion.opens_at(), suspicion.probe_at), (at(51), at(71)));
    }
}
