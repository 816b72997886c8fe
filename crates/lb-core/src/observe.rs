//! Events: every decision of a pool, for an observer and for `tracing`.

use std::time::Duration;

use crate::{
    backend::Backend,
    clock::Instant,
    exhausted::Exhausted,
    outcome::{Outcome, Reason},
    retry_after::HintSource,
};

/// A decision of a pool.
///
/// What belongs to a request carries its number, which joins the events of one request: from 1, in the order in which the
/// pool's requests first had something to tell. A request of which nobody is told has none.
///
/// With the feature `tracing` each is also a `tracing` event of the target `lb_core`, with the same fields; the level
/// is given below. No event carries a credential, a query string or a body.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An attempt goes to a backend. Level: debug.
    Sent {
        /// The request's number.
        request: u64,
        /// The backend.
        backend: &'a Backend,
        /// Which attempt of the request this is, from 1.
        attempt: u32,
    },
    /// An attempt ended. Level: trace.
    Settled {
        /// The request's number.
        request: u64,
        /// The backend.
        backend: &'a Backend,
        /// Which attempt of the request this was, from 1.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// The request goes on from a backend that failed to another. Level: info.
    FailedOver {
        /// The request's number.
        request: u64,
        /// The backend that failed.
        from: &'a Backend,
        /// The backend that is asked next.
        to: &'a Backend,
        /// How the failed attempt ended.
        outcome: Outcome,
    },
    /// A backend is out, or out for longer than before, by the answer to this request. Level: warn.
    ///
    /// [`Available`](Event::Available) follows once, when the last of these cooldowns has ended and somebody looks: do
    /// not count the two against each other.
    Cooling {
        /// The request's number.
        request: u64,
        /// The backend.
        backend: &'a Backend,
        /// The moment from which it is available again, on the pool's clock.
        until: Instant,
        /// How long that is from now.
        duration: Duration,
        /// Why it is out.
        reason: Reason,
        /// The header that said how long; `None` if the default cooldown applies.
        hint: Option<HintSource>,
    },
    /// A backend's cooldown was found to be over. Level: info.
    Available {
        /// The backend.
        backend: &'a Backend,
    },
    /// No backend was left for a request. Level: warn.
    Exhausted {
        /// The request's number.
        request: u64,
        /// When to come back.
        exhausted: &'a Exhausted,
        /// How many attempts the request made.
        attempts: u32,
        /// Whether the caller gets this refusal; if not, the final attempt's own answer or error.
        synthesized: bool,
    },
}

/// Who is told about every decision of a pool.
///
/// # Contract
///
/// 1. [`on_event`](Observer::on_event) is called from the thread that made the decision, from any number of threads
///    at once, with no lock of the pool held. Events of one request come in order; between requests there is none.
/// 2. It is on the path of the request: it must be quick, and must neither block nor panic. A request that is dropped
///    while a panic unwinds tells it so, and a second panic there aborts the process.
///
/// # Example
///
/// ```
/// use lb_core::{Backend, Event, Observer, Pool};
///
/// struct Print;
///
/// impl Observer for Print {
///     fn on_event(&self, event: &Event<'_>) {
///         if let Event::Cooling { backend, duration, reason, .. } = event {
///             println!("{} is out for {duration:?} ({reason})", backend.name());
///         }
///     }
/// }
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let pool = Pool::builder().backend(Backend::new("a.openai.azure.com", 1)?).observer(Print).build()?;
/// # Ok(())
/// # }
/// ```
pub trait Observer: Send + Sync {
    /// Takes note of one decision.
    fn on_event(&self, event: &Event<'_>);
}

impl<O: Observer + ?Sized> Observer for std::sync::Arc<O> {
    fn on_event(&self, event: &Event<'_>) {
        (**self).on_event(event);
    }
}

/// How loud an event is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
}

/// Whether a `tracing` subscriber wants events of this level.
#[cfg(not(feature = "tracing"))]
pub(crate) const fn is_traced(_level: Level) -> bool {
    false
}

/// Whether a `tracing` subscriber wants events of this level.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn is_traced(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(target: TARGET, tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
    }
}

#[cfg(feature = "tracing")]
const TARGET: &str = "lb_core";

#[cfg(not(feature = "tracing"))]
pub(crate) const fn trace(_event: &Event<'_>) {}

#[cfg(feature = "tracing")]
pub(crate) fn trace(event: &Event<'_>) {
    match event {
        Event::Sent { request, backend, attempt } => {
            tracing::debug!(target: TARGET, request, backend = backend.name(), priority = backend.priority(), attempt, "sent");
        }
        Event::Settled { request, backend, attempt, outcome } => {
            tracing::trace!(target: TARGET, request, backend = backend.name(), attempt, %outcome, "settled");
        }
        Event::FailedOver { request, from, to, outcome } => {
            tracing::info!(target: TARGET, request, from = from.name(), to = to.name(), %outcome, "failed over");
        }
        Event::Cooling { request, backend, until, duration, reason, hint } => tracing::warn!(
            target: TARGET,
            request,
            backend = backend.name(),
            until_ns = until.as_nanos(),
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            %reason,
            hint = hint.map_or("default", |source| source.as_str()),
            "cooling"
        ),
        Event::Available { backend } => {
            tracing::info!(target: TARGET, backend = backend.name(), "available again");
        }
        Event::Exhausted { request, exhausted, attempts, synthesized } => tracing::warn!(
            target: TARGET,
            request,
            retry_after_ms = exhausted.retry_after_millis(),
            cooling = exhausted.cooling(),
            backends = exhausted.backends(),
            attempts,
            synthesized,
            "exhausted"
        ),
    }
}
