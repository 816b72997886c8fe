//! The client: azure_core's `HttpClient` over a pool.

#[cfg(feature = "reqwest")]
use std::time::Duration;
use std::{fmt, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
#[cfg(feature = "reqwest")]
use lb_core::CONNECT_TIMEOUT;
use lb_core::{Call, Error, OnExhaustion, Pool, Pools, Rng, ThreadRng, Wishes, drive};
use lb_drain::Drain;

use crate::{
    error::into_azure,
    response::BalancedResponse,
    transport::{AzureTransport, Replay},
};

/// As azure_core's own client.
#[cfg(feature = "reqwest")]
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// An [`HttpClient`] that sends each request to the best available backend of a [`Pool`], over another `HttpClient`.
///
/// It goes into [`ClientOptions::transport`](azure_core::http::ClientOptions::transport), and so under every policy of
/// a client's pipeline. Clones share the pool and the client; those that [`with`](BalancedHttpClient::with) makes have wishes of
/// their own, such as a pin to the resource that stores what the client works on.
#[derive(Clone)]
pub struct BalancedHttpClient<R = ThreadRng> {
    pools: Pools,
    client: Arc<dyn HttpClient>,
    drain: Drain,
    rng: R,
    wishes: Wishes,
}

impl BalancedHttpClient {
    /// Over a client like the one that azure_core takes by itself: `reqwest`, which follows no redirects, and whose read
    /// timeout is 60 s. It does not retry, and waits 10 s for a connection, not 20 s.
    ///
    /// `pools` is a [`Pool`], an `Arc<Pool>` shared with other balancers, or whatever else makes [`Pools`].
    ///
    /// # Panics
    ///
    /// If reqwest cannot build the client (TLS or system configuration), as azure_core's own default does.
    #[cfg(feature = "reqwest")]
    pub fn new(pools: impl Into<Pools>) -> Self {
        let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        let builder = builder.redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never());
        #[expect(clippy::expect_used, reason = "as azure_core's own default, which this takes the place of")]
        let client = builder.build().expect("reqwest builds a client");
        Self::with_client_that_follows_no_redirects(pools, Arc::new(client))
    }

    /// Over a client of yours, such as a `reqwest::Client` with timeouts of your choice. You promise that it follows no
    /// redirects, does not retry, and adds no credentials of its own: else a redirect, or a failover, takes a credential
    /// to where it does not belong. None of that can be seen from outside of the client.
    pub fn with_client_that_follows_no_redirects(pools: impl Into<Pools>, client: Arc<dyn HttpClient>) -> Self {
        Self::with_parts(pools, client, ThreadRng)
    }
}

impl<R: Rng> BalancedHttpClient<R> {
    /// A client with every part; a [`SeededRng`](lb_core::SeededRng) makes its choices repeatable. What
    /// [`with_client_that_follows_no_redirects`](BalancedHttpClient::with_client_that_follows_no_redirects) asks of the
    /// client holds here too.
    pub fn with_parts(pools: impl Into<Pools>, client: Arc<dyn HttpClient>, rng: R) -> Self {
        Self { pools: pools.into(), client, drain: Drain::new(), rng, wishes: Wishes::new() }
    }

    /// A clone whose requests have these wishes, in place of those of this one: for a client of its own, or for one call by
    /// [`send`](BalancedHttpClient::send).
    #[must_use]
    pub fn with(&self, wishes: Wishes) -> Self
    where
        R: Clone,
    {
        Self { wishes, ..self.clone() }
    }

    /// The pool that serves a request which begins now, for its snapshot.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        self.pools.pool()
    }

    /// Sends a request as [`execute_request`](HttpClient::execute_request) does, with typed values in the response and
    /// the error: for those who call it without a pipeline.
    ///
    /// # Errors
    ///
    /// See [`Error`]; never [`Error::Exhausted`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, and counts the open attempt as cancelled: no backend is blamed.
    pub async fn send(&self, request: &Request) -> Result<BalancedResponse, Error<azure_core::Error>> {
        self.drive(request, Call::default()).await
    }

    /// Sends a request like [`send`](BalancedHttpClient::send), with exhaustion as a typed value instead of a synthesised
    /// response.
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::Exhausted`] where `send` answers with a synthesised 429.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](BalancedHttpClient::send).
    pub async fn try_send(&self, request: &Request) -> Result<BalancedResponse, Error<azure_core::Error>> {
        self.drive(request, Call::default().on_exhaustion(OnExhaustion::Fail)).await
    }

    async fn drive(&self, request: &Request, call: Call) -> Result<BalancedResponse, Error<azure_core::Error>> {
        let transport = AzureTransport { client: self.client.as_ref(), drain: &self.drain, request };
        drive(&self.pools, &transport, &self.rng, Replay::Copy, call.wishes(self.wishes.clone())).await
    }
}

#[async_trait]
impl<R: Rng> HttpClient for BalancedHttpClient<R> {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.send(request).await.map(BalancedResponse::into_raw).map_err(into_azure)
    }
}

impl<R> fmt::Debug for BalancedHttpClient<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The inner client would print its default headers.
        f.debug_struct("BalancedHttpClient").field("pools", &self.pools).finish_non_exhaustive()
    }
}
