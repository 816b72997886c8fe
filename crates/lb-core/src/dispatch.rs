//! Dispatch: one request's walk over a pool.

mod telling;

use std::{ops::Deref, sync::Arc};

use http::StatusCode;

use crate::{
    attempt::Attempt,
    backend::Backend,
    cause::{Cause, Detail},
    clock::{Instant, Lazy},
    exhausted::{Exhausted, Unavailable},
    fault::Fault,
    observe::{Event, Level},
    outcome::{Outcome, Verdict},
    pool::{Blame, Change, Choice, Claim, Class, News, NoneLeft, Nothing, Pool, Seeker, Tried, reason},
    rng::Rng,
};

/// One request's walk over a pool: it knows which backends the request has tried, and what to say when none is
/// left.
///
/// The balancers run it; it can be driven by hand where no [`Transport`](crate::Transport) fits: call
/// [`next`](Dispatch::next), send to the attempt's [`Target`](crate::Target), call [`settle`](Dispatch::settle) with what came, and do as the
/// results say. It does no I/O and reads no clock: the moment is an argument, a closure that is called at most once,
/// and only if a deadline is looked at or written.
///
/// Each backend is tried at most once, so every walk ends; one that refused the request before it processed any of it may
/// be asked once more, after all others.
///
/// # Cancel safety
///
/// Dropping a dispatch, or asking for the next target, while an attempt is open settles that attempt as cancelled:
/// nobody is blamed, nothing leaks.
///
/// # Example
///
/// ```
/// use lb_core::{Exhausted, Pool, Rng, Step, Target, Verdict};
///
/// /// Sends over a client of yours; gives the status and the header lines.
/// fn send(target: &Target<'_>) -> (u16, Vec<(String, String)>) {
///     # let _ = target;
///     (200, vec![])
/// }
///
/// fn balanced(pool: &Pool, rng: &impl Rng) -> Result<u16, Exhausted> {
///     let mut dispatch = pool.dispatch();
///     let mut last = None;
///     loop {
///         match dispatch.next(|| pool.now(), rng) {
///             Step::Try(attempt) => {
///                 let (status, headers) = send(&pool.target(&attempt));
///                 let outcome = pool.outcome(status, headers.as_slice());
///                 match dispatch.settle(outcome, || pool.now()) {
///                     Verdict::Return => return Ok(status),
///                     Verdict::FailOver => last = Some(status),
///                 }
///             }
///             Step::Exhausted(exhausted) => return Err(exhausted),
///             Step::ReturnLast(exhausted) => return last.ok_or(exhausted),
///         }
///     }
/// }
/// # let pool = Pool::new([lb_core::Backend::new("a.example", 1).unwrap()]).unwrap();
/// # assert_eq!(balanced(&pool, &lb_core::ThreadRng), Ok(200));
/// ```
///
/// One that owns its pool can be kept anywhere; its steps borrow nothing:
///
/// ```
/// use lb_core::{Dispatch, Pool};
/// use std::sync::Arc;
///
/// struct Walk(Dispatch<Arc<Pool>>);
///
/// fn begin(pool: &Arc<Pool>) -> Walk {
///     Walk(Dispatch::new(Arc::clone(pool)))
/// }
/// ```
#[derive(Debug)]
pub struct Dispatch<P: Deref<Target = Pool>> {
    pool: P,
    tried: Tried,
    /// The slot of the attempt that was given out and not settled.
    open: Option<usize>,
    /// How that attempt, or the one before, began.
    beginning: Beginning,
    /// The last attempt that failed over: its slot, how it ended, and why.
    failed: Option<(usize, Outcome, Cause)>,
    /// What its answers were so far.
    answers: Answers,
    /// A backend that refused it before processing.
    repeat: Repeat,
    /// Its number in events, once it has told one.
    number: Option<u64>,
}

/// How an attempt began.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    /// The marks of its slot.
    marks: u64,
    /// The claim by which it asks a suspect.
    claim: Option<Claim>,
    /// When, if anybody wants to know.
    at: Instant,
}

/// What the answers of a request were.
#[derive(Debug, Default)]
struct Answers {
    /// A 429 was among them.
    throttled: bool,
    /// A strike was among them, or another failure of a backend.
    failed: bool,
    /// One was among them that was no strike.
    other: bool,
    /// There was one.
    any: bool,
}

