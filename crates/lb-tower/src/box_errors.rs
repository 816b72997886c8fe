//! Services whose errors are boxed, as a transport needs them.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tower_service::Service;

use crate::BoxError;

/// A service with its errors boxed into a [`ServiceError`].
///
/// A [`TowerTransport`](crate::TowerTransport) keeps the error of its service, which has to be an
/// [`Error`]. The boxed error of most tower middleware is none, so that such a service is put into
/// this first. A [`BalanceLayer`](crate::BalanceLayer) does that itself.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use lb_tower::{BoxErrors, LoadBalancer, Pool, TowerTransport};
/// use std::time::Duration;
/// use tower::{ServiceBuilder, timeout::TimeoutLayer};
///
/// # fn balancer(pool: Pool) {
/// # let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
/// let attempt = ServiceBuilder::new().layer(TimeoutLayer::new(Duration::from_secs(60))).service(client);
/// let balancer = LoadBalancer::new(pool, TowerTransport::<_, Full<Bytes>>::new(BoxErrors::new(attempt)));
/// # let _ = async move { balancer.send(http::Request::new(Full::default())).await.map(|_| ()) };
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BoxErrors<S> {
    service: S,
}

impl<S> BoxErrors<S> {
    /// Boxes the errors of `service`.
    pub const fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S: Service<Q>, Q> Service<Q> for BoxErrors<S>
where
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = ServiceError;
    type Future = BoxErrorsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ServiceError>> {
        self.service.poll_ready(cx).map_err(ServiceError::new)
    }

    fn call(&mut self, request: Q) -> BoxErrorsFuture<S::Future> {
        BoxErrorsFuture { future: self.service.call(request) }
    }
}

pin_project_lite::pin_project! {
    /// The future of a [`BoxErrors`].
    #[derive(Debug)]
    pub struct BoxErrorsFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E: Into<BoxError>> Future for BoxErrorsFuture<F> {
    type Output = Result<T, ServiceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.project().future.poll(cx)).map_err(ServiceError::new))
    }
}

/// An error of a service, boxed. It prints as what is in it, and has that one's cause.
pub struct ServiceError(BoxError);

impl ServiceError {
    fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// The service's own error.
    #[must_use]
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.as_ref()
    }

    /// The service's own error.
    #[must_use]
    pub fn into_inner(self) -> BoxError {
        self.0
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
