//! The balancer as a layer, and the service that it makes.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use lb_core::{Call, Fault, Pool, Pools, ThreadRng, drive};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BoxError,
    box_errors::{BoxErrors, ServiceError},
    replay::{ByClone, OneAttempt, Replay},
    response_body::ResponseBody,
    transport::{Seams, TowerTransport},
};

/// Balances the requests to a service over the backends of a pool.
///
/// The crate's documentation says where it goes among other layers. Clones, and the services that they make, share the
/// pool.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use lb_tower::{Backend, BalanceLayer, Pool, ResponseBody, Served};
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # futures::executor::block_on(async {
/// let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
/// // A client that answers with where it was sent to.
/// let client = service_fn(|request: Request<Full<Bytes>>| async move {
///     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(request.uri().to_string())))
/// });
/// let service = ServiceBuilder::new().layer(BalanceLayer::new(pool)).service(client);
/// let service: BoxCloneSyncService<_, Response<ResponseBody<Full<Bytes>>>, _> = BoxCloneSyncService::new(service);
///
/// let response = service.oneshot(Request::get("https://any.host/openai/v1/models").body(Full::default())?).await?;
/// assert_eq!(response.extensions().get::<Served>().map(Served::backend), Some("ptu.openai.azure.com"));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct BalanceLayer<R = ByClone> {
    pools: Pools,
    seams: Seams<R>,
}

impl BalanceLayer {
    /// A layer on `pools`: a [`Pool`], an `Arc<Pool>` shared with other balancers, or whatever else makes [`Pools`]. Bodies
    /// are copied by their `Clone`.
    pub fn new(pools: impl Into<Pools>) -> Self {
        Self { pools: pools.into(), seams: Seams::new() }
    }
}

impl<R> BalanceLayer<R> {
    /// The same for bodies that cannot be copied: each request is routed to the best backend and sent once.
    #[must_use]
    pub fn one_attempt(self) -> BalanceLayer<OneAttempt> {
        self.replay_with(OneAttempt)
    }

    /// The same with bodies that are copied by `replay`, a [`Replay`]; it can be a function `Fn(&B) -> Option<B>`.
    #[must_use]
    pub fn replay_with<T>(self, replay: T) -> BalanceLayer<T> {
        BalanceLayer { pools: self.pools, seams: self.seams.replay_with(replay) }
    }

    /// The same with another judgement of errors than [`fault`](crate::fault).
    #[must_use]
    pub fn faults_by(mut self, faults: impl Fn(&(dyn StdError + 'static)) -> Fault + Send + Sync + 'static) -> Self {
        self.seams = self.seams.faults_by(faults);
        self
    }

    /// The pool that serves a request which begins now, for its snapshot.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        self.pools.pool()
    }
}

impl<R> fmt::Debug for BalanceLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceLayer").field("pools", &self.pools).finish_non_exhaustive()
    }
}

impl<S, R: Clone> Layer<S> for BalanceLayer<R> {
    type Service = Balance<S, R>;

    fn layer(&self, service: S) -> Balance<S, R> {
        Balance { service, layer: self.clone() }
    }
}

/// A service whose requests are balanced, made by a [`BalanceLayer`].
///
/// It is always ready: readiness of the service underneath is awaited by each attempt.
///
/// # Errors
///
/// Those of the service underneath as they are, boxed, so that they can be downcast as if no balancer were there. What
/// the balancer itself has to say is a [`lb_core::Error<Infallible>`](lb_core::Error): a request that cannot be
/// addressed, or a credential that could not be had. Exhaustion is no error but a synthesised 429.
///
/// # Cancel safety
///
/// Dropping the future abandons the request, and counts the open attempt as cancelled: no backend is blamed.
#[derive(Clone)]
pub struct Balance<S, R = ByClone> {
    service: S,
    layer: BalanceLayer<R>,
}

impl<S> Balance<S> {
    /// Balances the requests to `service` over the backends of `pools`.
    pub fn new(pools: impl Into<Pools>, service: S) -> Self {
        BalanceLayer::new(pools).layer(service)
    }
}

impl<S, R> Balance<S, R> {
    /// The pool that serves a request which begins now, for its snapshot.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        self.layer.pools.pool()
    }
}

impl<S, R> fmt::Debug for Balance<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance").field("pools", &self.layer.pools).finish_non_exhaustive()
    }
}

impl<S, B, D, R> Service<Request<B>> for Balance<S, R>
where
    S: Service<Request<B>, Response = Response<D>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Send + 'static,
    D: Body<Data = Bytes> + Send + 'static,
    D::Error: Send,
    R: Replay<B> + Clone + 'static,
{
    type Response = Response<ResponseBody<D>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let pools = self.layer.pools.clone();
        let service = BoxErrors::new(self.service.clone());
        let transport = TowerTransport::with_seams(service, self.layer.seams.clone());
        Box::pin(async move {
            let result = drive(&pools, &transport, &ThreadRng, request, Call::default()).await;
            result.map_err(|error| error.into_transport().map_or_else(BoxError::from, ServiceError::into_inner))
        })
    }
}
