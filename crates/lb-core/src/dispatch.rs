//! Dispatch: one request's walk over a pool.

use std::time::Duration;

use crate::{
    clock::{Instant, Lazy},
    exhausted::Exhausted,
    observe::Event,
    outcome::{Outcome, Verdict},
    pool::{Class, Pool, Tried},
    rng::Rng,
    target::Target,
};

/// How long a backend counts as out for a request that tried it in vain although it is available.
const TRIED_DELAY: Duration = Duration::from_secs(1);

/// One request's walk over a pool: it knows which backends the request has tried, and what to say when none is
/// left.
///
/// The balancers run it; it can be driven by hand where no [`Transport`](crate::Transport) fits: call
/// [`next`](Dispatch::next), send to the [`Target`], call [`settle`](Dispatch::settle) with what came, and do as the
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
///             Step::Try(target) => {
///                 let (status, headers) = send(&target);
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
#[derive(Debug)]
pub struct Dispatch<'p> {
    pool: &'p Pool,
    tried: Tried,
    /// The slot of the attempt that was given out and not settled.
    open: Option<usize>,
    /// The last attempt that failed over: its slot and how it ended.
    failed: Option<(usize, Outcome)>,
    /// Whether a 429 was among the answers.
    throttled: bool,
}

/// Where a request goes next.
#[derive(Debug)]
#[must_use]
pub enum Step<'p> {
    /// Send it to this target.
    Try(Target<'p>),
    /// No backend is left, and no 429 was among the answers: return the final attempt's answer or error.
    ReturnLast(Exhausted),
    /// No backend is left: answer with a synthesised 429.
    Exhausted(Exhausted),
}

impl Pool {
    /// Begins one request's walk over the pool.
    #[must_use]
    pub fn dispatch(&self) -> Dispatch<'_> {
        Dispatch::new(self)
    }
}

impl<'p> Dispatch<'p> {
    pub(crate) const fn new(pool: &'p Pool) -> Self {
        Self { pool, tried: Tried::new(), open: None, failed: None, throttled: false }
    }

    /// Where the request goes next: the best available backend that it has not tried, or that none is left.
    pub fn next<R: Rng + ?Sized>(&mut self, now: impl FnOnce() -> Instant, rng: &R) -> Step<'p> {
        self.cancel_open();
        let mut now = Lazy::new(now);
        let may_try = !self.attempts_are_used_up();
        if may_try {
            if let Some(slot) = self.pool.pick_untried(&self.tried, &mut now, rng) {
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
        let backend = &self.pool.backends()[slot];
        self.pool.emit(Event::Settled { backend, attempt: self.attempts(), outcome });
        if let Some(cooldown) = judgement.cooldown.filter(|cooldown| !cooldown.duration.is_zero()) {
            if let Some(until) = self.pool.cooldowns.extend(slot, now(), cooldown) {
                let (duration, reason, hint) = (cooldown.duration, cooldown.reason, cooldown.hint);
                self.pool.emit(Event::Cooling { backend, until, duration, reason, hint });
            }
        }
        judgement.verdict
    }

    /// How many attempts the request has made, the open one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.tried.len()
    }

    /// Whether no further attempt can follow the ones made so far: its request may be moved instead of copied.
    #[must_use]
    pub fn attempts_are_used_up(&self) -> bool {
        let limit = self.pool.policy.max_attempts.map_or(usize::MAX, |attempts| attempts.get() as usize);
        self.attempts() as usize >= limit.min(self.pool.backends().len())
    }

    fn open(&mut self, slot: usize) -> Target<'p> {
        self.tried.insert(slot);
        self.open = Some(slot);
        self.pool.count_begin(slot);
        let backend = &self.pool.backends()[slot];
        let attempt = self.attempts();
        if let Some((from, outcome)) = self.failed.take() {
            self.pool.emit(Event::FailedOver { from: &self.pool.backends()[from], to: backend, outcome });
        }
        self.pool.emit(Event::Sent { backend, attempt });
        Target::new(backend, slot, attempt)
    }

    /// No backend is left: whether the caller gets this refusal, or the final attempt's answer.
    fn give_up(&self, exhausted: Exhausted) -> Step<'p> {
        let attempts = self.attempts();
        let synthesized = attempts == 0 || self.throttled || self.pool.policy.always_synthesize;
        self.pool.emit(Event::Exhausted { exhausted, attempts, synthesized });
        if synthesized { Step::Exhausted(exhausted) } else { Step::ReturnLast(exhausted) }
    }

    fn cancel_open(&mut self) {
        if self.open.is_some() {
            // A cancelled attempt writes no deadline, so no clock is read.
            let _ = self.settle(Outcome::Cancelled, || Instant::from_nanos(0));
        }
    }
}

impl Drop for Dispatch<'_> {
    fn drop(&mut self) {
        self.cancel_open();
    }
}
