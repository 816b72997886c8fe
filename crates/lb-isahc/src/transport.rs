//! The transport: its constructors, and its async face.

use std::{fmt, time::Duration};

use futures_lite::AsyncReadExt;
use isahc::{
    AsyncBody, HttpClient, HttpClientBuilder,
    config::Configurable,
    http::{Request, Response},
};
use lb_core::{Error, Exhausted, Fault, Head, Served, Target, Transport};
use ref_cast::RefCast;

use crate::{
    address::address,
    drain::drain,
    fault::fault,
    headers::ResponseHeaders,
    original::{Original, Payload, zeroes},
    stream::async_stream,
    synthesize::synthesize,
};

/// Four SYNs (at 0, 1, 3 and 7 s) and no answer: the backend is not there. libcurl alone would wait for 300 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An [`HttpClient`] as the transport of a [`LoadBalancer`](lb_core::LoadBalancer) and of a
/// [`BlockingLoadBalancer`](lb_core::BlockingLoadBalancer). Clones share the client.
///
/// Redirects are never followed, whatever the client or a request says: one would carry a backend's `api-key` to
/// wherever the answer points. A 3xx answer is returned to the caller.
#[derive(Clone)]
pub struct IsahcTransport {
    pub(crate) client: HttpClient,
}

impl IsahcTransport {
    /// A transport over a client with isahc's defaults, and 10 s to connect.
    ///
    /// # Errors
    ///
    /// If isahc cannot start its client (a thread, or the system's configuration).
    pub fn new() -> Result<Self, isahc::Error> {
        HttpClientBuilder::new().connect_timeout(CONNECT_TIMEOUT).build().map(Self::with_client)
    }

    /// A transport over a client of yours. Give it a
    /// [`connect_timeout`](isahc::config::Configurable::connect_timeout): without one, an unreachable backend costs a
    /// request 300 s before it fails over.
    ///
    /// Its redirect policy does not matter. Its default headers must not carry credentials: isahc adds them below
    /// the balancer, to requests to every backend.
    #[must_use]
    pub const fn with_client(client: HttpClient) -> Self {
        Self { client }
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &HttpClient {
        &self.client
    }
}

impl fmt::Debug for IsahcTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsahcTransport").finish_non_exhaustive()
    }
}

impl Transport for IsahcTransport {
    type Request = Request<AsyncBody>;
    type Original = Original<AsyncBody>;
    type Response = Response<AsyncBody>;
    type Error = isahc::Error;

    async fn prepare(&self, request: Request<AsyncBody>) -> Result<Original<AsyncBody>, isahc::Error> {
        let (parts, mut body) = request.into_parts();
        let payload = if body.is_empty() {
            Payload::Absent
        } else if body.reset() {
            // Only a body in memory can be reset. It knows its length, and reading it is never pending.
            let mut bytes = zeroes(body.len());
            body.read_exact(&mut bytes).await?;
            Payload::Memory(bytes)
        } else {
            Payload::Stream(async_stream(body))
        };
        Ok(Original::new(Request::from_parts(parts, ()), payload))
    }

    fn replay(&self, original: &Original<AsyncBody>) -> Option<Request<AsyncBody>> {
        original.replay()
    }

    fn is_replayable(&self, original: &Original<AsyncBody>) -> bool {
        original.is_replayable()
    }

    fn take(&self, original: &mut Original<AsyncBody>) -> Request<AsyncBody> {
        original.take()
    }

    async fn send(
        &self,
        request: Request<AsyncBody>,
        target: &Target<'_>,
    ) -> Result<Response<AsyncBody>, Error<isahc::Error>> {
        self.client.send_async(address(request, target)?).await.map_err(Error::Transport)
    }

    fn head<'r>(&self, response: &'r Response<AsyncBody>) -> Head<'r> {
        Head::new(response.status().as_u16(), ResponseHeaders::ref_cast(response.headers()))
    }

    fn fault(&self, error: &isahc::Error) -> Fault {
        fault(error)
    }

    fn synthesize(&self, _: &Original<AsyncBody>, exhausted: &Exhausted) -> Response<AsyncBody> {
        synthesize(exhausted)
    }

    fn mark(&self, response: &mut Response<AsyncBody>, served: Served) {
        response.extensions_mut().insert(served);
    }

    fn discard(&self, response: Response<AsyncBody>) {
        drain(response.into_body());
    }
}
