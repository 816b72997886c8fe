//! A transport without a network, for your own tests: replies are scripted per backend, requests are recorded.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use lb_core::{Backend, BlockingLoadBalancer, Pool, test_util::{Reply, ScriptedTransport}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = ScriptedTransport::new();
//! transport.reply("ptu", Reply::status(429).header("retry-after", "7"));
//!
//! let pool = Pool::new([
//!     Backend::builder("ptu.example").name("ptu").build()?,
//!     Backend::builder("standard.example").name("standard").priority(2).build()?,
//! ])?;
//! let balancer = BlockingLoadBalancer::new(pool, transport.clone());
//! let response = balancer.send(Request::post("/openai/v1/chat/completions").body(Bytes::from("{}"))?)?;
//!
//! assert_eq!(response.status(), 200);
//! let served_by: Vec<_> = transport.requests().into_iter().map(|sent| sent.backend).collect();
//! assert_eq!(served_by, ["ptu", "standard"]);
//! # Ok(())
//! # }
//! ```

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    fmt,
    future::{Future, pending, poll_fn, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};

use crate::{
    causes::causes,
    error::Error,
    exhausted::Exhausted,
    fault::Fault,
    requested_model::requested_model,
    served::Served,
    target::Target,
    transport::{BlockingTransport, Head, Transport, messages_of_http},
};

/// A transport without a network, async and blocking. Clones share the script and the record.
///
/// A backend without a script answers 200 with an empty body. Streams are not looked into, whatever their heads
/// [announce](crate::announces_refusal).
#[derive(Clone, Default)]
pub struct ScriptedTransport {
    script: Arc<Mutex<Script>>,
}

impl fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The record would print what was sent, credentials included.
        f.debug_struct("ScriptedTransport").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Script {
    once: HashMap<String, VecDeque<Reply>>,
    always: HashMap<String, Reply>,
    sent: Vec<Sent>,
    discarded: Vec<Response<Bytes>>,
}

/// A request as it was sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// The name of the backend.
    pub backend: String,
    /// Which attempt of its caller's request it was, from 1.
    pub attempt: u32,
    /// The request, addressed.
    pub request: Request<Bytes>,
}

/// Put this into a request's extensions to say that its body cannot be replayed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a mark: that it is there is all that it says")]
pub struct OneShot;

/// What a backend does with a request.
#[derive(Debug, Clone)]
pub struct Reply {
    result: Result<Response<Bytes>, Fault>,
    /// How often the future is pending before the result; `None` for ever.
    pending: Option<u32>,
}

impl Reply {
    /// An answer with this status.
    ///
    /// # Panics
    ///
    /// If it is no status code: a mistake in the test.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in a test should stop the test")]
    pub fn status(status: u16) -> Self {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status code");
        Self { result: Ok(response), pending: Some(0) }
    }

    /// No answer, for this reason.
    #[must_use]
    pub const fn fault(fault: Fault) -> Self {
        Self { result: Err(fault), pending: Some(0) }
    }

    /// No answer, ever. A blocking balancer gets a timeout instead.
    #[must_use]
    pub const fn never() -> Self {
        Self { result: Err(Fault::Timeout), pending: None }
    }

    /// Adds a header line to an answer.
    ///
    /// # Panics
    ///
    /// If it is no valid header: a mistake in the test.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in a test should stop the test")]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        let value = HeaderValue::from_str(value).expect("a header value");
        if let Ok(response) = &mut self.result {
            response.headers_mut().append(name, value);
        }
        self
    }

    /// Sets the body of an answer.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Ok(response) = &mut self.result {
            *response.body_mut() = body.into();
        }
        self
    }

    /// Lets the future be pending `times` times before it is ready.
    #[must_use]
    pub const fn after_polls(mut self, times: u32) -> Self {
        self.pending = Some(times);
        self
    }
}

