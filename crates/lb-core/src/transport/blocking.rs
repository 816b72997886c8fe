//! Blocking transports: the same loop, with futures that are always ready.

use std::{
    borrow::Cow,
    future::{Future, ready},
    thread,
    time::Duration,
};

use super::{Head, Transport};
use crate::{
    error::Error, exhausted::Exhausted, fault::Fault, peek::Refusal, served::Served, target::Target, wishes::Wishes,
};

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
/// [`Transport`] has one; it differs in that nothing is async. For the types of the `http` crate there is
/// [`BlockingHttpTransport`](crate::BlockingHttpTransport).
pub trait BlockingTransport: Send + Sync {
    /// The request, as the caller hands it in and as it is sent.
    type Request: Send;
    /// The response: a head, and a body that is still a stream.
    type Response: Send;
    /// Why no response head came.
    type Error: Send;

    /// What the request itself wishes; see [`Transport::wishes`].
    fn wishes(&self, request: &Self::Request) -> Option<Wishes> {
        let _ = request;
        None
    }

    /// Makes the original from the caller's request; see [`Transport::prepare`].
    ///
    /// # Errors
    ///
    /// Returned to the caller as it is; no backend was asked yet.
    fn prepare(&self, request: Self::Request) -> Result<Self::Request, Self::Error> {
        Ok(request)
    }

    /// The model that a request asks for, where the balancer has pools by model; see [`Transport::model`].
    fn model<'r>(&'r self, original: &'r mut Self::Request) -> Option<Cow<'r, str>> {
        let _ = original;
        None
    }

    /// A copy of the original, or `None`; see [`Transport::replay`].
    fn replay(&self, original: &mut Self::Request) -> Option<Self::Request>;

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

    /// What happened, in words; see [`Transport::describe`].
    fn describe(&self, error: &Self::Error) -> String {
        self.fault(error).to_string()
    }

    /// The answer when no backend is left.
    fn synthesize(&self, original: &Self::Request, exhausted: &Exhausted) -> Self::Response;

    /// Puts on the response which backend served it.
    fn mark(&self, response: &mut Self::Response, served: Served);

    /// Reads the beginning of a stream that announces a refusal, and blocks meanwhile; see [`Transport::peek`]. `enough` is
    /// for a stack that can wait for a future and for its body at once. One that cannot leaves the stream to the caller, as
    /// this does by default: how long a read blocks has no bound.
    fn peek(
        &self,
        response: Self::Response,
        enough: impl Future<Output = ()> + Send,
    ) -> (Self::Response, Option<Refusal>) {
        drop(enough);
        (response, None)
    }

    /// Blocks for so long, where the request waits. By default the thread sleeps.
    #[expect(clippy::disallowed_methods, reason = "the caller's thread waits for its own request, and for nobody else")]
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }

    /// Takes a response that will not be returned; it must return at once. By default it is dropped, which is always
    /// correct; to read it takes a thread of its own.
    fn discard(&self, response: Self::Response) {
        drop(response);
    }
}

/// A [`BlockingTransport`] as a [`Transport`] whose futures are ready when they are made, for the loop.
pub(crate) struct Blocking<'t, T>(pub(crate) &'t T);

impl<T: BlockingTransport> Transport for Blocking<'_, T> {
    type Request = T::Request;
    type Response = T::Response;
    type Error = T::Error;

    fn wishes(&self, request: &T::Request) -> Option<Wishes> {
        self.0.wishes(request)
    }

    fn prepare(&self, request: T::Request) -> impl Future<Output = Result<T::Request, T::Error>> + Send {
        ready(self.0.prepare(request))
    }

    fn model<'r>(&'r self, original: &'r mut T::Request) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        ready(self.0.model(original))
    }

    fn replay(&self, original: &mut T::Request) -> Option<T::Request> {
        self.0.replay(original)
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

    fn describe(&self, error: &T::Error) -> String {
        self.0.describe(error)
    }

    fn synthesize(&self, original: &T::Request, exhausted: &Exhausted) -> T::Response {
        self.0.synthesize(original, exhausted)
    }

    fn mark(&self, response: &mut T::Response, served: Served) {
        self.0.mark(response, served);
    }

    fn peek(
        &self,
        response: T::Response,
        enough: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = (T::Response, Option<Refusal>)> + Send {
        ready(self.0.peek(response, enough))
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.0.sleep(duration);
        ready(())
    }

    fn discard(&self, response: T::Response) {
        self.0.discard(response);
    }
}
