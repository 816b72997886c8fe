//! What a request may wish beside what it asks for.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{causes::shown, clock::Instant, served::Served};

/// What one request wishes: by when, where, and whether it may wait. None of it is sent to a backend.
///
/// It comes by one of three ways, as the stack allows:
/// - as an extension of the request, where requests are the `http` crate's, and through reqwest-middleware's extensions;
/// - as an argument, to [`LoadBalancer::send_with`](crate::LoadBalancer::send_with);
/// - under SDKs by a clone of their client's service, `service.with(wishes)`, which shares everything else.
///
/// Where a request has wishes by two ways, each that its extension has goes before the same one of the others.
///
/// ```
/// use lb_core::Wishes;
/// use std::time::Duration;
///
/// // No attempt begins after two seconds, and where there is a choice all requests of a conversation go to one backend.
/// let wishes = Wishes::new().within(Duration::from_secs(2)).affinity("conversation-17");
/// let mut request = http::Request::post("/openai/v1/responses").body("{}")?;
/// request.extensions_mut().insert(wishes);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    pub(crate) within: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) affinity: Option<Affinity>,
    pub(crate) pin: Option<Pin>,
    pub(crate) may_wait: Option<bool>,
    pub(crate) head_timeout: Option<Duration>,
    pub(crate) teller: Option<ServedBy>,
}

/// Where a balancer says who served a request, for callers who do not see its response. Clones share what was said.
///
/// ```
/// use lb_core::{ServedBy, Wishes};
///
/// let served_by = ServedBy::new();
/// let wishes = Wishes::new().tell(&served_by);
/// // The request is sent with these wishes, through an SDK's client. Then:
/// if let Some(served) = served_by.get() {
///     println!("store {} with the response's id, to pin what goes on with it", served.backend());
/// }
/// # let _ = wishes;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ServedBy(Arc<Mutex<Option<Served>>>);

impl ServedBy {
    /// Nobody has served yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who served the last request that a backend answered; `None` if none was.
    #[must_use]
    pub fn get(&self) -> Option<Served> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, served: &Served) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(served.clone());
    }
}

impl PartialEq for ServedBy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ServedBy {}

/// A key by which a request chooses among equals: a hash, which tells nobody what the key was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Affinity(pub(crate) u64);

/// The only backends that can serve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pin {
    /// This one.
    Backend(Arc<str>),
    /// All of the resource that this backend is of.
    Resource(Arc<str>),
}

impl Wishes {
    /// No wish.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            within: None,
            deadline: None,
            affinity: None,
            pin: None,
            may_wait: None,
            head_timeout: None,
            teller: None,
        }
    }

    /// No attempt begins later than so long after the balancer got the request, and no wait ends later. An attempt that has
    /// begun goes on; what bounds it is the client's timeout, or a [`head_timeout`](Wishes::head_timeout).
    ///
    /// Where the time is over the caller gets what the last attempt came to, and if there was none a refusal.
    #[must_use]
    pub const fn within(mut self, duration: Duration) -> Self {
        self.within = Some(duration);
        self
    }

    /// As [`within`](Wishes::within), by a moment on the [pool's clock](crate::Pool::now): for several requests that have one
    /// deadline together. The earlier of the two counts.
    #[must_use]
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Where several backends of a priority are available, requests with the same key go to the same one, in proportion to
    /// the weights over many keys: where their prompt is in a cache.
    ///
    /// The key is what the caller likes: a user, a conversation, a `prompt_cache_key`. Processes agree on the backend without
    /// talking, if its names are the same in all. The wish yields to health: while that backend is out, its keys are spread
    /// over the others, and come back with it.
    #[must_use]
    pub fn affinity(mut self, key: impl AsRef<[u8]>) -> Self {
        self.affinity = Some(Affinity::of(key.as_ref()));
        self
    }

    /// Only this backend can serve the request, by its name: it knows the id that the request has. The request does not fail
    /// over, and gets that backend's own answer, also a 429, with its own hint. While that backend is cooling the request is
    /// refused, or waits if it may.
    ///
    /// Which backend made an id says [`Served::backend`](crate::Served::backend) of that response: store it with the id.
    #[must_use]
    pub fn pin(mut self, backend: impl Into<Arc<str>>) -> Self {
        self.pin = Some(Pin::Backend(backend.into()));
        self
    }

    /// As [`pin`](Wishes::pin), but all backends of the same resource as this one can serve the request: those with its
    /// origin and path prefix. Files, batches and stored responses are a resource's, whichever deployment was asked.
    ///
    /// It fails over among these, and gets the last one's own answer.
    #[must_use]
    pub fn pin_resource(mut self, of: impl Into<Arc<str>>) -> Self {
        self.pin = Some(Pin::Resource(of.into()));
        self
    }

    /// Whether the request may wait, in a pool where requests [wait](crate::PoolBuilder::wait). Without this wish it may.
    #[must_use]
    pub const fn wait(mut self, may_wait: bool) -> Self {
        self.may_wait = Some(may_wait);
        self
    }

    /// An attempt whose response head has not come after so long is given up, as a [`Timeout`](crate::Fault::Timeout): it goes
    /// on only in a pool that [fails over after sending](crate::PoolBuilder::fail_over_after_send).
    ///
    /// Choose it with care: without streaming the head comes when the whole answer is there. There is none by default. A
    /// blocking balancer cannot give up an attempt, and refuses the wish; there the client has a timeout.
    #[must_use]
    pub const fn head_timeout(mut self, after: Duration) -> Self {
        self.head_timeout = Some(after);
        self
    }

    /// Tells who served: under SDKs, which keep the response's extensions to themselves.
    #[must_use]
    pub fn tell(mut self, served_by: &ServedBy) -> Self {
        self.teller = Some(served_by.clone());
        self
    }

    /// These wishes, and where there is none the other's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            within: self.within.or(other.within),
            deadline: self.deadline.or(other.deadline),
            affinity: self.affinity.or(other.affinity),
            pin: self.pin.or(other.pin),
            may_wait: self.may_wait.or(other.may_wait),
            head_timeout: self.head_timeout.or(other.head_timeout),
            teller: self.teller.or(other.teller),
        }
    }

    /// Whether there is no wish.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::new()
    }
}

