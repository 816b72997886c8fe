//! Dispatch: one request's walk over a pool.

mod finishing;
mod moved;
mod settling;
mod telling;
mod terms;
mod trail;
mod waits;

use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{
    attempt::Attempt,
    backend::Backend,
    cause::Cause,
    clock::{Instant, Lazy},
    ending::Ending,
    exhausted::{Exhausted, Unavailable},
    level::Level,
    observe::Event,
    outcome::Outcome,
    pool::{Choice, Claim, NoneLeft, Nothing, Place, Pool, Seeker, Tried},
    rng::Rng,
    wishes::{WishError, Wishes},
};
use finishing::Notes;
pub(crate) use moved::Moved;
use terms::{Terms, Unwanted};
use trail::Trail;

/// One request's walk over a pool: it knows which backends the request has tried, and what to say when none is
/// left.
///
/// The balancers run it; it can be driven by hand where no [`Transport`](crate::Transport) fits: call
/// [`next`](Dispatch::next), send to the attempt's [`Target`](crate::Target), call [`settle`](Dispatch::settle) with what came, and do as the
/// results say. It does no I/O and reads no clock: the moment is an argument, a closure that is called at most once,
/// and only if a deadline is looked at or written.
///
/// Each backend is tried at most once, so every walk ends; one that refused the request before it processed any of it may
/// be asked once more, after all others. In a pool where requests [wait](crate::PoolBuilder::wait) all that begins anew after
/// each [`Step::Wait`], up to the longest wait.
///
/// # Cancel safety
///
/// Dropping a dispatch, or asking for the next target, while an attempt is open settles that attempt as cancelled:
/// nobody is blamed, nothing leaks. Dropping one that waits gives its place back.
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
///             // Only in a pool whose requests wait. What was answered is of no use any more.
///             Step::Wait(until) => {
///                 last = None;
///                 std::thread::sleep(until.saturating_since(pool.now()));
///             }
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
    /// Its wishes and waits, if it has any.
    terms: Option<Box<Terms>>,
    tried: Tried,
    /// How many attempts it made before it last waited.
    earlier: u32,
    /// The slot of the attempt that was given out and not settled.
    open: Option<usize>,
    /// How that attempt, or the one before, began.
    beginning: Beginning,
    /// The last attempt that failed over: its slot, how it ended, and why.
    failed: Option<(usize, Outcome, Cause)>,
    /// What its answers were so far.
    answers: Answers,
    /// The backends that it has struck and may ask again: each is struck once.
    struck: Vec<usize>,
    /// A backend that refused it before processing.
    repeat: Repeat,
    /// What it tried so far in vain.
    trail: Option<Trail>,
    /// What it keeps for its observers, once it has told something.
    notes: Option<Notes>,
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

/// Whether a request may ask a backend again that refused it before processing.
#[derive(Debug, Clone, Copy)]
enum Repeat {
    No,
    May { slot: usize },
    Did,
}

/// Where a request goes next.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "whoever drives a dispatch has to know every step")]
pub enum Step {
    /// Send it to the [target](Pool::target) of this attempt.
    Try(Attempt),
    /// No backend is left, and no 429 was among the answers, or all were strikes, or the request is pinned or late: return the
    /// final attempt's answer or error.
    ReturnLast(Exhausted),
    /// No backend is left: answer with a synthesised refusal.
    Exhausted(Exhausted),
    /// All that can serve it are cooling, and it may [wait](crate::PoolBuilder::wait): ask for the next step at this moment, in
    /// the pool that serves requests [by then](Dispatch::go_on). What the last attempt answered is not wanted any more. Asked
    /// earlier it is this step again, unless something was done by hand.
    Wait(Instant),
}

impl Pool {
    /// Begins one request's walk over the pool.
    #[must_use]
    pub fn dispatch(&self) -> Dispatch<&Self> {
        Dispatch::new(self)
    }

