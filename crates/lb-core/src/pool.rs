//! A pool: the backends, their cooldowns and counters, the policy, and the clock.

mod builder;
pub(crate) mod cooldown;
mod counters;
mod policy;
mod select;
mod snapshot;
mod tier;
mod tried;
mod weights;

use std::{fmt, time::SystemTime};

use crate::{
    backend::Backend,
    build_error::BuildError,
    clock::{Clock, Instant, Lazy},
    observe::{self, Event, Observer},
    rng::Rng,
};

pub use builder::PoolBuilder;
use cooldown::Cooldowns;
use counters::AllCounters;
pub use counters::Counters;
pub(crate) use policy::{Class, Policy};
use select::{Nothing, Selection};
pub use snapshot::{BackendSnapshot, Snapshot, State};
pub(crate) use tried::Tried;

/// The backends of one load balancer, with what is known about them.
///
/// Share a pool by `Arc`: one serves an async and a blocking balancer, of different transports, at once, from any
/// number of threads. It owns the clock, so that all of them agree on the time.
///
/// What it costs: picking takes no lock, allocates nothing and, with nothing cooling, reads no clock. Recording a
/// cooldown, noticing its end, and finding that nothing is left take one short mutex, which is held across no
/// call of yours. The pool starts no task and no thread: a cooldown ends when somebody looks.
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
    counters: AllCounters,
    pub(crate) cooldowns: Cooldowns,
    pub(crate) policy: Policy,
    clock: Box<dyn Clock>,
    observer: Option<Box<dyn Observer>>,
}

impl Pool {
    /// A pool of `backends` with the default options.
    ///
    /// # Errors
    ///
    /// If there is no backend, two have the same name, or some have credentials and others do not say what they want.
    pub fn new(backends: impl IntoIterator<Item = Backend>) -> Result<Self, BuildError> {
        Self::builder().backends(backends).build()
    }

    /// A pool with every option.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

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

    /// The backend that a new request would go to now: the best priority, at random by weight; `None` if all are cooling.
    ///
    /// It counts nothing and promises nothing: to send a request take a [`dispatch`](Pool::dispatch). It serves to
    /// choose a backend for something that is no request, and is the hot path that the benchmarks measure.
    ///
    /// `now` is called at most once, and only if something in the tiers looked at is cooling.
    #[inline]
    pub fn pick<R: Rng + ?Sized>(&self, now: impl FnOnce() -> Instant, rng: &R) -> Option<&Backend> {
        let slot = match self.selection().pick_first(rng) {
            Some(slot) => slot,
            None => self.pick_with_clock(now, rng)?,
        };
        self.backends.get(slot)
    }

    /// Picks an available backend that was not tried: the best priority, at random by weight.
    #[inline]
    pub(crate) fn pick_untried<F: FnOnce() -> Instant, R: Rng + ?Sized>(
        &self,
        tried: &Tried,
        now: &mut Lazy<F>,
        rng: &R,
    ) -> Option<usize> {
        if !tried.is_empty() {
            return self.selection().pick_best(tried, now, rng, |slot| self.tell_available(slot));
        }
        let first = self.selection().pick_first(rng);
        first.or_else(|| self.selection().pick_best(Nothing, now, rng, |slot| self.tell_available(slot)))
    }

    /// The rest of [`pick`](Pool::pick): a call of its own, so that the usual case stays short where it is inlined.
    #[inline(never)]
    fn pick_with_clock<R: Rng + ?Sized>(&self, now: impl FnOnce() -> Instant, rng: &R) -> Option<usize> {
        self.selection().pick_best(Nothing, &mut Lazy::new(now), rng, |slot| self.tell_available(slot))
    }

    #[cold]
    fn tell_available(&self, slot: usize) {
        self.emit(Event::Available { backend: &self.backends[slot] });
    }

    #[inline]
    fn selection(&self) -> Selection<'_> {
        Selection { backends: &self.backends, cooldowns: &self.cooldowns }
    }

    /// Ends every cooldown that has expired.
    pub(crate) fn sweep(&self, now: Instant) {
        self.cooldowns.sweep(now, |slot| self.tell_available(slot));
    }

    pub(crate) fn count_begin(&self, slot: usize) {
        self.counters.begin(slot);
    }

    pub(crate) fn count_end(&self, slot: usize, class: Class) {
        self.counters.end(slot, class);
    }

    /// Tells the observer and the subscriber. No lock is held here.
    pub(crate) fn emit(&self, event: Event<'_>) {
        observe::trace(&event);
        if let Some(observer) = &self.observer {
            observer.on_event(&event);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("backends", &self.backends).field("policy", &self.policy).finish_non_exhaustive()
    }
}
