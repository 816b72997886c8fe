//! Transports whose requests and responses are `http`'s: two methods make one.

use std::{
    borrow::Cow,
    future::{Future, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use super::{BlockingTransport, Head, Transport, sleep_on_a_thread};
use crate::{
    error::Error, exhausted::Exhausted, fault::Fault, peek::Refusal, requested_model::requested_model, served::Served,
    target::Target,
};

/// The part of a transport, async or blocking, that is the same wherever its responses are `http`'s, with bodies that
/// bytes can be made into.
macro_rules! messages_of_http {
    () => {
        fn head<'r>(&self, response: &'r Self::Response) -> Head<'r> {
            Head::new(response.status().as_u16(), response.headers())
        }

        fn synthesize(&self, _: &Self::Request, exhausted: &Exhausted) -> Self::Response {
            exhausted.to_response().map(Into::into)
        }

        fn mark(&self, response: &mut Self::Response, served: Served) {
            response.extensions_mut().insert(served);
        }

        fn wishes(&self, request: &Self::Request) -> Option<crate::wishes::Wishes> {
            request.extensions().get().cloned()
        }
    };
}

#[cfg(feature = "test-util")]
pub(crate) use messages_of_http;

/// An HTTP stack whose requests and responses are [`http::Request`]s and [`http::Response`]s, async.
///
/// Whoever implements it has a [`Transport`], which goes into a [`LoadBalancer`](crate::LoadBalancer): requests are
/// copied by the `Clone` of their bodies, addressed, and their answers read, as these types always are.
///
/// # Contract
///
/// As [`Transport`]'s, but that [`send`](HttpTransport::send) is given a request that is addressed already.
///
/// The body is the caller's. With the feature `json`, `Target::address_body` puts the backend's name for the model into it:
/// call it before sending, if your bodies are bytes.
///
/// # Errors and cancel safety
///
/// As [`Transport`]'s.
///
/// # Example
///
/// A whole transport, over a client that is a function; [`Transport`] names the mistakes that real clients invite:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use lb_core::{Fault, HttpTransport, Target};
/// use std::io::{Error, ErrorKind};
///
/// struct Echo;
///
/// impl HttpTransport for Echo {
///     type RequestBody = Bytes;
///     type ResponseBody = Bytes;
///     type Error = Error;
///
///     async fn send(&self, request: Request<Bytes>, _: &Target<'_>) -> Result<Response<Bytes>, Error> {
///         Ok(Response::new(request.into_body())) // here a real client sends the request
///     }
///
///     fn fault(&self, error: &Error) -> Fault {
///         match error.kind() {
///             ErrorKind::ConnectionRefused => Fault::Connect, // nothing was sent
///             ErrorKind::TimedOut => Fault::Timeout,
///             _ => Fault::Reset, // when in doubt, it may have been executed
///         }
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
pub trait HttpTransport: Send + Sync {
    /// The body of a request. A clone must read the same bytes from their start.
    type RequestBody: Clone + Send;
    /// The body of a response, still a stream; made of bytes where the balancer answers itself. For a body that cannot
    /// be made of bytes, wrap the two into an enum, or implement [`Transport`].
    type ResponseBody: From<Bytes> + Send;
    /// Why no response head came.
    type Error: Send;

    /// Sends a request, which is addressed to the target; resolves when the response head is here.
    fn send(
        &self,
        request: Request<Self::RequestBody>,
        target: &Target<'_>,
    ) -> impl Future<Output = Result<Response<Self::ResponseBody>, Self::Error>> + Send;

    /// The model that a request asks for, see [`Transport::model`]. By default the deployment in its path; where bodies are
    /// bytes, [`requested_model`] also reads them, with the feature `json`.
    fn model<'r>(&'r self, original: &'r Request<Self::RequestBody>) -> Option<Cow<'r, str>> {
        requested_model(original.uri().path(), None, None)
    }

    /// What kind of fault an error is, see [`Transport::fault`].
    fn fault(&self, error: &Self::Error) -> Fault;

    /// What happened, in words, see [`Transport::describe`].
    fn describe(&self, error: &Self::Error) -> String {
        self.fault(error).to_string()
    }

    /// Reads the beginning of a stream that announces a refusal, see [`Transport::peek`].
    fn peek(
        &self,
        response: Response<Self::ResponseBody>,
        enough: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = (Response<Self::ResponseBody>, Option<Refusal>)> + Send {
        drop(enough);
        ready((response, None))
    }

    /// Is ready after so long, see [`Transport::sleep`].
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        sleep_on_a_thread(duration)
    }