    /// Begins the walk of a request with these wishes.
    ///
    /// # Errors
    ///
    /// If the request is pinned to a backend that the pool does not have.
    pub fn dispatch_with(&self, wishes: Wishes) -> Result<Dispatch<&Self>, WishError> {
        Dispatch::with(self, wishes)
    }
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Begins one request's walk over a pool: a `&Pool`, an `Arc<Pool>`, or whatever always leads to the same one.
    #[inline]
    #[must_use]
    pub fn new(pool: P) -> Self {
        let terms = Terms::of_none(&pool);
        Self::on(pool, terms)
    }

    /// Begins the walk of a request with these wishes, on a pool as for [`new`](Dispatch::new).
    ///
    /// # Errors
    ///
    /// If the request is pinned to a backend that the pool does not have.
    pub fn with(pool: P, wishes: Wishes) -> Result<Self, WishError> {
        match Terms::of(wishes, &pool) {
            Ok(terms) => Ok(Self::on(pool, terms)),
            Err(error) => {
                Self::on(pool, None).refuse();
                Err(error)
            }
        }
    }

    #[inline(always)]
    const fn on(pool: P, terms: Option<Box<Terms>>) -> Self {
        let beginning = Beginning { marks: 0, claim: None, at: Instant::from_nanos(0) };
        let answers = Answers { throttled: false, failed: false, other: false, any: false };
        Self {
            pool,
            terms,
            tried: Tried::new(),
            earlier: 0,
            open: None,
            beginning,
            failed: None,
            answers,
            struck: Vec::new(),
            repeat: Repeat::No,
            trail: None,
            notes: None,
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
        if self.terms.is_some() {
            return self.next_on_terms(&mut now, rng);
        }
        if self.may_try() {
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
        self.next_of_the_rest(false, &mut now, rng)
    }

    /// The same for a request that wishes something, or has waited.
    #[inline(never)]
    fn next_on_terms<F: FnOnce() -> Instant, R: Rng + ?Sized>(&mut self, now: &mut Lazy<F>, rng: &R) -> Step {
        if self.pool.policy.wants_time {
            self.note_asking(now.get());
        }
        self.end_round_if_waiting();
        let is_late = self.terms.as_mut().is_some_and(|terms| terms.is_over(|| now.get()));
        if let Some(terms) = self.terms.as_deref().filter(|_| !is_late && self.may_try()) {
            let turn = self.turn(|| now.get());
            let unwanted = Unwanted { tried: &self.tried, terms, turn, states: &self.pool.states };
            if let Some(choice) = self.pool.select(unwanted, now, rng) {
                return self.go(choice, now);
            }
            let opens_at = turn.and_then(|turn| self.soonest_turn(turn, now.get()));
            if let Some(step) = opens_at.and_then(|opens_at| self.step_to_wait(Some(opens_at), now.get())) {
                return step;
            }
        }
        self.next_of_the_rest(is_late, now, rng)
    }

    /// The step of a request for which nothing is available.
    #[cold]
    fn next_of_the_rest<F: FnOnce() -> Instant, R: Rng + ?Sized>(
        &mut self,
        is_late: bool,
        now: &mut Lazy<F>,
        rng: &R,
    ) -> Step {
        if self.pool.policy.wants_time {
            self.note_asking(now.get());
        }
        // Only among suspects is there a choice left.
        let draw = if self.pool.states.any_stands_accused() { rng.next_u64() } else { 0 };
        match self.search(now.get(), !is_late && self.may_try(), draw) {
            Ok(choice) => self.go(choice, now),
            Err(left) => self.give_up(left, is_late, now.get()),
        }
    }

    /// The step of a request that waits for something that is there at `opens_at`, if it can.
    fn step_to_wait(&mut self, opens_at: Option<Instant>, now: Instant) -> Option<Step> {
        let Place { until, older, .. } = self.wait(opens_at, now)?;
        self.forget_end();
        self.tell_waiting(until, until.saturating_since(now), older);
        Some(Step::Wait(until))
    }

    fn may_try(&self) -> bool {
        self.attempts() < self.pool.policy.max_attempts
    }

    /// A step to a backend that was chosen, perhaps after a wait.
    fn go<F: FnOnce() -> Instant>(&mut self, choice: Choice, now: &mut Lazy<F>) -> Step {
        self.end_wait(now);
        Step::Try(self.open(choice, now))
    }

    /// Looks at the whole pool, because nothing is available.
    fn search(&self, now: Instant, may_try: bool, draw: u64) -> Result<Choice, NoneLeft> {
        self.pool.sweep(now);
        let again = match self.repeat {
            Repeat::May { slot } => Some(slot),
            Repeat::No | Repeat::Did => None,
        };
        let pin = self.terms.as_ref().and_then(|terms| terms.pin.as_deref());
        let seeker = Seeker { tried: &self.tried, pin, may_try, again, draw };
        self.pool.states.search(now, seeker, &self.pool.policy, |slot| self.backend(slot).weight())
    }

    /// How many attempts the request has made, the open one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.earlier + self.tried.len() + matches!(self.repeat, Repeat::Did) as u32
    }

    /// How long the request has waited, all its waits that are over together.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.terms.as_ref().map_or(Duration::ZERO, |terms| terms.wait.total)
    }

