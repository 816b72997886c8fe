//! Events: every decision of a pool, for an observer and for `tracing`.

use std::time::Duration;

#[cfg(feature = "tracing")]
use crate::level::TARGET;
#[cfg(feature = "json")]
use crate::unmapped::Unmapped;
use crate::{
    backend::Backend, cause::Cause, clock::Instant, ending::Ending, exhausted::Exhausted, not_repeated::NotRepeated,
    outcome::Outcome, replaced::Replaced, retry_after::HintSource,
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
        /// Whether it goes to a suspect before all others, to see.
        is_probe: bool,
    },
    /// A request went to a backend with the model that the caller named, though the backend has names of its own for models.
    /// Level: debug.
    #[cfg(feature = "json")]
    Unmapped {
        /// The request's number.
        request: u64,
        /// The backend.
        backend: &'a Backend,
        /// Which attempt of the request this is, from 1.
        attempt: u32,
        /// Why.
        why: Unmapped,
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
        /// Why it failed, if it did.
        cause: Option<&'a Cause>,
        /// How long it took, from its beginning to the response head or the failure, if an observer
        /// [wants time](Observer::wants_time).
        elapsed: Option<Duration>,
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
        /// Why it failed.
        cause: &'a Cause,
    },
    /// The request would go on from a backend that failed, and cannot. The caller gets what that backend answered. Level:
    /// info.
    NotRepeated {
        /// The request's number.
        request: u64,
        /// The backend that failed.
        backend: &'a Backend,
        /// How the attempt ended.
        outcome: Outcome,
        /// Why it failed.
        cause: &'a Cause,
        /// Why the request is not sent again.
        why: NotRepeated,
    },
    /// The request waits, because all that can serve it are cooling. Level: debug.
    ///
    /// [`Waiting`](Event::Waiting) follows again where the backend refused others meanwhile; then [`Waited`](Event::Waited), or
    /// nothing if its caller gives up.
    Waiting {
        /// The request's number.
        request: u64,
        /// The moment at which it asks again, on the pool's clock.
        until: Instant,
        /// How long that is from now.
        after: Duration,
        /// How many requests wait that are older.
        older: usize,
    },
    /// The request waits no longer: it goes on, or [`Exhausted`](Event::Exhausted) follows. Level: debug.
    Waited {
        /// The request's number.
        request: u64,
        /// How long it has waited.
        waited: Duration,
    },
    /// An attempt failed, and that may be the request's doing: a 5xx, a timeout, a reset. Level: info.
    ///
    /// It is told of every such failure, also where it changes nothing: at a suspect, or because the backend's state has
    /// changed since the attempt began.
    Struck {
        /// The request's number.
        request: u64,
        /// The backend.
        backend: &'a Backend,
        /// How many requests in a row have struck it by now; 0 if it is no longer available.
        strikes: u32,
        /// Why the attempt failed.
        cause: &'a Cause,
    },
    /// A backend is suspect, by the failure of this request. Level: warn.
    ///
    /// [`Available`](Event::Available) follows when a request succeeds there, or [`Cooling`](Event::Cooling).
    Suspected {
        /// The request's number.
        request: u64,
        /// The backend.
        backend: &'a Backend,
        /// The moment from which one request asks it first, on the pool's clock.
        probe_at: Instant,
        /// How long that is from now.
        after: Duration,
        /// Why it failed.
        cause: &'a Cause,
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
        cause: &'a Cause,
        /// The header that said how long; `None` if the default cooldown applies.
        hint: Option<HintSource>,
    },
    /// A backend is available again: its cooldown was found to be over, or a request succeeded at it while it was suspect.
    /// Level: info.
    Available {
        /// The backend.
        backend: &'a Backend,
    },
    /// A backend is out, or out for longer than before, because somebody [said so](crate::Pool::cool). Level: warn.
    ///
    /// [`Available`](Event::Available) follows, as after [`Cooling`](Event::Cooling).
    CooledByHand {
        /// The backend.
        backend: &'a Backend,
        /// The moment from which it is available again, on the pool's clock.
        until: Instant,
        /// How long that is from now.
        duration: Duration,
    },
    /// An operator took a backend out. Level: info.
    Drained {
        /// The backend.
        backend: &'a Backend,
    },
    /// An operator put a backend back, in the state that it has by now. Level: info.
    Reopened {
        /// The backend.
        backend: &'a Backend,
    },
    /// A pool [took the place](crate::ReplaceablePool::replace) of another. Level: info.
    Replaced {
        /// What that did to the backends.
        replaced: &'a Replaced,
    },
    /// No backend was left for a request. Level: warn.
    Exhausted {
        /// The request's number.
        request: u64,
        /// Why, and when to come back.
        exhausted: &'a Exhausted,
        /// How many attempts the request made.
        attempts: u32,
        /// Whether the caller gets this refusal; if not, the final attempt's own answer or error.
        synthesized: bool,
    },
    /// A request has ended: the last event of every request, and told once, however it ends. Level: debug.
    ///
    /// It is told where the walk is dropped: the loop of the balancers does that before its caller has the answer. The body of
    /// that answer is still to come.
    Finished {
        /// The request's number.
        request: u64,
        /// How it ended.
        ending: Ending,
        /// How many attempts it made.
        attempts: u32,
        /// How long it waited, all its waits that were over together.
        waited: Duration,
        /// How long it took, from its first question where to go to the end of its last attempt or wait, if an observer
        /// [wants time](Observer::wants_time). `None` also if it asked nothing, and while a panic unwinds.
        elapsed: Option<Duration>,
        /// Whose answer or error its caller gets, if it is a backend's.
        backend: Option<&'a Backend>,
    },
}

