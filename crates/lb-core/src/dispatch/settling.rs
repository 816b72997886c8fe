//! How an attempt ended, and what that means.

use std::{ops::Deref, thread::panicking};

use super::{Beginning, Dispatch, Repeat, trail::Trail};
use crate::{
    cause::{Cause, Detail},
    clock::{Instant, Lazy},
    ending::Ending,
    fault::Fault,
    not_repeated::NotRepeated,
    outcome::{Outcome, Verdict},
    pool::{Blame, Change, Class, Judgement, News, Policy, Pool, reason},
};

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Takes note of how the open attempt ended, and says what that means to the request.
    ///
    /// Without an open attempt it changes nothing and says [`Verdict::Return`].
    pub fn settle(&mut self, outcome: Outcome, now: impl FnOnce() -> Instant) -> Verdict {
        self.settle_with(outcome, Detail::default, now)
    }

    /// As [`settle`](Dispatch::settle), with what else is known about a failure: `detail` is called if it is one.
    pub fn settle_with(
        &mut self,
        outcome: Outcome,
        detail: impl FnOnce() -> Detail,
        now: impl FnOnce() -> Instant,
    ) -> Verdict {
        let Some(slot) = self.open.take() else { return Verdict::Return };
        if !outcome.is_success() {
            return self.settle_other(slot, outcome, detail, now);
        }
        // The usual end, on a short path: mostly nothing stands against the backend, and nobody is told, or was told of the
        // attempt's beginning.
        self.pool.count_end(slot, Class::Success);
        if self.notes.is_some() || self.pool.states.stands_accused(slot) {
            self.conclude_success(slot, outcome, now);
        }
        Verdict::Return
    }

    /// Says what a success, which was counted, means to the backend.
    #[cold]
    fn conclude_success(&mut self, slot: usize, outcome: Outcome, now: impl FnOnce() -> Instant) {
        let now = &mut Lazy::new(now);
        self.tell_settled(slot, outcome, None, now);
        self.note_end(Ending::Served, Some(slot), now);
        if self.pool.states.stands_accused(slot) {
            let _ = self.hear(slot, Blame::Alive, None, now.get());
        }
    }

    /// Settles what is no success: by the status table.
    #[cold]
    fn settle_other(
        &mut self,
        slot: usize,
        outcome: Outcome,
        detail: impl FnOnce() -> Detail,
        now: impl FnOnce() -> Instant,
    ) -> Verdict {
        let judgement = self.pool.policy.judge(outcome, self.backend(slot).has_credential());
        // Before the clock is read, which could panic: then the attempt has ended all the same.
        self.pool.count_end(slot, judgement.class);
        self.conclude(slot, outcome, judgement, detail, &mut Lazy::new(now))
    }

    /// Says what the end of an attempt, which was counted, means to the request and to the backend.
    fn conclude<F: FnOnce() -> Instant>(
        &mut self,
        slot: usize,
        outcome: Outcome,
        judgement: Judgement,
        detail: impl FnOnce() -> Detail,
        now: &mut Lazy<F>,
    ) -> Verdict {
        let Judgement { mut verdict, mut blame, .. } = judgement;
        let fails = verdict == Verdict::FailOver;
        let began = self.beginning.at;
        let mut took = |longest| now.get().saturating_since(began) >= longest;
        if outcome == Outcome::Cancelled && self.pool.policy.stalled_after.is_some_and(&mut took) {
            blame = Blame::Strike;
        }
        let may_be_late = fails && outcome.may_have_been_executed();
        if may_be_late && self.pool.policy.fail_over_within.is_some_and(&mut took) {
            verdict = Verdict::Return;
        }
        // What is the caller's own is no failure: its answer, its request, its leaving.
        let is_failure = fails || !matches!(blame, Blame::Alive | Blame::Nobody);
        let cause = is_failure.then(|| Cause::new(reason(outcome), detail()));
        self.tell_settled(slot, outcome, cause.as_ref(), now);
        let is_left = outcome == Outcome::Cancelled;
        let (ending, whose) = if is_left { (Ending::Cancelled, None) } else { (Ending::Returned, Some(slot)) };
        self.note_end(ending, whose, now);
        if fails {
            self.trail.get_or_insert_with(Trail::new).push(slot, reason(outcome));
            self.failed = cause.clone().map(|cause| (slot, outcome, cause));
        }
        if fails && verdict == Verdict::Return {
            self.cannot_repeat(NotRepeated::TooLate);
        }
        if is_failure || (blame == Blame::Alive && self.pool.states.stands_accused(slot)) {
            self.blame(slot, outcome, blame, cause, now.get());
        }
        verdict
    }

    /// Tells the pool what a failure says about the backend, and remembers what it says about the request.
    fn blame(&mut self, slot: usize, outcome: Outcome, blame: Blame, cause: Option<Cause>, now: Instant) {
        let is_strike = blame == Blame::Strike;
        let may_strike = is_strike || blame == Blame::Unprocessed;
        let blame = if may_strike && self.struck.contains(&slot) { Blame::Nobody } else { blame };
        let change = self.hear(slot, blame, cause, now);
        let counts = matches!(change, Some(Change::Struck(_) | Change::Suspected(_)));
        let has_struck = is_strike || (blame == Blame::Unprocessed && counts);
        // Only where the request may ask the backend again is it kept who was struck.
        if has_struck && (blame == Blame::Unprocessed || self.pool.policy.wait.is_some()) {
            self.struck.push(slot);
        }
        if let (Outcome::Faulted(Fault::Unprocessed), Repeat::No) = (outcome, self.repeat) {
            self.repeat = Repeat::May { slot };
        }
        // Also a fault: who comes from one closes nobody else, so that after a blip the next request finds a way.
        self.answers.failed |= has_struck || blame == Blame::Fault;
        if let Outcome::Answered { status, .. } | Outcome::Html { status } = outcome {
            self.answers.throttled |= status == 429;
            self.answers.other |= !is_strike;
            self.answers.any = true;
        }
    }

    /// Tells the pool what an attempt says about its backend, and the observers what that changed.
    #[cold]
    fn hear(&mut self, slot: usize, blame: Blame, cause: Option<Cause>, now: Instant) -> Option<Change> {
        let (Beginning { marks, claim, .. }, has_failed) = (self.beginning, self.answers.failed);
        let news = News { blame, cause: cause.clone(), epoch: marks >> 1, claim, has_failed };
        let (change, strikes) = self.pool.states.hear(slot, news, now, &self.pool.policy);
        if let Some(cause) = &cause {
            self.tell(slot, blame, change, strikes, cause, now);
        }
        if change == Some(Change::Available) {
            self.pool.emit_available(slot);
        }
        change
    }

    /// Settles the open attempt of a request that is dropped.
    #[cold]
    pub(super) fn cancel(&mut self, slot: usize) {
        let outcome = Outcome::Cancelled;
        let judgement = self.pool.policy.judge(outcome, self.backend(slot).has_credential());
        self.pool.count_end(slot, judgement.class);
        // The clock is read only if it matters how long the attempt took, and not while a panic unwinds: a second one there,
        // of the clock, would end the process. Such an attempt has not stalled.
        let Policy { stalled_after, wants_time, .. } = &self.pool.policy;
        let times = (stalled_after.is_some() || *wants_time) && !panicking();
        let now = if times { self.pool.now() } else { self.beginning.at };
        let _ = self.conclude(slot, outcome, judgement, Detail::default, &mut Lazy::new(|| now));
    }
}
