//! Dispatch: one request's walk over a pool.

use std::{ops::Deref, time::Duration};

use crate::{
    attempt::Attempt,
    backend::Backend,
    clock::{Instant, Lazy},
    exhausted::Exhausted,
    observe::{Event, Level},
    outcome::{Outcome, Verdict},
    pool::{Class, Cooldown, Nothing, Pool, Tried},
    rng::Rng,
};

/// How long a backend counts as out for a request that tried it in vain although it is available.
const TRIED_DELAY: Duration = Duration::from_secs(1);

/// One request's walk over a pool: it knows which backends the request has tried, and what to say when none is
/// left.
///
/// The balancers run it; it can be driven by hand where no [`Transport`](crate::Transport) fits: call
/// [`next`](Dispatch::next), send to the attempt's [`Target`](crate::Target), call [`settle`](Dispatch::settle) with what came, and do as the
/// results say. It does no I/O and reads no clock: the moment is an argument, a closure that is called at most once,
/// and only if a deadline is looked at or written.
///
/// Each backend is tried at most once, so every walk ends.
///
/// # Cancel safety
///
/// Dropping a dispatch, or asking for the next target, while an attempt is open settles that attempt as cancelled:
/// nobody is blamed, nothing leaks.
///
/// # Example
///
/// ```
/// use lb_core::{Exhausted, Outcome, Pool, Rng, Step, Target, Verdict};
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
///                 let outcome = Outcome::answered(status, headers.as_slice(), || pool.wall());
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
    /// The last attempt that failed over: its slot and how it ended.
    failed: Option<(usize, Outcome)>,
    /// Whether a 429 was among the answers.
    throttled: bool,
    /// Its number in events, once it has told one.
    number: Option<u64>,
}

/// Where a request goes next.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "whoever drives a dispatch has to know every step")]
pub enum Step {
    /// Send it to the [target](Pool::target) of this attempt.
    Try(Attempt),
    /// No backend is left, and no 429 was among the answers: return the final attempt's answer or error.
    ReturnLast(Exhausted),
    /// No backend is left: answer with a synthesised 429.
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
        Self { pool, tried: Tried::new(), open: None, failed: None, throttled: false, number: None }
    }

    /// The pool, as it was given.
    #[must_use]
    pub const fn pool(&self) -> &P {
        &self.pool
    }

    /// Where the request goes next: the best available backend that it has not tried, or that none is left.
    pub fn next<R: Rng + ?Sized>(&mut self, now: impl FnOnce() -> Instant, rng: &R) -> Step {
        self.cancel_open();
        let mut now = Lazy::new(now);
        let may_try = !self.attempts_are_used_up();
        if may_try {
            let slot = if self.tried.is_empty() {
                self.pool.select_usual(rng).or_else(|| self.pool.select(Nothing, &mut now, rng))
            } else {
                self.pool.select(&self.tried, &mut now, rng)
            };
            if let Some(slot) = slot {
                return Step::Try(self.open(slot));
            }
        }
        let now = now.get();
        self.pool.sweep(now);
        let is_candidate = |slot| may_try && !self.tried.contains(slot);
        match self.pool.cooldowns.search(now, TRIED_DELAY, is_candidate) {
            // Another thread recovered it since we looked.
            Ok(slot) => Step::Try(self.open(slot)),
            Err(left) => self.give_up(Exhausted::new(left.soonest, left.cooling, self.pool.backends().len())),
        }
    }

    /// Takes note of how the open attempt ended, and says what that means to the request.
    ///
    /// Without an open attempt it changes nothing and says [`Verdict::Return`].
    pub fn settle(&mut self, outcome: Outcome, now: impl FnOnce() -> Instant) -> Verdict {
        let Some(slot) = self.open.take() else { return Verdict::Return };
        let judgement = self.pool.policy.judge(outcome);
        self.pool.count_end(slot, judgement.class);
        self.throttled |= judgement.class == Class::Throttle;
        if judgement.verdict == Verdict::FailOver {
            self.failed = Some((slot, outcome));
        }
        if let Some(request) = self.number(Level::Trace) {
            self.pool.emit(&Event::Settled { request, backend: self.backend(slot), attempt: self.attempts(), outcome });
        }
        if let Some(cooldown) = judgement.cooldown.filter(|cooldown| !cooldown.duration.is_zero()) {
            if let Some(until) = self.pool.cooldowns.extend(slot, now(), cooldown) {
                self.emit_cooling(slot, until, cooldown);
            }
        }
        judgement.verdict
    }

    /// How many attempts the request has made, the open one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.tried.len()
    }

    /// Whether no further attempt can follow the ones made so far.
    fn attempts_are_used_up(&self) -> bool {
        let all = u32::try_from(self.pool.backends().len()).unwrap_or(u32::MAX);
        self.attempts() >= self.pool.policy.max_attempts.min(all)
    }

    fn open(&mut self, slot: usize) -> Attempt {
        self.tried.insert(slot);
        self.open = Some(slot);
        self.pool.count_begin(slot);
        let attempt = self.attempts();
        if let Some((from, outcome)) = self.failed.take() {
            if let Some(request) = self.number(Level::Info) {
                let (from, to) = (self.backend(from), self.backend(slot));
                self.pool.emit(&Event::FailedOver { request, from, to, outcome });
            }
        }
        if let Some(request) = self.number(Level::Debug) {
            self.pool.emit(&Event::Sent { request, backend: self.backend(slot), attempt });
        }
        Attempt::new(slot, attempt)
    }

    fn emit_cooling(&mut self, slot: usize, until: Instant, Cooldown { duration, reason, hint }: Cooldown) {
        if let Some(request) = self.number(Level::Warn) {
            self.pool.emit(&Event::Cooling { request, backend: self.backend(slot), until, duration, reason, hint });
        }
    }

    /// The number of this request in events of this level, given when it is first needed; `None` if nobody is told.
    #[inline]
    fn number(&mut self, level: Level) -> Option<u64> {
        self.pool.is_observed(level).then(|| *self.number.get_or_insert_with(|| self.pool.number_request()))
    }

    fn backend(&self, slot: usize) -> &Backend {
        &self.pool.backends()[slot]
    }

    /// No backend is left: whether the caller gets this refusal, or the final attempt's answer.
    fn give_up(&mut self, exhausted: Exhausted) -> Step {
        let attempts = self.attempts();
        let synthesized = attempts == 0 || self.throttled || self.pool.policy.always_synthesize;
        if let Some(request) = self.number(Level::Warn) {
            self.pool.emit(&Event::Exhausted { request, exhausted: &exhausted, attempts, synthesized });
        }
        if synthesized { Step::Exhausted(exhausted) } else { Step::ReturnLast(exhausted) }
    }

    fn cancel_open(&mut self) {
        if self.open.is_some() {
            // A cancelled attempt writes no deadline, so no clock is read.
            let _ = self.settle(Outcome::Cancelled, || Instant::from_nanos(0));
        }
    }
}

impl<P: Deref<Target = Pool>> Drop for Dispatch<P> {
    fn drop(&mut self) {
        self.cancel_open();
    }
}
