//! What the suite needs to know of an HTTP stack, and what goes in and out of it.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use http::Method;
use lb_core::{
    Backend, BackendBuilder, BackendSnapshot, Exhausted, Fault, MockClock, Pool, PoolBuilder, Pools, Served, WishError,
    Wishes,
};

use crate::{
    protocol::Protocol,
    upstream::{Emulated, Upstream},
};

/// An HTTP stack under test: a transport, and a way to make upstreams that it can reach.
pub trait Stack {
    type Upstream: Upstream;

    /// Exhaustion can be had as a typed error. A stack with a foreign interface has only the synthesised 429, with the
    /// refusal in its extensions.
    const HAS_TRY_SEND: bool = true;

    /// There are bodies that can be read only once. A stack without them sends every body again.
    const HAS_ONE_SHOT_BODIES: bool = true;

    /// An answer that is no success can have extensions. In a stack without them its status, headers and body tell
    /// all that can be told, and the pool's counters who refused.
    const REFUSALS_HAVE_EXTENSIONS: bool = true;

    fn new(protocol: Protocol) -> Self;
    fn upstream(&self, name: &str) -> Self::Upstream;
    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure>;

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.send_over(&pool.into(), call)
    }

    fn try_send(&self, _pool: &Arc<Pool>, _call: Call) -> Result<Reply, Failure> {
        unreachable!("a stack without HAS_TRY_SEND is not asked")
    }
}

/// A stack with sockets.
pub trait SocketStack: Stack<Upstream = Emulated> {
    /// A response is here as soon as its head is, whether or not a body follows.
    const HEAD_NEEDS_NO_BODY: bool = true;

    /// What came before a reset is given to the caller, however soon the reset came behind it.
    const GIVES_ALL_BEFORE_A_RESET: bool = true;

    /// A stream of HTTP/2 that was refused is told from one that broke. A stack that cannot must not send it again.
    const TELLS_REFUSED_STREAMS: bool = true;

    /// Its calls block: there is no future to give up.
    const IS_BLOCKING: bool = false;

    /// A stream whose head announces a refusal is held until its first real event. A stack that cannot read a body beside
    /// a timer hands it on as it comes.
    const LOOKS_INTO_STREAMS: bool = true;

    /// A discarded answer has given its connection back before the next request starts, unless that hurries.
    const DRAINS_BEFORE_THE_NEXT: bool = true;
}

/// A stack whose requests are futures.
pub trait AsyncStack: SocketStack {
    /// Dropping a request closes its connection, or its stream of HTTP/2, at once.
    const ABANDONS_AT_ONCE: bool = true;

    /// Sends, and drops the future as soon as `until` is ready; panics if the response comes first.
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>);
}

/// A request, for any stack.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path_and_query: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    pub timeout: Option<Duration>,
    pub wishes: Wishes,
}

#[derive(Debug, Clone)]
pub enum Body {
    Bytes(Vec<u8>),
    /// A stream, which can be read only once.
    OneShot(Vec<u8>),
}

impl Call {
    pub fn post(path_and_query: &str) -> Self {
        let body = Body::Bytes(br#"{"messages":[]}"#.to_vec());
        let headers = vec![("content-type", "application/json".to_owned())];
        Self {
            method: Method::POST,
            path_and_query: path_and_query.to_owned(),
            headers,
            body,
            timeout: None,
            wishes: Wishes::new(),
        }
    }

    /// A chat completion on a deployment named `caller`.
    pub fn chat() -> Self {
        Self::post("/openai/deployments/caller/chat/completions?api-version=2024-10-21")
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    pub fn wishing(mut self, wishes: Wishes) -> Self {
        self.wishes = wishes;
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The caller's URL: its origin must not matter.
    pub fn url(&self) -> String {
        format!("http://caller.invalid:9{}", self.path_and_query)
    }
}

/// The next piece of a body; `None` at its end.
pub type NextChunk = Box<dyn FnMut() -> Result<Option<Vec<u8>>, String>>;

/// A response, from any stack.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub served: Option<Served>,
    pub exhausted: Option<Exhausted>,
    pub url: Option<String>,
    pub next_chunk: NextChunk,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }

    pub fn body(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = (self.next_chunk)().unwrap() {
            body.extend(chunk);
        }
        body
    }

    pub fn text(self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    /// The name of the backend that served, and after how many attempts.
    pub fn served(&self) -> (&str, u32) {
        let served = self.served.as_ref().expect("a backend's response says who served");
        (served.backend(), served.attempts())
    }

    /// Checks that this is what the backend named `backend` answered to a request, as its attempt of this number, and
    /// that it is no success.
    pub fn assert_refused_by<S: Stack>(&self, pool: &Pool, backend: &str, attempts: u32) {
        assert!(!(200..300).contains(&self.status), "{self:?}");
        if S::REFUSALS_HAVE_EXTENSIONS {
            assert_eq!(self.served(), (backend, attempts));
        } else {
            assert_eq!(self.served, None);
            let counters = snapshot(pool, backend).counters;
            let answered = match self.status {
                300..400 => counters.successes,
                429 => counters.throttles,
                400..500 => counters.rejected,
                _ => counters.server_errors,
            };
            assert!(answered > 0, "{backend} did not answer {}: {counters:?}", self.status);
        }
    }

    /// Checks that this is the synthesised 429, and that it says to wait for so long.
    pub fn assert_exhausted<S: Stack>(&self, wait: Duration) {
        assert_eq!((self.status, self.header("retry-after-ms")), (429, Some(&*wait.as_millis().to_string())));
        assert_eq!(self.served, None);
        let said = self.exhausted.as_ref().map(Exhausted::retry_after);
        assert_eq!(said, S::REFUSALS_HAVE_EXTENSIONS.then_some(Some(wait)));
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, {:?}, {:?})", self.status, self.served, self.exhausted)
    }
}

/// An error, from any stack.
#[derive(Debug)]
pub enum Failure {
    Transport(Fault),
    Address(String),
    Credential,
    Exhausted(Exhausted),
    HeadTimeout,
    Wish(WishError),
    NoPool(String),
}

impl Failure {
    pub fn of<T: lb_core::Transport>(error: &lb_core::Error<T::Error>, transport: &T) -> Self
    where
        T::Error: std::error::Error,
    {
        if let lb_core::Error::Transport(error) = error {
            assert_can_be_told(&transport.describe(error));
        }
        Self::with(error, |error| transport.fault(error))
    }

