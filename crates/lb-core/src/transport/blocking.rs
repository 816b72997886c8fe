//! Blocking transports: the same loop, with futures that are always ready.

use std::future::{Future, ready};

use super::{Head, Transport};
use crate::{error::Error, exhausted::Exhausted, outcome::Fault, served::Served, target::Target};

/// An HTTP stack under a [`BlockingLoadBalancer`](crate::BlockingLoadBalancer).
///
/// # Contract
///
/// As [`Transport`]'s, method by method, except that [`prepare`](BlockingTransport::prepare) and
/// [`send`](BlockingTransport::send) block the calling thread. The others must not: failover waits for
/// [`discard`](BlockingTransport::discard).
///
/// # Errors
///
/// As [`Transport`]'s.
///
/// # Cancel safety
///
/// A blocking call cannot be dropped. If `send` panics, the attempt is settled as cancelled.
///
/// # Example
///
/// A whole transport, over a client that is a function; [`Transport`] names the mistakes that real clients invite:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use lb_core::{BlockingTransport, Error, Exhausted, Fault, Head, Served, Target};
///
/// struct Echo;
///
/// impl BlockingTransport for Echo {
///     type Request = Request<Bytes>;
///     type Original = Request<Bytes>;
///     type Response = Response<Bytes>;
///     type Error = std::io::Error;
///
///     fn prepare(&self, request: Request<Bytes>) -> Result<Request<Bytes>, std::io::Error> {
///         Ok(request)
///     }
///     fn replay(&self, original: &Request<Bytes>) -> Option<Request<Bytes>> {
///         Some(original.clone())
///     }
///     fn take(&self, original: &mut Request<Bytes>) -> Request<Bytes> {
///         std::mem::take(original)
///     }
///     fn send(
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
/// # let balancer = lb_core::BlockingLoadBalancer::new(pool, Echo);
/// # assert_eq!(balancer.send(Request::new(Bytes::from("hi")))?.body(), "hi");
/// # Ok(())
/// # }
/// ```
pub trait BlockingTransport: Send + Sync {
    /// The request, as the caller hands it in and as it is sent.
    type Request: Send;
    /// The caller's request, kept so that attempts can be made from it.
    type Original: Send;
    /// The response: a head, and a body that is still a stream.
    type Response: Send;
    /// Why no response head came.
    type Error: Send;

    /// Makes the original from the caller's request.
    ///
    /// # Errors
    ///
    /// Returned to the caller as it is; no backend was asked yet.
    fn prepare(&self, request: Self::Request) -> Result<Self::Original, Self::Error>;

    /// A copy of the original; `None` if its body cannot be copied.
    fn replay(&self, original: &Self::Original) -> Option<Self::Request>;

    /// Whether [`replay`](BlockingTransport::replay) would give a copy; see [`Transport::is_replayable`].
    fn is_replayable(&self, original: &Self::Original) -> bool {
        self.replay(original).is_some()
    }

    /// The request moved out of the original, for an attempt that no other can follow. What
    /// [`synthesize`](BlockingTransport::synthesize) needs must stay.
    fn take(&self, original: &mut Self::Original) -> Self::Request;

    /// Addresses the request to the target and sends it; returns when the response head is here.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] if the request cannot be addressed, [`Error::Transport`] if no response head came.
    fn send(&self, request: Self::Request, target: &Target<'_>) -> Result<Self::Response, Error<Self::Error>>;

    /// The status and headers of a response.
    fn head<'r>(&self, response: &'r Self::Response) -> Head<'r>;

    /// What kind of fault an error is.
    fn fault(&self, error: &Self::Error) -> Fault;

    /// The answer when no backend is left.
    fn synthesize(&self, original: &Self::Original, exhausted: &Exhausted) -> Self::Response;

    /// Puts on the response which backend served it.
    fn mark(&self, response: &mut Self::Response, served: Served);

    /// Takes a response that will not be returned; it must return at once. By default it is dropped, which is always
    /// correct; to read it takes a thread of its own.
    fn discard(&self, response: Self::Response) {
        drop(response);
    }
}

/// A [`BlockingTransport`] as a [`Transport`] whose futures are ready when they are made.
///
/// Use it where the types ask for a `Transport` and blocking is fine; a
/// [`BlockingLoadBalancer`](crate::BlockingLoadBalancer) takes the blocking transport as it is.
#[derive(Debug, Clone, Copy)]
pub struct Blocking<T>(pub T);

impl<T: BlockingTransport> Transport for Blocking<T> {
    type Request = T::Request;
    type Original = T::Original;
    type Response = T::Response;
    type Error = T::Error;

    fn prepare(&self, request: T::Request) -> impl Future<Output = Result<T::Original, T::Error>> + Send {
        ready(self.0.prepare(request))
    }

    fn replay(&self, original: &T::Original) -> Option<T::Request> {
        self.0.replay(original)
    }

    fn is_replayable(&self, original: &T::Original) -> bool {
        self.0.is_replayable(original)
    }

    fn take(&self, original: &mut T::Original) -> T::Request {
        self.0.take(original)
    }

    fn send(
        &self,
        request: T::Request,
        target: &Target<'_>,
    ) -> impl Future<Output = Result<T::Response, Error<T::Error>>> + Send {
        ready(self.0.send(request, target))
    }

    fn head<'r>(&self, response: &'r T::Response) -> Head<'r> {
        self.0.head(response)
    }

    fn fault(&self, error: &T::Error) -> Fault {
        self.0.fault(error)
    }

    fn synthesize(&self, original: &T::Original, exhausted: &Exhausted) -> T::Response {
        self.0.synthesize(original, exhausted)
    }

    fn mark(&self, response: &mut T::Response, served: Served) {
        self.0.mark(response, served);
    }

    fn discard(&self, response: T::Response) {
        self.0.discard(response);
    }
}

/// A reference to a blocking transport is one, so that a loop can borrow it.
impl<T: BlockingTransport + ?Sized> BlockingTransport for &T {
    type Request = T::Request;
    type Original = T::Original;
    type Response = T::Response;
    type Error = T::Error;

    fn prepare(&self, request: T::Request) -> Result<T::Original, T::Error> {
        (**self).prepare(request)
    }

    fn replay(&self, original: &T::Original) -> Option<T::Request> {
        (**self).replay(original)
    }

    fn is_replayable(&self, original: &T::Original) -> bool {
        (**self).is_replayable(original)
    }

    fn take(&self, original: &mut T::Original) -> T::Request {
        (**self).take(original)
    }

    fn send(&self, request: T::Request, target: &Target<'_>) -> Result<T::Response, Error<T::Error>> {
        (**self).send(request, target)
    }

    fn head<'r>(&self, response: &'r T::Response) -> Head<'r> {
        (**self).head(response)
    }

    fn fault(&self, error: &T::Error) -> Fault {
        (**self).fault(error)
    }

    fn synthesize(&self, original: &T::Original, exhausted: &Exhausted) -> T::Response {
        (**self).synthesize(original, exhausted)
    }

    fn mark(&self, response: &mut T::Response, served: Served) {
        (**self).mark(response, served);
    }

    fn discard(&self, response: T::Response) {
        (**self).discard(response);
    }
}
