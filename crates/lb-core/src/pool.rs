//! A pool: the backends, their states and counters, the policy, and the clock.

mod affinity;
mod audience;
mod builder;
mod counters;
mod ledger;
mod left;
mod options;
mod policy;
mod select;
mod snapshot;
mod standing;
mod states;
#[cfg(feature = "serde")]
mod status;
mod suspicion;
mod tier;
mod tried;
mod view;
mod waiting;
mod weights;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::{
    backend::Backend,
    clock::{Clock, Instant, Lazy},
    level::Level,
    observe::Event,
    outcome::{Outcome, Reason},
    retry_after::Headers,
    rng::Rng,
};

use audience::Audience;
pub use builder::PoolBuilder;
pub use counters::Counters;
pub(crate) use left::NoneLeft;
pub use options::{PoolOptions, StatusAction};
pub(crate) use policy::{Blame, Class, Judgement, Policy, reason};
use select::Selection;
pub(crate) use select::{Exclude, Nothing};
pub use snapshot::{BackendSnapshot, Snapshot};
pub(crate) use standing::{Change, News};
pub(crate) use states::{Choice, Seeker, States};
pub(crate) use suspicion::Claim;
pub(crate) use tried::Tried;
pub(crate) use waiting::{Place, Turn, Waiter, Waiting};
pub use waiting::{Wait, Waits};

/// The backends of one load balancer, with what is known about them.
///
/// Share a pool by `Arc`: one serves an async and a blocking balancer, of different transports, at once, from any
/// number of threads. It owns the clock, so that all of them agree on the time.
///
/// What it costs: picking takes no lock, allocates nothing and, with nothing out, reads no clock. Recording a failure,
/// noticing the end of a cooldown, asking a suspect, and finding that nothing is left take one short mutex, which is held
/// across no call of yours. The pool starts no task and no thread: a cooldown ends when somebody looks.
///
/// # Example
///
/// ```
/// use lb_core::{Backend, Pool};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let pool = Pool::builder()
///     .backend(Backend::builder("ptu.openai.azure.com").api_key("an example key").build()?)
///     .backend(Backend::builder("standard.openai.azure.com").priority(2).api_key("another one").build()?)
///     .max_cooldown(Duration::from_secs(120))
///     .build()?;
/// assert_eq!(pool.backends().len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Pool {
    /// Sorted by priority; a backend's index here is its slot everywhere.
    backends: Box<[Backend]>,
    pub(crate) states: States,
    pub(crate) policy: Policy,
    clock: Arc<dyn Clock>,
    audience: Audience,
    /// How many requests have a number so far.
    numbered: Arc<AtomicU64>,
    pub(crate) waiting: Arc<Waiting>,
}

impl Pool {
    /// The backends, sorted by priority; equal ones stay in the order in which they were given.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The clock of this pool and of every balancer on it.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The moment on the pool's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The wall time of the pool's clock, for reading dates.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    /// The longest hint that is credible here: what [`PoolBuilder::max_cooldown`] said.
    #[must_use]
    pub const fn max_cooldown(&self) -> Duration {
        self.policy.max_cooldown
    }

    /// The outcome of a response head in this pool: as [`Outcome::answered`], and whether it is a page that the pool
    /// [rejects](PoolBuilder::reject_html).
    #[inline]
    pub fn outcome(&self, status: u16, headers: &(impl Headers + ?Sized)) -> Outcome {
        if self.policy.rejects_html && (200..300).contains(&status) && is_html(headers) {
            return Outcome::Html { status };
        }
        Outcome::answered(status, headers, || self.wall())
    }

    /// Whether streams that announce a refusal are looked into.
    pub(crate) const fn peeks(&self) -> bool {
        self.policy.peeks
    }

    /// The backend that a request's first attempt goes to, for the benchmarks: the hot path without its bookkeeping.
    #[doc(hidden)]
    #[inline]
    pub fn pick<R: Rng + ?Sized>(&self, now: impl FnOnce() -> Instant, rng: &R) -> Option<&Backend> {
        let slot = match self.select_usual(rng) {
            Some(slot) => slot,
            None => self.pick_unusual(now, rng)?,
        };
        self.backends.get(slot)
    }

    /// Takes a backend out until it is [reopened](Pool::reopen): it is asked by nobody, whatever else is out. What is under
    /// way there ends in peace. Gives false if there is no backend of this name, or it was drained already.
    ///
    /// ```
    /// # use lb_core::{Backend, Pool, State};
    /// # let pool = Pool::new([Backend::new("a.example", 1).unwrap(), Backend::new("b.example", 1).unwrap()]).unwrap();
    /// assert!(pool.drain("a.example"));
    /// assert_eq!(pool.snapshot().backends[0].state, State::Drained);
    /// assert!(pool.reopen("a.example"));
    /// ```
    pub fn drain(&self, name: &str) -> bool {
        let Some(slot) = self.slot(name).filter(|&slot| self.states.drain(slot, true, self.now())) else {
            return false;
        };
        self.emit(&Event::Drained { backend: &self.backends[slot] });
        true
    }

    /// Puts a drained backend back, in the state that it has by now. Gives false if there is none of this name, or it was
    /// not drained.
    pub fn reopen(&self, name: &str) -> bool {
        let Some(slot) = self.slot(name).filter(|&slot| self.states.drain(slot, false, self.now())) else {
            return false;
        };
        self.waiting.stir();
        self.emit(&Event::Reopened { backend: &self.backends[slot] });
        true
    }