impl ScriptedTransport {
    /// A transport on which every backend answers 200.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reply that `backend` gives once, after those added before.
    pub fn reply(&self, backend: &str, reply: Reply) -> &Self {
        self.script().once.entry(backend.to_owned()).or_default().push_back(reply);
        self
    }

    /// Sets the reply that `backend` gives whenever no other is left.
    pub fn always(&self, backend: &str, reply: Reply) -> &Self {
        self.script().always.insert(backend.to_owned(), reply);
        self
    }

    /// The requests that were sent so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Sent> {
        self.script().sent.clone()
    }

    /// The responses that were discarded so far, in order.
    #[must_use]
    pub fn discarded(&self) -> Vec<Response<Bytes>> {
        self.script().discarded.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Addresses and records the request; gives what the backend does with it.
    fn begin(&self, mut request: Request<Bytes>, target: &Target<'_>) -> Result<Reply, Error<ScriptedFault>> {
        target.address(&mut request)?;
        // What can be sent once only stands for a stream, which nobody reads.
        #[cfg(feature = "json")]
        if request.extensions().get::<OneShot>().is_none() {
            target.address_body(&mut request);
        }
        let backend = target.backend().name().to_owned();
        let mut script = self.script();
        let once = script.once.get_mut(&backend).and_then(VecDeque::pop_front);
        let reply = once.or_else(|| script.always.get(&backend).cloned()).unwrap_or_else(|| Reply::status(200));
        script.sent.push(Sent { backend, attempt: target.attempt(), request });
        Ok(reply)
    }
}

fn model(original: &Request<Bytes>) -> Option<Cow<'_, str>> {
    let content_type = original.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    requested_model(original.uri().path(), content_type, Some(original.body()))
}

fn replay(original: &Request<Bytes>) -> Option<Request<Bytes>> {
    original.extensions().get::<OneShot>().is_none().then(|| original.clone())
}

impl Transport for ScriptedTransport {
    type Request = Request<Bytes>;
    type Response = Response<Bytes>;
    type Error = ScriptedFault;

    fn replay(&self, original: &mut Request<Bytes>) -> Option<Request<Bytes>> {
        replay(original)
    }

    fn model<'r>(&'r self, original: &'r mut Request<Bytes>) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        ready(model(original))
    }

    async fn send(
        &self,
        request: Request<Bytes>,
        target: &Target<'_>,
    ) -> Result<Response<Bytes>, Error<ScriptedFault>> {
        let reply = self.begin(request, target)?;
        let Some(mut left) = reply.pending else { return pending().await };
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        reply.result.map_err(|fault| Error::Transport(ScriptedFault(fault)))
    }

    messages_of_http!();

    fn fault(&self, error: &ScriptedFault) -> Fault {
        error.0
    }

    fn describe(&self, error: &ScriptedFault) -> String {
        causes(error)
    }

    fn discard(&self, response: Response<Bytes>) {
        self.script().discarded.push(response);
    }
}

impl BlockingTransport for ScriptedTransport {
    type Request = Request<Bytes>;
    type Response = Response<Bytes>;
    type Error = ScriptedFault;

    fn replay(&self, original: &mut Request<Bytes>) -> Option<Request<Bytes>> {
        replay(original)
    }

    fn model<'r>(&'r self, original: &'r mut Request<Bytes>) -> Option<Cow<'r, str>> {
        model(original)
    }

    fn send(&self, request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Bytes>, Error<ScriptedFault>> {
        self.begin(request, target)?.result.map_err(|fault| Error::Transport(ScriptedFault(fault)))
    }

    messages_of_http!();

    fn fault(&self, error: &ScriptedFault) -> Fault {
        error.0
    }

    fn describe(&self, error: &ScriptedFault) -> String {
        causes(error)
    }

    fn discard(&self, response: Response<Bytes>) {
        Transport::discard(self, response);
    }
}

/// The error of a scripted [`Reply::fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "tests make and match it")]
pub struct ScriptedFault(pub Fault);

impl fmt::Display for ScriptedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted {} fault", self.0)
    }
}

impl std::error::Error for ScriptedFault {}
