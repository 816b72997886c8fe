//! The plug-in traits: how a request is sent over an HTTP stack.

mod blocking;
mod boxed;

use std::{fmt, future::Future};

pub use blocking::{Blocking, BlockingTransport};
pub use boxed::BoxTransport;

use crate::{error::Error, exhausted::Exhausted, outcome::Fault, retry_after::Headers, served::Served, target::Target};

/// An HTTP stack under a [`LoadBalancer`](crate::LoadBalancer), async.
///
/// It translates, and decides nothing: which backend is asked, what an answer means and when to stop is the
/// balancer's. Native request and response types go in and come out unchanged. For a blocking stack implement
/// [`BlockingTransport`] instead.
///
/// # Contract
///
/// For each request the balancer's loop calls, in this order:
///
/// 1. [`prepare`](Transport::prepare) once: the caller's request becomes the *original*, which no attempt changes;
/// 2. per attempt [`replay`](Transport::replay) for a copy of the original, or [`take`](Transport::take) to move it
///    out, if no further attempt can follow or `replay` said that it cannot be copied. After a `take` nothing but
///    `synthesize` is called with that original;
/// 3. [`send`](Transport::send) with that request, at most once per backend;
/// 4. [`head`](Transport::head) or [`fault`](Transport::fault) on what came;
/// 5. at the end [`mark`](Transport::mark) on the response that is returned, or
///    [`synthesize`](Transport::synthesize) if nothing was left; [`discard`](Transport::discard) on every response
///    that is not returned, after the next target is known.
///
/// All methods are called from any thread, for many requests at once. The loop runs in the caller's task: no method
/// may block, and none may retry, follow redirects or read a response's body.
///
/// # Errors
///
/// A status is no error: whatever has a response head is an `Ok`. Errors of `send` are classified by `fault`, and the
/// only thing that counts is whether the request may have been executed.
///
/// # Cancel safety
///
/// When the caller drops its future, the future of `prepare` or `send` is dropped where it stands; the balancer
/// settles the attempt as cancelled. Dropping `send`'s future must abandon the request.
///
/// # Common mistakes
///
/// - Addressing the caller's request in `prepare` sends the second attempt to the first backend. Address in `send`:
///   [`Target::address`] does all of it for an `http::Request`, from the original's URI and headers.
/// - Leaving the client as it comes. It must follow no redirects (one takes a credential to another host), make no
///   error of a 4xx or 5xx status, not retry on its own, and have a connect timeout, so that a backend that is not
///   there fails over soon.
/// - Printing the request's URL in an error: its query can be secret.
///
/// # Example
///
/// A whole transport, over a client that is a function:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use lb_core::{Error, Exhausted, Fault, Head, Served, Target, Transport};
///
/// struct Echo;
///
/// impl Transport for Echo {
///     type Request = Request<Bytes>;
///     type Original = Request<Bytes>;
///     type Response = Response<Bytes>;
///     type Error = std::io::Error;
///
///     async fn prepare(&self, request: Request<Bytes>) -> Result<Request<Bytes>, std::io::Error> {
///         Ok(request)
///     }
///     fn replay(&self, original: &Request<Bytes>) -> Option<Request<Bytes>> {
///         Some(original.clone())
///     }
///     fn take(&self, original: &mut Request<Bytes>) -> Request<Bytes> {
///         std::mem::take(original)
///     }
///     async fn send(
///         &self,
///         mut request: Request<Bytes>,
///         target: &Target<'_>,
///     ) -> Result<Response<Bytes>, Error<std::io::Error>> {
///         target.address(&mut request)?;
///         Ok(Response::new(request.into_body())) // here a real client sends the request
///     }
///     fn head<'r>(&self, response: &'r Response<Bytes>) -> Head<'r> {
///         Head::new(response.status().as_u16(), response.headers())
///     }
///     fn fault(&self, error: &std::io::Error) -> Fault {
///         match error.kind() {
///             std::io::ErrorKind::ConnectionRefused => Fault::Connect,
///             std::io::ErrorKind::TimedOut => Fault::Timeout,
///             _ => Fault::Reset,
///         }
///     }
///     fn synthesize(&self, _: &Request<Bytes>, exhausted: &Exhausted) -> Response<Bytes> {
///         exhausted.to_response()
///     }
///     fn mark(&self, response: &mut Response<Bytes>, served: Served) {
///         response.extensions_mut().insert(served);
///     }
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = lb_core::Pool::new([lb_core::Backend::new("a.example", 1)?])?;
/// # let balancer = lb_core::LoadBalancer::new(pool, Echo);
/// # let sent = std::pin::pin!(balancer.send(Request::new(Bytes::from("hi"))));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let std::task::Poll::Ready(response) = std::future::Future::poll(sent, &mut context) else { panic!() };
/// # assert_eq!(response?.body(), "hi");
/// # Ok(())
/// # }
/// ```
pub trait Transport: Send + Sync {
    /// The request, as the caller hands it in and as it is sent.
    type Request: Send;
    /// The caller's request, kept so that attempts can be made from it.
    type Original: Send;
    /// The response: a head, and a body that is still a stream.
    type Response: Send;
    /// Why no response head came.
    type Error: Send;