    /// Takes a backend out for so long, as if it had said so itself: for news that no request brings, such as an alert, or
    /// another process's 429. Gives false if there is none of this name, or it is out for as long anyway: the longest
    /// cooldown wins. To shorten one, [end](Pool::end_cooldown) it first.
    ///
    /// The pool's `max_cooldown` does not bound it: who calls this knows better.
    ///
    /// ```
    /// # use lb_core::{Backend, MockClock, Pool};
    /// # use std::time::Duration;
    /// # let pool = Pool::builder().backend(Backend::new("a.example", 1).unwrap()).clock(MockClock::new()).build().unwrap();
    /// assert!(pool.cool("a.example", Duration::from_secs(30)));
    /// assert!(!pool.cool("a.example", Duration::from_secs(20)));
    /// assert!(pool.end_cooldown("a.example") && !pool.end_cooldown("a.example"));
    /// ```
    pub fn cool(&self, name: &str, duration: Duration) -> bool {
        self.cool_because(name, duration, Reason::ByHand)
    }

    /// As [`cool`](Pool::cool), and says why: for news of a request that was made elsewhere, by another process. A request that
    /// finds nothing left is told so: with a 429 among the reasons it gets one.
    ///
    /// ```
    /// # use lb_core::{Backend, MockClock, Pool, Reason, State};
    /// # use std::time::Duration;
    /// # let pool = Pool::builder().backend(Backend::new("a.example", 1).unwrap()).clock(MockClock::new()).build().unwrap();
    /// assert!(pool.cool_because("a.example", Duration::from_secs(30), Reason::Status(429)));
    /// assert!(matches!(pool.snapshot().backends[0].state, State::Cooling { reason: Reason::Status(429), .. }));
    /// ```
    pub fn cool_because(&self, name: &str, duration: Duration, reason: Reason) -> bool {
        let now = self.now();
        let until = now.saturating_add(duration);
        let cools = |&slot: &usize| self.states.cool(slot, reason, until, now);
        let Some(slot) = self.slot(name).filter(cools) else { return false };
        self.emit(&Event::CooledByHand { backend: &self.backends[slot], until, duration });
        true
    }

    /// Ends a backend's cooldown, whoever began it: it is available at once. Gives false if there is none of this name, or it
    /// is not cooling.
    pub fn end_cooldown(&self, name: &str) -> bool {
        let now = self.now();
        let Some(slot) = self.slot(name).filter(|&slot| self.states.end_cooldown(slot, now)) else { return false };
        self.waiting.stir();
        self.emit_available(slot);
        true
    }

    pub(crate) fn slot(&self, name: &str) -> Option<usize> {
        self.backends.iter().position(|backend| backend.name() == name)
    }

    /// A call of its own, so that the usual case has no room for a clock on its stack.
    #[inline(never)]
    fn pick_unusual<R: Rng + ?Sized>(&self, now: impl FnOnce() -> Instant, rng: &R) -> Option<usize> {
        let choice = self.selection().best(Nothing, &mut Lazy::new(now), rng, |slot| self.emit_available(slot));
        choice.map(|choice| choice.slot)
    }

    /// The slot that a request's first attempt goes to in the usual case; `None` if [`select`](Pool::select) has to look.
    #[inline(always)]
    pub(crate) fn select_usual<R: Rng + ?Sized>(&self, rng: &R) -> Option<usize> {
        self.selection().usual(rng)
    }

    /// Where a request goes that has tried these: what is available, the best priority, at random by weight.
    #[inline(never)]
    pub(crate) fn select<E: Exclude, F: FnOnce() -> Instant, R: Rng + ?Sized>(
        &self,
        tried: E,
        now: &mut Lazy<F>,
        rng: &R,
    ) -> Option<Choice> {
        self.selection().best(tried, now, rng, |slot| self.emit_available(slot))
    }

    fn selection(&self) -> Selection<'_> {
        Selection { backends: &self.backends, states: &self.states, policy: &self.policy }
    }

    #[cold]
    pub(crate) fn emit_available(&self, slot: usize) {
        self.emit(&Event::Available { backend: &self.backends[slot] });
    }

    /// Ends every cooldown that has expired.
    pub(crate) fn sweep(&self, now: Instant) {
        self.states.sweep(now, |slot| self.emit_available(slot));
    }

    #[inline]
    pub(crate) fn count_begin(&self, slot: usize) {
        self.states.counters().begin(slot);
    }

    #[inline]
    pub(crate) fn count_end(&self, slot: usize, class: Class) {
        self.states.counters().end(slot, class);
    }

    /// Whether anybody is told events of this level.
    #[inline]
    pub(crate) fn is_observed(&self, level: Level) -> bool {
        self.audience.is_told(level)
    }

    /// The number of a request that has something to tell.
    pub(crate) fn number_request(&self) -> u64 {
        // Relaxed: a number orders nothing.
        self.numbered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells the observers and the subscriber. No lock is held here.
    pub(crate) fn emit(&self, event: &Event<'_>) {
        self.audience.tell(event);
    }
}

#[cold]
fn is_html(headers: &(impl Headers + ?Sized)) -> bool {
    let mut is_html = false;
    headers.visit("content-type", &mut |value| {
        let kind = value.split(|byte| *byte == b';').next().unwrap_or(value).trim_ascii();
        is_html |= kind.eq_ignore_ascii_case(b"text/html") || kind.eq_ignore_ascii_case(b"application/xhtml+xml");
    });
    is_html
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("backends", &self.backends).field("policy", &self.policy).finish_non_exhaustive()
    }
}