    fn open<F: FnOnce() -> Instant>(&mut self, choice: Choice, now: &mut Lazy<F>) -> Attempt {
        let Choice { slot, claim } = choice;
        // Before anything is open: a clock that panics must not end an attempt that was never counted.
        if self.pool.policy.times_attempts {
            self.note_beginning(now.get());
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
            Repeat::May { slot: again } if again == slot => {
                self.repeat = Repeat::Did;
                false
            }
            _ => true,
        }
    }

    fn backend(&self, slot: usize) -> &Backend {
        &self.pool.backends()[slot]
    }

    /// No backend is left: whether the request waits, or the caller gets this refusal, or the final attempt's answer.
    ///
    /// If every answer was a strike, the request is the matter, and the last of them says so. If none came, the error of a
    /// suspect that was asked for want of others says less than that the others are throttled, and until when. One that is
    /// pinned gets its backend's own answer, and one whose time is over whatever there is.
    fn give_up(&mut self, mut left: NoneLeft, is_late: bool, now: Instant) -> Step {
        let always = self.pool.policy.always_synthesize;
        let has_asked = !self.tried.is_empty();
        let Answers { throttled, other, any, .. } = self.answers;
        let is_throttled = always || if any { throttled && other } else { left.totals.is_throttled };
        if !is_late && (is_throttled || !has_asked) {
            if let Some(step) = self.step_to_wait(left.cools_in.map(|delay| now.saturating_add(delay)), now) {
                return step;
            }
        }
        self.end_wait(&mut Lazy::new(|| now));
        let is_pinned = self.is_pinned();
        let synthesized = !has_asked || (is_throttled && !is_late && !is_pinned);
        left.totals.is_late = is_late;
        if self.pool.policy.wait.is_some() {
            let next =
                |soonest| self.pool.waiting.moment_of_the_next(now.saturating_add(soonest)).saturating_since(now);
            left.totals.soonest = left.totals.soonest.map(next);
        }
        let attempts = self.attempts();
        let unavailable = left.named.into_iter().map(|left| Unavailable {
            backend: Arc::clone(self.backend(left.slot).shared_name()),
            state: left.state,
            retry_after: left.opens_in,
            cause: left.cause,
        });
        let exhausted = Exhausted::new(left.totals, unavailable.collect(), always);
        if let Some(request) = self.number(Level::Warn) {
            self.pool.emit(&Event::Exhausted { request, exhausted: &exhausted, attempts, synthesized });
        }
        let last = self.failed.as_ref().map(|(slot, ..)| *slot);
        let (ending, slot) = if synthesized { (Ending::Exhausted, None) } else { (Ending::Returned, last) };
        self.note_end(ending, slot, &mut Lazy::new(|| now));
        if synthesized { Step::Exhausted(exhausted) } else { Step::ReturnLast(exhausted) }
    }
}

impl<P: Deref<Target = Pool>> Drop for Dispatch<P> {
    fn drop(&mut self) {
        if let Some(slot) = self.open {
            self.cancel(slot);
        }
        if self.terms.is_some() {
            self.give_place_back();
        }
        // Who is told of its end was told of its first attempt, if it made one.
        if self.tried.is_empty() || self.notes.is_some() {
            self.finish();
        }
    }
}
