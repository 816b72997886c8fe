//! The plug-in traits: how a request is sent over an HTTP stack.

mod blocking;
mod head;
mod http;
mod sleep;

use std::{
    borrow::Cow,
    future::{Future, ready},
    time::Duration,
};

#[cfg(feature = "test-util")]
pub(crate) use self::http::messages_of_http;
pub use self::http::{BlockingHttpTransport, HttpTransport};
pub(crate) use blocking::Blocking;
pub use blocking::BlockingTransport;
pub use head::Head;
pub use sleep::sleep_on_a_thread;

use crate::{
    error::Error, exhausted::Exhausted, fault::Fault, peek::Refusal, served::Served, target::Target, wishes::Wishes,
};

/// How long the clients that adapters make by themselves wait for a connection: DNS, TCP and TLS together. Then the
/// request goes to the next backend.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP stack under a [`LoadBalancer`](crate::LoadBalancer), async.
///
/// It translates, and decides nothing: which backend is asked, what an answer means and when to stop is the
/// balancer's. Native request and response types go in and come out unchanged. For a blocking stack implement
/// [`BlockingTransport`] instead.
///
/// Where request and response are those of the `http` crate, implement [`HttpTransport`]: two methods, and the rest is
/// done.
///
/// # Contract
///
/// For each request the balancer's loop calls, in this order:
///
/// 1. [`wishes`](Transport::wishes) and [`prepare`](Transport::prepare) once: what the latter gives is the *original*; and
///    [`model`](Transport::model) once, where there are pools by model;
/// 2. per attempt [`replay`](Transport::replay) for a copy of the original. If it cannot be copied, the original itself
///    is sent, and no further attempt follows;
/// 3. [`send`](Transport::send) with that request, at most once per backend;
/// 4. [`mark`](Transport::mark) and [`head`](Transport::head) on the response, or [`fault`](Transport::fault) on the error;
/// 5. [`peek`](Transport::peek) where the head [announces](crate::announces_refusal) a refusal in the stream;
/// 6. [`sleep`](Transport::sleep) where the request waits or has a head timeout, if the pool's clock cannot;
/// 7. at the end [`synthesize`](Transport::synthesize) if nothing was left; and [`discard`](Transport::discard) on every
///    response that is not returned, after the next target is known.
///
/// All methods are called from any thread, for many requests at once. The loop runs in the caller's task: no method
/// may block, and none may retry, follow redirects or, but for `peek`, read a response's body.
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
///   [`Target::address`] does all of it for an `http::Request`.
/// - Leaving the client as it comes. It must follow no redirects (one takes a credential to another host), make no
///   error of a 4xx or 5xx status, not retry on its own, and have a connect timeout, so that a backend that is not
///   there fails over soon.
/// - Printing the request's URL in an error: its query can be secret.
/// - Sending without a `host`: [`Target::address`] takes the caller's off. A client sets its own from the URI, but a bare
///   connection, such as hyper's `client::conn`, does not: set it from `target.backend().authority()`.
///
/// # Example
///
/// A whole transport for types of its own, over a client that is a function:
///
/// ```
/// use lb_core::{Error, Exhausted, Fault, Head, Served, Target, Transport};
///
/// /// What the client takes and gives.
/// #[derive(Clone)]
/// struct Ask(String);
/// struct Answer(u16, Vec<(String, String)>, String);
///
/// struct Client;
///
/// impl Transport for Client {
///     type Request = Ask;
///     type Response = Answer;
///     type Error = std::io::Error;
///
///     fn replay(&self, original: &mut Ask) -> Option<Ask> {
///         Some(original.clone())
///     }
///     async fn send(&self, Ask(path): Ask, target: &Target<'_>) -> Result<Answer, Error<std::io::Error>> {
///         let url = format!("{}{}", target.backend().origin(), target.path_and_query(&path)?);
///         let key = target.credential()?; // goes into its header, in place of the caller's
///         # let _ = key;
///         Ok(Answer(200, vec![], url)) // here a real client sends the request
///     }
///     fn head<'r>(&self, answer: &'r Answer) -> Head<'r> {
///         Head::new(answer.0, &answer.1)
///     }
///     fn fault(&self, error: &std::io::Error) -> Fault {
///         // When in doubt, the request may have gone out.
///         Fault::of_io(error).unwrap_or(Fault::Reset)
///     }
///     fn synthesize(&self, _: &Ask, exhausted: &Exhausted) -> Answer {
///         let wait = exhausted.retry_after_secs().map(|secs| ("retry-after".to_owned(), secs.to_string()));
///         Answer(exhausted.status().as_u16(), wait.into_iter().collect(), exhausted.to_string())
///     }
///     fn mark(&self, answer: &mut Answer, served: Served) {
///         answer.1.push(("x-served-by".to_owned(), served.backend().to_owned()));
///     }
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = lb_core::Pool::new([lb_core::Backend::new("a.example", 1)?])?;
/// # let balancer = lb_core::LoadBalancer::new(pool, Client);
/// # let sent = std::pin::pin!(balancer.send(Ask("/v1/models".to_owned())));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let std::task::Poll::Ready(answer) = std::future::Future::poll(sent, &mut context) else { panic!() };
/// # assert_eq!(answer?.2, "https://a.example/v1/models");
/// # Ok(())
/// # }
/// ```
pub trait Transport: Send + Sync {
    /// The request, as the caller hands it in and as it is sent.
    type Request: Send;
    /// The response: a head, and a body that is still a stream.
    type Response: Send;
    /// Why no response head came.
    type Error: Send;