impl Affinity {
    /// FNV-1a of the key (Fowler, Noll and Vo, <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>), so that every
    /// process and version agrees; the scores mix it further.
    pub(crate) fn of(key: &[u8]) -> Self {
        let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(key.iter().fold(0xcbf2_9ce4_8422_2325, add))
    }
}

/// A wish that cannot be granted: nothing was sent. Its text names the backend that was wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WishError {
    /// The pool has no backend of this name to pin the request to.
    UnknownBackend(Arc<str>),
    /// A blocking balancer has no way to give up an attempt.
    HeadTimeoutWhileBlocking,
}

impl fmt::Display for WishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownBackend(name) => write!(
                f,
                "the request is pinned to backend {}, which the pool does not have; pin it to the name that `Served` gave",
                shown(name)
            ),
            Self::HeadTimeoutWhileBlocking => f.write_str(
                "a blocking balancer cannot give up an attempt after a head timeout; set a timeout of the client",
            ),
        }
    }
}

impl StdError for WishError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_says_itself_goes_before_what_is_said_for_it() {
        let own = Wishes::new().pin("a").wait(false);
        let others = Wishes::new().pin("b").within(Duration::from_secs(1));
        let both = Wishes::new().pin("a").wait(false).within(Duration::from_secs(1));
        assert_eq!(own.or(others), both);
        assert!(Wishes::default().or(Wishes::new()).is_empty() && !both.is_empty());
    }

    #[test]
    fn a_pin_that_somebody_outside_wrote_is_told_in_one_line() {
        let name = format!("a\n\u{1b}[2J{}", "b".repeat(10_000));
        let told = WishError::UnknownBackend(name.into()).to_string();
        assert!(told.len() < 250 && !told.contains(char::is_control), "{told:?}");
        assert!(told.contains("a\\n"), "{told}");
    }

    #[test]
    fn a_teller_is_itself_and_no_other() {
        let teller = ServedBy::new();
        assert_eq!(Wishes::new().tell(&teller), Wishes::new().tell(&teller.clone()));
        assert_ne!(teller, ServedBy::new());
    }

    #[test]
    fn a_key_is_hashed_the_same_everywhere_and_not_kept() {
        // Of the draft's test vectors.
        assert_eq!(Affinity::of(b"foobar"), Affinity(0x8594_4171_f739_67e8));
        assert!(!format!("{:?}", Wishes::new().affinity("CANARY")).contains("CANARY"));
    }
}