    /// Takes a response that will not be returned, see [`Transport::discard`].
    fn discard(&self, response: Response<Self::ResponseBody>) {
        drop(response);
    }
}

impl<T: HttpTransport> Transport for T {
    type Request = Request<T::RequestBody>;
    type Response = Response<T::ResponseBody>;
    type Error = T::Error;

    fn replay(&self, original: &mut Self::Request) -> Option<Self::Request> {
        Some(original.clone())
    }

    async fn send(&self, mut request: Self::Request, target: &Target<'_>) -> Result<Self::Response, Error<T::Error>> {
        target.address(&mut request)?;
        HttpTransport::send(self, request, target).await.map_err(Error::Transport)
    }

    messages_of_http!();

    fn model<'r>(&'r self, original: &'r mut Self::Request) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        ready(HttpTransport::model(self, original))
    }

    fn fault(&self, error: &T::Error) -> Fault {
        HttpTransport::fault(self, error)
    }

    fn describe(&self, error: &T::Error) -> String {
        HttpTransport::describe(self, error)
    }

    fn peek(
        &self,
        response: Self::Response,
        enough: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = (Self::Response, Option<Refusal>)> + Send {
        HttpTransport::peek(self, response, enough)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        HttpTransport::sleep(self, duration)
    }

    fn discard(&self, response: Self::Response) {
        HttpTransport::discard(self, response);
    }
}

/// An HTTP stack whose requests and responses are [`http::Request`]s and [`http::Response`]s, blocking.
///
/// Whoever implements it has a [`BlockingTransport`], which goes into a
/// [`BlockingLoadBalancer`](crate::BlockingLoadBalancer). All else is as with [`HttpTransport`].
pub trait BlockingHttpTransport: Send + Sync {
    /// The body of a request, see [`HttpTransport::RequestBody`].
    type RequestBody: Clone + Send;
    /// The body of a response, see [`HttpTransport::ResponseBody`].
    type ResponseBody: From<Bytes> + Send;
    /// Why no response head came.
    type Error: Send;

    /// Sends a request, which is addressed to the target; returns when the response head is here.
    ///
    /// # Errors
    ///
    /// If no response head came.
    fn send(
        &self,
        request: Request<Self::RequestBody>,
        target: &Target<'_>,
    ) -> Result<Response<Self::ResponseBody>, Self::Error>;

    /// The model that a request asks for, see [`Transport::model`]. By default the deployment in its path; where bodies are
    /// bytes, [`requested_model`] also reads them, with the feature `json`.
    fn model<'r>(&'r self, original: &'r Request<Self::RequestBody>) -> Option<Cow<'r, str>> {
        requested_model(original.uri().path(), None, None)
    }

    /// What kind of fault an error is, see [`Transport::fault`].
    fn fault(&self, error: &Self::Error) -> Fault;

    /// What happened, in words, see [`Transport::describe`].
    fn describe(&self, error: &Self::Error) -> String {
        self.fault(error).to_string()
    }

    /// Takes a response that will not be returned, see [`BlockingTransport::discard`].
    fn discard(&self, response: Response<Self::ResponseBody>) {
        drop(response);
    }
}

impl<T: BlockingHttpTransport> BlockingTransport for T {
    type Request = Request<T::RequestBody>;
    type Response = Response<T::ResponseBody>;
    type Error = T::Error;

    fn replay(&self, original: &mut Self::Request) -> Option<Self::Request> {
        Some(original.clone())
    }

    fn send(&self, mut request: Self::Request, target: &Target<'_>) -> Result<Self::Response, Error<T::Error>> {
        target.address(&mut request)?;
        BlockingHttpTransport::send(self, request, target).map_err(Error::Transport)
    }

    messages_of_http!();

    fn model<'r>(&'r self, original: &'r mut Self::Request) -> Option<Cow<'r, str>> {
        BlockingHttpTransport::model(self, original)
    }

    fn fault(&self, error: &T::Error) -> Fault {
        BlockingHttpTransport::fault(self, error)
    }

    fn describe(&self, error: &T::Error) -> String {
        BlockingHttpTransport::describe(self, error)
    }

    fn discard(&self, response: Self::Response) {
        BlockingHttpTransport::discard(self, response);
    }
}