/// Whether a request may ask a backend again that refused it before processing, and whether that refusal was a strike.
#[derive(Debug, Clone, Copy)]
enum Repeat {
    No,
    May { slot: usize, has_struck: bool },
    Did { slot: usize, has_struck: bool },
}

/// Where a request goes next.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "whoever drives a dispatch has to know every step")]
pub enum Step {
    /// Send it to the [target](Pool::target) of this attempt.
    Try(Attempt),
    /// No backend is left, and no 429 was among the answers, or all were strikes: return the final attempt's answer or error.
    ReturnLast(Exhausted),
    /// No backend is left: answer with a synthesised refusal.
    Exhausted(Exhausted),
}

impl Pool {
    /// Begins one request's walk over the pool.
    #[must_use]
    pub fn dispatch(&self) -> Dispatch<&Self> {
        Dispatch::new(self)
    }
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Begins one request's walk over a pool: a `&Pool`, an `Arc<Pool>`, or whatever always leads to the same one.
    #[must_use]
    pub const fn new(pool: P) -> Self {
        let beginning = Beginning { marks: 0, claim: None, at: Instant::from_nanos(0) };
        let answers = Answers { throttled: false, failed: false, other: false, any: false };
        Self {
            pool,
            tried: Tried::new(),
            open: None,
            beginning,
            failed: None,
            answers,
            repeat: Repeat::No,
            number: None,
        }
    }

    /// The pool, as it was given.
    #[must_use]
    pub const fn pool(&self) -> &P {
        &self.pool
    }

    /// Where the request goes next: the best available backend that it has not tried, else a suspect, or that none is left.
    pub fn next<R: Rng + ?Sized>(&mut self, now: impl FnOnce() -> Instant, rng: &R) -> Step {
        let mut now = Lazy::new(now);
        if self.open.is_some() {
            let _ = self.settle(Outcome::Cancelled, || now.get());
        }
        let may_try = self.attempts() < self.pool.policy.max_attempts;
        if may_try {
            let choice = if self.tried.is_empty() {
                let usual = self.pool.select_usual(rng).map(Choice::available);
                usual.or_else(|| self.pool.select(Nothing, &mut now, rng))
            } else {
                self.pool.select(&self.tried, &mut now, rng)
            };
            if let Some(choice) = choice {
                return Step::Try(self.open(choice, &mut now));
            }
        }
        // Only among suspects is there a choice left.
        let draw = if self.pool.states.any_stands_accused() { rng.next_u64() } else { 0 };
        match self.search(now.get(), may_try, draw) {
            Ok(choice) => Step::Try(self.open(choice, &mut now)),
            Err(left) => self.give_up(left),
        }
    }