/// Who is told about every decision of a pool.
///
/// # Contract
///
/// 1. [`on_event`](Observer::on_event) is called from the thread that made the decision, from any number of threads
///    at once, with no lock of the pool held. Events of one request come in order; between requests there is none.
/// 2. It is on the path of the request: it must be quick, and must neither block nor panic. A panic of it is caught, and the
///    request goes on.
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
///         match event {
///             Event::Cooling { backend, duration, cause, .. } => {
///                 println!("{} is out for {duration:?}: {cause}", backend.name());
///             }
///             Event::Suspected { backend, cause, .. } => println!("{} is suspect: {cause}", backend.name()),
///             _ => {}
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

    /// Whether events should say how long attempts and requests took. It is asked once, when the pool is built; where no
    /// observer wants it the clock is not read for it. Default: false.
    fn wants_time(&self) -> bool {
        false
    }

    /// Whether it wants the events of every attempt, and not only what changes: besides [`Sent`](Event::Sent) and
    /// [`Settled`](Event::Settled) all that `tracing` has at debug or trace. The default is that it does.
    ///
    /// Asked once, when the pool is built. A pool whose observers all say no does not make these events, and numbers only
    /// the requests that others tell of; beside an observer that says yes, all are told everything.
    fn wants_attempts(&self) -> bool {
        true
    }
}

impl<O: Observer + ?Sized> Observer for std::sync::Arc<O> {
    fn on_event(&self, event: &Event<'_>) {
        (**self).on_event(event);
    }

    fn wants_attempts(&self) -> bool {
        (**self).wants_attempts()
    }

