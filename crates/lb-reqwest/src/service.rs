//! The balancer as a tower service.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use lb_core::{Error, LoadBalancer, Rng, ThreadRng, Transport, Wishes};
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
pub struct ReqwestService<T = ReqwestTransport, R = ThreadRng> {
    balancer: LoadBalancer<T, R>,
    wishes: Wishes,
}

impl<T, R> ReqwestService<T, R> {
    /// The balancer as a service. Its transport is a [`ReqwestTransport`], or any other of reqwest's requests and responses.
    pub const fn new(balancer: LoadBalancer<T, R>) -> Self {
        Self { balancer, wishes: Wishes::new() }
    }

    /// A clone whose requests have these wishes, in place of those of this one.
    #[must_use]
    pub fn with(&self, wishes: Wishes) -> Self
    where
        T: Clone,
        R: Clone,
    {
        Self { balancer: self.balancer.clone(), wishes }
    }

    /// The balancer.
    #[must_use]
    pub const fn balancer(&self) -> &LoadBalancer<T, R> {
        &self.balancer
    }
}

impl<T, R> Service<Request> for ReqwestService<T, R>
where
    T: Transport<Request = Request, Response = Response> + Clone + 'static,
    T::Error: 'static,
    R: Rng + Clone + 'static,
{
    type Response = Response;
    type Error = Error<T::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Error<T::Error>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error<T::Error>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { balancer, wishes } = self.clone();
        Box::pin(async move { balancer.send_with(request, wishes).await })
    }
}
