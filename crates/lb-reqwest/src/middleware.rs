//! The balancer as a middleware of reqwest-middleware.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::Extensions;
use lb_core::{Call, Error, Fault, Pool, Pools, Refusal, Target, ThreadRng, Transport, causes, drive};
use lb_drain::Drain;
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Middleware, Next};
use tokio::sync::Mutex;

use crate::{
    address::address,
    buffer::buffer,
    fault::{fault, without_query},
    messages::{MAX_BUFFERED, messages_of_reqwest, model_of_reqwest},
    peek::peek,
};

/// A [`Middleware`] that balances the requests of a
/// [`ClientWithMiddleware`](reqwest_middleware::ClientWithMiddleware) over the backends of a pool.
///
/// Each attempt runs the rest of the chain once: middleware added after this one sees every attempt, addressed to its
/// backend; middleware added before it sees the request as a whole. They share one `Extensions`, in which all attempts
/// leave what they leave.
///
/// You promise that the client was built with [`redirect::Policy::none`](reqwest::redirect::Policy::none) and without
/// credentials in its default headers, as in
/// [`with_client_that_follows_no_redirects`](crate::ReqwestTransport::with_client_that_follows_no_redirects).
///
/// ```no_run
/// use lb_reqwest::{Backend, BalanceMiddleware, CONNECT_TIMEOUT, Pool};
/// use reqwest::redirect::Policy;
/// use reqwest_middleware::ClientBuilder;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
/// // A backend that is not there fails over after ten seconds.
/// let client = reqwest::Client::builder().redirect(Policy::none()).connect_timeout(CONNECT_TIMEOUT).build()?;
/// let client = ClientBuilder::new(client).with(BalanceMiddleware::new(pool)).build();
///
/// let response = client.post("https://any.host/openai/v1/chat/completions").body("{}").send().await?;
/// println!("{}", response.status());
/// # Ok(())
/// # }
/// ```
///
/// # reqwest-retry
///
/// Leave `RetryTransientMiddleware` out, or add it *before* this one, so that it goes around it. After it, it would retry
/// each refusal at the backend that refused. It does not read `Retry-After`: outside, it comes back by its own backoff, and
/// gets the same synthesised 429 until a backend is available again, at no cost to any backend.
///
/// # Wishes
///
/// A request has its [`Wishes`](lb_core::Wishes) among its extensions: `client.post(url).with_extension(wishes)`.
///
/// # Errors
///
/// The rest of the chain's, as they are. A request that cannot be addressed, and a credential that could not be had, are a
/// `Middleware` error that can be downcast to [`lb_core::Error<Infallible>`](lb_core::Error). Exhaustion is a synthesised
/// 429, which has an [`Exhausted`](crate::Exhausted) in its extensions.
///
/// # Cancel safety
///
/// Dropping the request's future abandons it, and counts the open attempt as cancelled: no backend is blamed.
#[derive(Clone)]
pub struct BalanceMiddleware {
    pools: Pools,
    drain: Drain,
    max_buffered: u64,
}

impl BalanceMiddleware {
    /// A middleware on `pools`: a [`Pool`], an `Arc<Pool>` shared with other balancers, or whatever else makes [`Pools`].
    pub fn new(pools: impl Into<Pools>) -> Self {
        Self { pools: pools.into(), drain: Drain::new(), max_buffered: MAX_BUFFERED }
    }

    /// The same with another limit up to which a body that streams is read into memory, as
    /// [`ReqwestTransport::buffer_up_to`](crate::ReqwestTransport::buffer_up_to).
    #[must_use]
    pub const fn buffer_up_to(mut self, bytes: u64) -> Self {
        self.max_buffered = bytes;
        self
    }

    /// The pool that serves a request which begins now, for its snapshot.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        self.pools.pool()
    }
}

impl fmt::Debug for BalanceMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceMiddleware").field("pools", &self.pools).finish_non_exhaustive()
    }
}

#[async_trait]
impl Middleware for BalanceMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        buffer(&mut request, self.max_buffered);
        let call = Call::default().wishes(extensions.get().cloned().unwrap_or_default());
        let chain = Chain { next, extensions: Mutex::new(extensions), drain: &self.drain };
        let result = drive(&self.pools, &chain, &ThreadRng, request, call).await;
        result.map_err(|error| error.into_transport().unwrap_or_else(reqwest_middleware::Error::middleware))
    }
}

/// The rest of the chain, as the transport of one request.
struct Chain<'a> {
    next: Next<'a>,
    /// The caller's. Attempts follow one another, so that none waits for them.
    extensions: Mutex<&'a mut Extensions>,
    drain: &'a Drain,
}

impl Transport for Chain<'_> {
    messages_of_reqwest!();
    model_of_reqwest!();

    type Error = reqwest_middleware::Error;

    async fn send(
        &self,
        mut request: Request,
        target: &Target<'_>,
    ) -> Result<Response, Error<reqwest_middleware::Error>> {
        address(request.url_mut(), target)?;
        target.authenticate(request.headers_mut())?;
        #[cfg(feature = "json")]
        crate::model::address_body(&mut request, target);
        let mut extensions = self.extensions.lock().await;
        let result = self.next.clone().run(request, &mut extensions).await;
        result.map_err(|error| {
            Error::Transport(match error {
                reqwest_middleware::Error::Reqwest(error) => without_query(error).into(),
                other => other,
            })
        })
    }

    fn fault(&self, error: &reqwest_middleware::Error) -> Fault {
        match error {
            reqwest_middleware::Error::Reqwest(error) => fault(error),
            // Another middleware's: what of reqwest's is in it is known, and else the request may have gone out.
            reqwest_middleware::Error::Middleware(error) => {
                error.chain().find_map(|cause| cause.downcast_ref()).map_or(Fault::Reset, fault)
            }
        }
    }

    fn describe(&self, error: &reqwest_middleware::Error) -> String {
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
