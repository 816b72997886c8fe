//! The async transport.

use std::fmt;

use lb_core::{Error, Fault, Target, Transport, causes};
use lb_drain::Drain;
use reqwest::{Body, Client, ClientBuilder, Request, Response, redirect::Policy};

use crate::{
    address::address,
    fault::{fault, without_query},
    messages::messages_of_reqwest,
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
    messages_of_reqwest!();

    type Error = reqwest::Error;

    async fn send(&self, mut request: Request, target: &Target<'_>) -> Result<Response, Error<reqwest::Error>> {
        address(request.url_mut(), target)?;
        target.authenticate(request.headers_mut())?;
        self.client.execute(request).await.map_err(|error| Error::Transport(without_query(error)))
    }

    fn fault(&self, error: &reqwest::Error) -> Fault {
        fault(error)
    }

    fn describe(&self, error: &reqwest::Error) -> String {
        causes(error)
    }

    fn discard(&self, response: Response) {
        self.drain.discard(Body::from(response));
    }
}
