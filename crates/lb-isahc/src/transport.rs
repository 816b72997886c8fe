//! The transport: its constructors, and its async face.

use std::{
    borrow::Cow,
    fmt,
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use isahc::{
    AsyncBody, HttpClient, HttpClientBuilder, RequestExt,
    config::Configurable,
    http::{Request, Response},
};
use lb_core::{CONNECT_TIMEOUT, Error, Exhausted, Fault, Head, Refusal, Served, Target, Transport, Wishes, causes};
use ref_cast::RefCast;

use crate::{
    address::address,
    clients::Clients,
    contents::read,
    drain::drain,
    fault::fault,
    headers::ResponseHeaders,
    model::requested_model,
    peek::peek,
    request_body::{explain, sent_once},
    synthesize::synthesize,
    transfer::{Sending, receiving},
};

/// An [`HttpClient`] as the transport of a [`LoadBalancer`](lb_core::LoadBalancer) and of a
/// [`BlockingLoadBalancer`](lb_core::BlockingLoadBalancer). Clones share the client.
///
/// Redirects are never followed, whatever the client or a request says: one would carry a backend's `api-key` to
/// wherever the answer points. A 3xx answer is returned to the caller.
#[derive(Clone)]
pub struct IsahcTransport {
    pub(crate) clients: Arc<Clients>,
}

impl IsahcTransport {
    /// A transport over clients with isahc's defaults, and 10 s to connect.
    ///
    /// # Errors
    ///
    /// If isahc cannot start its client (a thread, or the system's configuration).
    pub fn new() -> Result<Self, isahc::Error> {
        Self::with_clients(|| HttpClientBuilder::new().connect_timeout(CONNECT_TIMEOUT).build())
    }

    /// A transport over clients that `make` makes: one now, and another whenever 64 transfers were abandoned over the last
    /// one and are still open. isahc holds their connections until their backends send something; a client that was replaced
    /// closes them when the last of its requests and answers that are in use is over.
    ///
    /// Give the clients a [`connect_timeout`](isahc::config::Configurable::connect_timeout): without one, an unreachable
    /// backend costs a request 300 s before it fails over. Their redirect policy does not matter. Their default headers
    /// must not carry credentials: isahc adds them below the balancer, to requests to every backend.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lb_isahc::{IsahcTransport, isahc::{HttpClient, config::Configurable}};
    ///
    /// let make = || HttpClient::builder().connect_timeout(Duration::from_secs(3)).tcp_nodelay().build();
    /// let transport = IsahcTransport::with_clients(make)?;
    /// # Ok::<(), lb_isahc::isahc::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// That of `make` the first time; where it fails later, the old client stays.
    pub fn with_clients(
        make: impl Fn() -> Result<HttpClient, isahc::Error> + Send + Sync + 'static,
    ) -> Result<Self, isahc::Error> {
        Ok(Self { clients: Arc::new(Clients::made_by(make)?) })
    }

    /// A transport over one client, for good: abandoned transfers behind a backend that stalls stay open without bound.
    /// Give its requests a [`low_speed_timeout`](isahc::config::Configurable::low_speed_timeout), or use
    /// [`with_clients`](IsahcTransport::with_clients), whose other remarks hold here too.
    #[must_use]
    pub fn with_client(client: HttpClient) -> Self {
        Self { clients: Arc::new(Clients::fixed(client)) }
    }

    /// The client that the next request goes over.
    #[must_use]
    pub fn client(&self) -> HttpClient {
        self.clients.lend().http
    }
}

impl fmt::Debug for IsahcTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsahcTransport").finish_non_exhaustive()
    }
}

impl Transport for IsahcTransport {
    type Request = Request<AsyncBody>;
    type Response = Response<AsyncBody>;
    type Error = isahc::Error;

    fn replay(&self, original: &mut Request<AsyncBody>) -> Option<Request<AsyncBody>> {
        let body = original.body_mut();
        let copy = if body.is_empty() {
            AsyncBody::empty()
        } else if body.reset() {
            AsyncBody::from(read(body)?)
        } else {
            return None;
        };
        // Only isahc's own options: other extensions cannot be copied under every version of `http`.
        original.to_builder().body(copy).ok()
    }

    fn model<'r>(&'r self, original: &'r mut Request<AsyncBody>) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        ready(requested_model(original))
    }

    async fn send(
        &self,
        request: Request<AsyncBody>,
        target: &Target<'_>,
    ) -> Result<Response<AsyncBody>, Error<isahc::Error>> {
        let request = address(request, target)?;
        #[cfg(feature = "json")]
        let request = crate::model::address_body(request, target);
        let (parts, body) = request.into_parts();
        let (body, progress) = sent_once(body);
        let client = self.clients.lend();
        let sending = Sending::new(&client.abandoned, progress.as_ref());
        let sent = client.http.send_async(Request::from_parts(parts, body)).await;
        sending.end();
        match sent {
            Ok(response) => Ok(receiving(response, &client.abandoned)),
            Err(error) => Err(Error::Transport(explain(progress, error))),
        }
    }

    fn head<'r>(&self, response: &'r Response<AsyncBody>) -> Head<'r> {
        Head::new(response.status().as_u16(), ResponseHeaders::ref_cast(response.headers()))
    }

    fn fault(&self, error: &isahc::Error) -> Fault {
        fault(error)
    }

    fn describe(&self, error: &isahc::Error) -> String {
        causes(error)
    }

    fn synthesize(&self, _: &Request<AsyncBody>, exhausted: &Exhausted) -> Response<AsyncBody> {
        synthesize(exhausted)
    }

    fn mark(&self, response: &mut Response<AsyncBody>, served: Served) {
        response.extensions_mut().insert(served);
    }

    fn wishes(&self, request: &Request<AsyncBody>) -> Option<Wishes> {
        request.extensions().get().cloned()
    }

    async fn peek(
        &self,
        response: Response<AsyncBody>,
        enough: impl Future<Output = ()> + Send,
    ) -> (Response<AsyncBody>, Option<Refusal>) {
        peek(response, enough).await
    }

    async fn sleep(&self, duration: Duration) {
        async_io::Timer::after(duration).await;
    }

    fn discard(&self, response: Response<AsyncBody>) {
        drain(response.into_body());
    }
}