    pub fn of_blocking<T: lb_core::BlockingTransport>(error: &lb_core::Error<T::Error>, transport: &T) -> Self
    where
        T::Error: std::error::Error,
    {
        if let lb_core::Error::Transport(error) = error {
            assert_can_be_told(&transport.describe(error));
        }
        Self::with(error, |error| transport.fault(error))
    }

    pub fn with<E: std::error::Error>(error: &lb_core::Error<E>, fault: impl FnOnce(&E) -> Fault) -> Self {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("api-version"), "an error prints a query: {text}");
        assert!(!text.contains("CANARY"), "an error prints a secret: {text}");
        match error {
            lb_core::Error::Transport(error) => Self::Transport(fault(error)),
            lb_core::Error::Address(error) => Self::Address(error.to_string()),
            lb_core::Error::Credential { .. } => Self::Credential,
            lb_core::Error::Exhausted(exhausted) => Self::Exhausted(exhausted.clone()),
            lb_core::Error::HeadTimeout { .. } => Self::HeadTimeout,
            lb_core::Error::Wish(error) => Self::Wish(error.clone()),
            lb_core::Error::NoPool(error) => Self::NoPool(error.to_string()),
            other => panic!("unknown error {other:?}"),
        }
    }
}

/// Checks that what a transport says of an error can go into events.
fn assert_can_be_told(text: &str) {
    assert!(!text.is_empty() && !text.contains("://") && !text.contains('\n'), "{text}");
    assert!(!text.contains("api-version") && !text.contains("CANARY"), "{text}");
}

/// A backend at an upstream, with its name.
pub fn backend(upstream: &impl Upstream, priority: u32) -> BackendBuilder {
    Backend::builder(upstream.endpoint()).name(upstream.name()).priority(priority)
}

/// A pool on a mock clock.
pub fn pool_with(
    backends: impl IntoIterator<Item = BackendBuilder>,
    options: impl FnOnce(PoolBuilder) -> PoolBuilder,
) -> (Arc<Pool>, MockClock) {
    let clock = MockClock::new();
    let backends = backends.into_iter().map(|backend| backend.build().unwrap());
    let pool = options(Pool::builder().backends(backends).clock(clock.clone())).build().unwrap();
    (Arc::new(pool), clock)
}

pub fn pool(backends: impl IntoIterator<Item = BackendBuilder>) -> (Arc<Pool>, MockClock) {
    pool_with(backends, |options| options)
}

/// How long the backend named `name` is still out; `None` if it is available.
pub fn cooling(pool: &Pool, name: &str) -> Option<Duration> {
    snapshot(pool, name).state.remaining()
}

pub fn snapshot(pool: &Pool, name: &str) -> BackendSnapshot {
    pool.snapshot().backends.into_iter().find(|entry| entry.backend.name() == name).unwrap()
}

/// Checks that nothing is in flight and that the counters add up to what the upstream received.
pub fn assert_counted(pool: &Pool, upstream: &impl Upstream) {
    let counters = snapshot(pool, upstream.name()).counters;
    let ended = counters.successes + counters.throttles + counters.server_errors + counters.rejected;
    assert_eq!(counters.in_flight, 0, "{counters:?}");
    assert_eq!(counters.attempts, ended + counters.faults + counters.cancelled, "{counters:?}");
    assert_eq!(ended, upstream.received().len() as u64, "{counters:?}");
}
