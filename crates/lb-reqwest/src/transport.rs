//! The async transport.

use std::{fmt, mem};

use lb_core::{AddressError, Error, Exhausted, Fault, Head, Served, Target, Transport};
use reqwest::{Client, ClientBuilder, Request, Response, redirect::Policy};

use crate::{
    address::{address, synthesize},
    drain::Drain,
    fault::{fault, without_query},
};

/// A [`reqwest::Client`] as the transport of a [`LoadBalancer`](lb_core::LoadBalancer). Clones share the client.
///
/// Redirects are never followed: one would carry a backend's `api-key` to wherever the answer points. A 3xx answer is
/// returned to the caller.
#[derive(Clone)]
pub struct ReqwestTransport {
    client: Client,
    drain: Drain,
}

impl ReqwestTransport {
    /// A transport over a client with reqwest's defaults, that follows no redirects.
    ///
    /// # Errors
    ///
    /// If reqwest cannot build the client (TLS or system configuration).
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::from_builder(Client::builder())
    }

    /// A transport over the client that `builder` builds, made to follow no redirects.
    ///
    /// The builder's default headers must not carry credentials: reqwest adds them to requests to every backend.
    ///
    /// # Errors
    ///
    /// If reqwest cannot build the client.
    pub fn from_builder(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        builder.redirect(Policy::none()).build().map(Self::with_client_that_follows_no_redirects)
    }

    /// A transport over a client of yours. You promise that it was built with [`redirect::Policy::none`] and that its
    /// default headers carry no credentials: else a redirect, or a failover, takes a credential to where it does not
    /// belong. Neither can be seen from outside of the client.
    ///
    /// [`redirect::Policy::none`]: reqwest::redirect::Policy::none
    #[must_use]
    pub fn with_client_that_follows_no_redirects(client: Client) -> Self {
        Self { client, drain: Drain::new() }
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
    type Request = Request;
    type Original = Request;
    type Response = Response;
    type Error = reqwest::Error;

    async fn prepare(&self, request: Request) -> Result<Request, reqwest::Error> {
        Ok(request)
    }

    fn replay(&self, original: &Request) -> Option<Request> {
        original.try_clone()
    }

    fn is_replayable(&self, original: &Request) -> bool {
        is_replayable(original)
    }

    fn take(&self, original: &mut Request) -> Request {
        take(original)
    }

    async fn send(&self, request: Request, target: &Target<'_>) -> Result<Response, Error<reqwest::Error>> {
        let request = addressed(request, target)?;
        self.client.execute(request).await.map_err(|error| Error::Transport(without_query(error)))
    }

    fn head<'r>(&self, response: &'r Response) -> Head<'r> {
        Head::new(response.status().as_u16(), response.headers())
    }

    fn fault(&self, error: &reqwest::Error) -> Fault {
        fault(error)
    }

    fn synthesize(&self, original: &Request, exhausted: &Exhausted) -> Response {
        synthesize(original.url(), exhausted).into()
    }

    fn mark(&self, response: &mut Response, served: Served) {
        response.extensions_mut().insert(served);
    }

    fn discard(&self, response: Response) {
        self.drain.discard(response);
    }
}

/// Whether the body is in memory, so that the request can be copied.
pub(crate) fn is_replayable(original: &Request) -> bool {
    original.body().is_none_or(|body| body.as_bytes().is_some())
}

/// The request, moved out; its URL stays for a synthesised answer.
pub(crate) fn take(original: &mut Request) -> Request {
    let url_for_synthesis = original.url().clone();
    mem::replace(original, Request::new(reqwest::Method::GET, url_for_synthesis))
}

/// The request, addressed to the target.
pub(crate) fn addressed(mut request: Request, target: &Target<'_>) -> Result<Request, AddressError> {
    let mut headers = mem::take(request.headers_mut());
    address(request.url_mut(), &mut headers, target)?;
    *request.headers_mut() = headers;
    Ok(request)
}