    fn wants_time(&self) -> bool {
        (**self).wants_time()
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn trace(_event: &Event<'_>) {}

#[cfg(feature = "tracing")]
pub(crate) fn trace(event: &Event<'_>) {
    match event {
        Event::Sent { request, backend, attempt, is_probe } => tracing::debug!(
            target: TARGET,
            request,
            backend = backend.name(),
            priority = backend.priority(),
            attempt,
            is_probe,
            "sent"
        ),
        #[cfg(feature = "json")]
        Event::Unmapped { request, backend, attempt, why } => tracing::debug!(
            target: TARGET,
            request,
            backend = backend.name(),
            attempt,
            %why,
            "sent with the caller's model"
        ),
        Event::Settled { request, backend, attempt, outcome, cause, elapsed } => tracing::trace!(
            target: TARGET,
            request,
            backend = backend.name(),
            attempt,
            %outcome,
            cause = cause.and_then(Cause::text),
            request_id = cause.and_then(Cause::request_id),
            elapsed_ms = elapsed.map(millis),
            "settled"
        ),
        Event::FailedOver { request, from, to, outcome, cause } => tracing::info!(
            target: TARGET,
            request,
            from = from.name(),
            to = to.name(),
            %outcome,
            cause = cause.text(),
            request_id = cause.request_id(),
            "failed over"
        ),
        Event::NotRepeated { request, backend, outcome, cause, why } => tracing::info!(
            target: TARGET,
            request,
            backend = backend.name(),
            %outcome,
            cause = cause.text(),
            request_id = cause.request_id(),
            %why,
            "not repeated"
        ),
        Event::Waiting { request, until, after, older } => tracing::debug!(
            target: TARGET,
            request,
            until_ns = until.as_nanos(),
            after_ms = millis(*after),
            older,
            "waiting"
        ),
        Event::Waited { request, waited } => {
            tracing::debug!(target: TARGET, request, waited_ms = millis(*waited), "waited");
        }
        Event::Struck { request, backend, strikes, cause } => tracing::info!(
            target: TARGET,
            request,
            backend = backend.name(),
            strikes,
            reason = %cause.reason(),
            cause = cause.text(),
            request_id = cause.request_id(),
            "struck"
        ),
        Event::Suspected { request, backend, probe_at, after, cause } => tracing::warn!(
            target: TARGET,
            request,
            backend = backend.name(),
            probe_at_ns = probe_at.as_nanos(),
            after_ms = millis(*after),
            reason = %cause.reason(),
            cause = cause.text(),
            request_id = cause.request_id(),
            "suspect"
        ),
        Event::Cooling { request, backend, until, duration, cause, hint } => tracing::warn!(
            target: TARGET,
            request,
            backend = backend.name(),
            until_ns = until.as_nanos(),
            duration_ms = millis(*duration),
            reason = %cause.reason(),
            hint = hint.map_or("default", |source| source.as_str()),
            request_id = cause.request_id(),
            "cooling"
        ),
        Event::Available { backend } => {
            tracing::info!(target: TARGET, backend = backend.name(), "available again");
        }
        Event::CooledByHand { backend, until, duration } => tracing::warn!(
            target: TARGET,
            backend = backend.name(),
            until_ns = until.as_nanos(),
            duration_ms = millis(*duration),
            "cooled by hand"
        ),
        Event::Drained { backend } => tracing::info!(target: TARGET, backend = backend.name(), "drained"),
        Event::Reopened { backend } => tracing::info!(target: TARGET, backend = backend.name(), "reopened"),
        Event::Replaced { replaced } => tracing::info!(target: TARGET, %replaced, "replaced"),
        Event::Exhausted { request, exhausted, attempts, synthesized } => tracing::warn!(
            target: TARGET,
            request,
            retry_after_ms = exhausted.retry_after_millis(),
            status = exhausted.status().as_u16(),
            cooling = exhausted.cooling(),
            suspect = exhausted.suspect(),
            drained = exhausted.drained(),
            backends = exhausted.backends(),
            attempts,
            synthesized,
            why = %exhausted,
            "exhausted"
        ),
        Event::Finished { request, ending, attempts, waited, elapsed, backend } => tracing::debug!(
            target: TARGET,
            request,
            %ending,
            attempts,
            waited_ms = millis(*waited),
            elapsed_ms = elapsed.map(millis),
            backend = backend.map(Backend::name),
            "finished"
        ),
    }
}

#[cfg(feature = "tracing")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
