//! The balancer as a tower service.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use lb_core::{Error, LoadBalancer, Rng, ThreadRng};
use reqwest::{Request, Response};
use tower_service::Service;

use crate::ReqwestTransport;

/// A balancer over reqwest as a tower [`Service`] of [`reqwest::Request`]s, for code that takes one in place of a
/// [`reqwest::Client`]. Clones share the pool and the client.
///
/// It is always ready, as reqwest's client is. Exhaustion is a synthesised 429, which has an
/// [`Exhausted`](crate::Exhausted) in its extensions.
///
/// ```no_run
/// use lb_reqwest::{Backend, LoadBalancer, Pool, ReqwestService, ReqwestTransport};
/// use tower::{ServiceExt, util::BoxCloneSyncService};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
/// let service = ReqwestService::new(LoadBalancer::new(pool, ReqwestTransport::new()?));
/// let service = BoxCloneSyncService::new(service);
///
/// let request = reqwest::Client::new().post("https://any.host/openai/v1/chat/completions").body("{}").build()?;
/// println!("{}", service.oneshot(request).await?.status());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// See [`Error`]; never [`Error::Exhausted`].
///
/// # Cancel safety
///
/// Dropping the future abandons the request, and counts the open attempt as cancelled: no backend is blamed.
#[derive(Debug, Clone)]
pub struct ReqwestService<R = ThreadRng> {
    balancer: LoadBalancer<ReqwestTransport, R>,
}

impl<R> ReqwestService<R> {
    /// The balancer as a service.
    pub const fn new(balancer: LoadBalancer<ReqwestTransport, R>) -> Self {
        Self { balancer }
    }

    /// The balancer.
    #[must_use]
    pub const fn balancer(&self) -> &LoadBalancer<ReqwestTransport, R> {
        &self.balancer
    }
}

impl<R: Rng + Clone + Send + Sync + 'static> Service<Request> for ReqwestService<R> {
    type Response = Response;
    type Error = Error<reqwest::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Error<reqwest::Error>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error<reqwest::Error>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let balancer = self.balancer.clone();
        Box::pin(async move { balancer.send(request).await })
    }
}