    /// Makes the original from the caller's request; it may read a body that is in memory, never one that streams.
    ///
    /// # Errors
    ///
    /// Returned to the caller as it is; no backend was asked yet.
    fn prepare(&self, request: Self::Request) -> impl Future<Output = Result<Self::Original, Self::Error>> + Send;

    /// A copy of the original; `None` if its body cannot be copied: it is then sent once, and the answer returned
    /// whatever it is.
    fn replay(&self, original: &Self::Original) -> Option<Self::Request>;

    /// Whether [`replay`](Transport::replay) would give a copy. By default it makes one to see; say it without, where
    /// that is cheaper.
    fn is_replayable(&self, original: &Self::Original) -> bool {
        self.replay(original).is_some()
    }

    /// The request moved out of the original, for an attempt that no other can follow. What
    /// [`synthesize`](Transport::synthesize) needs must stay.
    fn take(&self, original: &mut Self::Original) -> Self::Request;

    /// Addresses the request to the target and sends it; resolves when the response head is here.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] if the request cannot be addressed, [`Error::Transport`] if no response head came.
    fn send(
        &self,
        request: Self::Request,
        target: &Target<'_>,
    ) -> impl Future<Output = Result<Self::Response, Error<Self::Error>>> + Send;

    /// The status and headers of a response.
    fn head<'r>(&self, response: &'r Self::Response) -> Head<'r>;

    /// What kind of fault an error is. When in doubt, say that the request may have gone out: [`Fault::Timeout`] or
    /// [`Fault::Reset`].
    fn fault(&self, error: &Self::Error) -> Fault;

    /// The answer when no backend is left: a 429 as [`Exhausted::to_response`] makes it, with the [`Exhausted`] in
    /// its extensions, if the response type has any.
    fn synthesize(&self, original: &Self::Original, exhausted: &Exhausted) -> Self::Response;

    /// Puts on the response which backend served it: into its extensions, if the response type has any.
    fn mark(&self, response: &mut Self::Response, served: Served);

    /// Takes a response that will not be returned; failover waits for this call, so it must return at once. By default
    /// the response is dropped, which is always correct. A stack whose connections are reused only when their bodies
    /// were read does better to read a small one in the background, for a bounded time.
    fn discard(&self, response: Self::Response) {
        drop(response);
    }
}

/// The head of a response: a status and the headers as bytes, whichever types the HTTP stack has for them.
#[derive(Clone, Copy)]
pub struct Head<'r> {
    status: u16,
    headers: &'r dyn Headers,
}

impl<'r> Head<'r> {
    /// The head with this status code and these headers.
    #[must_use]
    pub fn new(status: u16, headers: &'r dyn Headers) -> Self {
        Self { status, headers }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'r dyn Headers {
        self.headers
    }
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("status", &self.status).finish_non_exhaustive()
    }
}