    /// Looks at the whole pool, because nothing is available.
    #[cold]
    fn search(&self, now: Instant, may_try: bool, draw: u64) -> Result<Choice, NoneLeft> {
        self.pool.sweep(now);
        let again = match self.repeat {
            Repeat::May { slot, .. } => Some(slot),
            Repeat::No | Repeat::Did { .. } => None,
        };
        let seeker = Seeker { tried: &self.tried, may_try, again, draw };
        self.pool.states.search(now, seeker, &self.pool.policy, |slot| self.backend(slot).weight())
    }

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
        // The usual end, on a short path: mostly nothing stands against the backend.
        self.pool.count_end(slot, Class::Success);
        self.tell_settled(slot, outcome, None);
        if self.pool.states.stands_accused(slot) {
            let _ = self.hear(slot, Blame::Alive, None, now());
        }
        Verdict::Return
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
        self.pool.count_end(slot, judgement.class);
        let mut now = Lazy::new(now);
        let mut blame = judgement.blame;
        if outcome == Outcome::Cancelled {
            let stalled = |after| now.get().saturating_since(self.beginning.at) >= after;
            if self.pool.policy.stalled_after.is_some_and(stalled) {
                blame = Blame::Strike;
            }
        }
        let fails_over = judgement.verdict == Verdict::FailOver;
        // What is the caller's own is no failure: its answer, its request, its leaving.
        let is_failure = fails_over || !matches!(blame, Blame::Alive | Blame::Nobody);
        let cause = is_failure.then(|| Cause::new(reason(outcome), detail()));
        self.tell_settled(slot, outcome, cause.as_ref());
        if fails_over {
            self.failed = cause.clone().map(|cause| (slot, outcome, cause));
        }
        if is_failure || (blame == Blame::Alive && self.pool.states.stands_accused(slot)) {
            self.blame(slot, outcome, blame, cause, now.get());
        }
        judgement.verdict
    }

    /// Tells the pool what a failure says about the backend, and remembers what it says about the request.
    fn blame(&mut self, slot: usize, outcome: Outcome, blame: Blame, cause: Option<Cause>, now: Instant) {
        let is_strike = blame == Blame::Strike;
        // A request strikes a backend once, also if it asks it twice.
        let has_struck_it = matches!(self.repeat, Repeat::Did { slot: again, has_struck: true } if again == slot);
        let may_strike = is_strike || blame == Blame::Unprocessed;
        let blame = if may_strike && has_struck_it { Blame::Nobody } else { blame };
        let change = self.hear(slot, blame, cause, now);
        let counts = matches!(change, Some(Change::Struck(_) | Change::Suspected(_)));
        let has_struck = is_strike || (blame == Blame::Unprocessed && counts);
        if let (Outcome::Faulted(Fault::Unprocessed), Repeat::No) = (outcome, self.repeat) {
            self.repeat = Repeat::May { slot, has_struck };
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

    /// How many attempts the request has made, the open one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.tried.len() + matches!(self.repeat, Repeat::Did { .. }) as u32
    }

    fn open<F: FnOnce() -> Instant>(&mut self, choice: Choice, now: &mut Lazy<F>) -> Attempt {
        let Choice { slot, claim } = choice;
        // Before anything is open: a clock that panics must not end an attempt that was never counted.
        if self.pool.policy.stalled_after.is_some() {
            self.beginning.at = now.get();
        }
        if self.tried.is_empty() || self.goes_on_to_another(slot) {
            self.tried.insert(slot);
        }
        self.open = Some(slot);
        self.beginning.marks = self.pool.states.marks(slot);
        self.beginning.claim = claim;
        self.pool.count_begin(slot);
        let attempt = Attempt::new(slot, self.attempts());
        if self.pool.is_observed(Level::Debug) {
            self.emit_sent(&attempt);
        }
        attempt
    }

    /// The request goes on after an attempt that failed: to another backend, or to one that it asks again.
    #[cold]
    fn goes_on_to_another(&mut self, slot: usize) -> bool {
        self.tell_failed_over(slot);
        match self.repeat {
            Repeat::May { slot: again, has_struck } if again == slot => {
                self.repeat = Repeat::Did { slot, has_struck };
                false
            }
            _ => true,
        }
    }

    fn backend(&self, slot: usize) -> &Backend {
        &self.pool.backends()[slot]
    }

    /// No backend is left: whether the caller gets this refusal, or the final attempt's answer.
    ///
    /// If every answer was a strike, the request is the matter, and the last of them says so. If none came, the error of a
    /// suspect that was asked for want of others says less than that the others are throttled, and until when.
    fn give_up(&mut self, left: NoneLeft) -> Step {
        let attempts = self.attempts();
        let always = self.pool.policy.always_synthesize;
        let unavailable = left.named.into_iter().map(|left| Unavailable {
            backend: Arc::clone(self.backend(left.slot).shared_name()),
            state: left.state,
            retry_after: left.opens_in,
            cause: left.cause,
        });
        let exhausted = Exhausted::new(left.totals, unavailable.collect(), always);
        let Answers { throttled, other, any, .. } = self.answers;
        let is_throttled = if any { throttled && other } else { exhausted.status() == StatusCode::TOO_MANY_REQUESTS };
        let synthesized = attempts == 0 || always || is_throttled;
        if let Some(request) = self.number(Level::Warn) {
            self.pool.emit(&Event::Exhausted { request, exhausted: &exhausted, attempts, synthesized });
        }
        if synthesized { Step::Exhausted(exhausted) } else { Step::ReturnLast(exhausted) }
    }
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    #[cold]
    fn cancel(&mut self) {
        // The clock is read only if it matters how long the attempt took.
        let now = self.pool.policy.stalled_after.map(|_| self.pool.now());
        let _ = self.settle(Outcome::Cancelled, || now.unwrap_or(Instant::from_nanos(0)));
    }
}

impl<P: Deref<Target = Pool>> Drop for Dispatch<P> {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.cancel();
        }
    }
}