    /// What the request itself wishes: an extension of it, if it has such. By default nothing.
    fn wishes(&self, request: &Self::Request) -> Option<Wishes> {
        let _ = request;
        None
    }

    /// Makes the original from the caller's request. By default it is that request. A stack can make its body one that
    /// can be copied: read what is in memory, never what streams.
    ///
    /// # Errors
    ///
    /// Returned to the caller as it is; no backend was asked yet.
    fn prepare(&self, request: Self::Request) -> impl Future<Output = Result<Self::Request, Self::Error>> + Send {
        ready(Ok(request))
    }

    /// The model that a request asks for, where the balancer has pools [by model](crate::Pools::by_model): by
    /// [`requested_model`](crate::requested_model). It is not called otherwise. By default none.
    fn model<'r>(&'r self, original: &'r mut Self::Request) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        let _ = original;
        ready(None)
    }

    /// A copy of the original, which reads the same whatever copies were made before; `None` if its body cannot be
    /// copied: it is then sent once, and the answer returned whatever it is.
    fn replay(&self, original: &mut Self::Request) -> Option<Self::Request>;

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
    /// [`Fault::Reset`]. For errors of sockets there is [`Fault::of_io`]: a name that was not resolved has no
    /// [`ErrorKind`](std::io::ErrorKind), and is a connect fault all the same.
    fn fault(&self, error: &Self::Error) -> Fault;

    /// What happened, in words: what the error and its causes say, in a line of at most a few hundred characters.
    ///
    /// It goes into events and reports, so it must contain no URL, no query and no secret; [`causes`](crate::causes) makes
    /// it of an error of std's form. By default it is the word for the [`fault`](Transport::fault).
    fn describe(&self, error: &Self::Error) -> String {
        self.fault(error).to_string()
    }

    /// The answer when no backend is left: a 429 or 503 as [`Exhausted::to_response`] makes it, with the [`Exhausted`] in
    /// its extensions, if the response type has any.
    fn synthesize(&self, original: &Self::Request, exhausted: &Exhausted) -> Self::Response;

    /// Puts on the response which backend served it: into its extensions, if the response type has any.
    fn mark(&self, response: &mut Self::Response, served: Served);

    /// Reads the beginning of a stream whose head announces a refusal, until it is known whether it is one, or until
    /// `enough` is ready. Gives the response back as if nothing had been read, and the refusal if it is one.
    ///
    /// By default nothing is read, and the caller gets the stream, whatever is in it. Over a body of the `http-body` crate
    /// `lb_peek::peek` does all of it. What a response without a refusal gives must be the same bytes, then the rest,
    /// errors and trailers included.
    fn peek(
        &self,
        response: Self::Response,
        enough: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = (Self::Response, Option<Refusal>)> + Send {
        drop(enough);
        ready((response, None))
    }

    /// Is ready after so long. By default a thread sleeps, one for each call: a stack that has a timer does better to use
    /// that one. The future is dropped where the sleep is no longer of use.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        sleep_on_a_thread(duration)
    }

    /// Takes a response that will not be returned; failover waits for this call, so it must return at once. By default
    /// the response is dropped, which is always correct. A stack whose connections are reused only when their bodies
    /// were read does better to read a small one in the background, for a bounded time.
    fn discard(&self, response: Self::Response) {
        drop(response);
    }
}
