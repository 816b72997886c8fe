//! The async transport.

use std::{fmt, future::Future, time::Duration};

use lb_core::{CONNECT_TIMEOUT, Error, Fault, Refusal, Target, Transport, causes};
use lb_drain::Drain;
use reqwest::{Body, Client, ClientBuilder, Request, Response, redirect::Policy, retry};

use crate::{
    address::address,
    buffer::buffer,
    fault::{fault, without_query},
    messages::{MAX_BUFFERED, messages_of_reqwest, model_of_reqwest},
    peek::peek,
    upload::Upload,
};

/// So long may an HTTP/2 connection be silent before it is asked for a sign of life, and so long that may take.
#[cfg(feature = "http2")]
pub(crate) const PING_AFTER: Duration = Duration::from_secs(30);
#[cfg(feature = "http2")]
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`reqwest::Client`] as the transport of a [`LoadBalancer`](lb_core::LoadBalancer). Clones share the client.
///
/// Redirects are never followed: one would carry a backend's `api-key` to wherever the answer points. A 3xx answer is
/// returned to the caller.
#[derive(Clone)]
pub struct ReqwestTransport {
    client: Client,
    drain: Drain,
    max_buffered: u64,
}

impl ReqwestTransport {
    /// A transport over a client with reqwest's defaults, that follows no redirects and does not retry, and waits ten
    /// seconds for a connection ([`CONNECT_TIMEOUT`]). An HTTP/2 connection that is silent for 30 s while requests are under
    /// way is asked for a sign of life, and given up after ten more.
    ///
    /// # Errors
    ///
    /// If reqwest cannot build the client (TLS or system configuration).
    pub fn new() -> Result<Self, reqwest::Error> {
        let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT);
        #[cfg(feature = "http2")]
        let builder = builder.http2_keep_alive_interval(PING_AFTER).http2_keep_alive_timeout(PING_TIMEOUT);
        Self::from_builder(builder)
    }

    /// A transport over the client that `builder` builds, made to follow no redirects and not to retry: what HTTP/2 refused
    /// goes to the next backend first.
    ///
    /// Set its `connect_timeout`; reqwest has none by itself, and a backend that is not there then keeps a request for as
    /// long as the system waits, which is minutes.
    ///
    /// The builder's default headers must not carry credentials: reqwest adds them to requests to every backend.
    ///
    /// # Errors
    ///
    /// If reqwest cannot build the client.
    pub fn from_builder(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        builder.redirect(Policy::none()).retry(retry::never()).build().map(Self::with_client_that_follows_no_redirects)
    }

    /// A transport over a client of yours. You promise that it was built with [`redirect::Policy::none`] and that its
    /// default headers carry no credentials: else a redirect, or a failover, takes a credential to where it does not
    /// belong. Neither can be seen from outside of the client.
    ///
    /// [`redirect::Policy::none`]: reqwest::redirect::Policy::none
    #[must_use]
    pub fn with_client_that_follows_no_redirects(client: Client) -> Self {
        Self { client, drain: Drain::new(), max_buffered: MAX_BUFFERED }
    }

    /// The same with another limit, in bytes, up to which a body that streams is read into memory before the first attempt,
    /// so that it can be sent again: 32 MiB by default, which is more than an audio file may have. Only what is there without
    /// waiting is read, such as a `reqwest::multipart::Form` of parts in memory. 0 leaves streams alone.
    #[must_use]
    pub const fn buffer_up_to(mut self, bytes: u64) -> Self {
        self.max_buffered = bytes;
        self
    }

    /// The client, for building requests.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would print its default headers.
        f.debug_struct("ReqwestTransport").finish_non_exhaustive()
    }
}

impl Transport for ReqwestTransport {
    messages_of_reqwest!();
    model_of_reqwest!();

    type Error = reqwest::Error;

    async fn prepare(&self, mut request: Request) -> Result<Request, reqwest::Error> {
        buffer(&mut request, self.max_buffered);
        Ok(request)
    }

    async fn send(&self, mut request: Request, target: &Target<'_>) -> Result<Response, Error<reqwest::Error>> {
        address(request.url_mut(), target)?;
        target.authenticate(request.headers_mut())?;
        #[cfg(feature = "json")]
        crate::model::address_body(&mut request, target);
        let upload = Upload::of(&mut request);
        self.client.execute(request).await.map_err(|error| {
            target.tell_fault(upload.fault(fault(&error)));
            Error::Transport(without_query(error))
        })
    }

    fn fault(&self, error: &reqwest::Error) -> Fault {
        fault(error)
    }

    fn describe(&self, error: &reqwest::Error) -> String {
        causes(error)
    }

    async fn peek(&self, response: Response, enough: impl Future<Output = ()> + Send) -> (Response, Option<Refusal>) {
        peek(response, enough).await
    }

    async fn sleep(&self, duration: Duration) {
        lb_drain::sleep(duration).await;
    }

    fn discard(&self, response: Response) {
        self.drain.discard(Body::from(response));
    }
}
