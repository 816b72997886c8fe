//! The transport over a service.

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt,
    future::{Future, poll_fn, ready},
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use lb_core::{Error, Exhausted, Fault, Head, Refusal, Served, Target, Transport, Wishes, causes};
use lb_drain::Drain;
use tower_service::Service;

#[cfg(feature = "json")]
use crate::model::address_body;
use crate::{
    box_errors::ServiceError,
    fault::{Faults, fault},
    model::requested_model,
    replay::{ByClone, OneAttempt, Replay},
    response_body::ResponseBody,
};

/// A [`Service`] over HTTP as the transport of a [`LoadBalancer`](lb_core::LoadBalancer).
///
/// `S` is any service of `http::Request<B>` that is `Clone + Send + Sync`: a client, or a client under layers, also boxed
/// as tower's `BoxCloneSyncService`. Its error stays its own. `R` says which bodies can be sent again.
///
/// Each attempt clones the service, drives that clone to readiness and calls it. An error of `poll_ready` is judged
/// like one of `call`. The service must follow no redirects, and not retry.
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use lb_tower::{Backend, Error, LoadBalancer, Pool, TowerTransport};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
/// # let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
/// connector.set_nodelay(true);
/// // Around a TLS connector a timeout of its own; see the documentation of the crate.
/// connector.set_connect_timeout(Some(lb_tower::CONNECT_TIMEOUT));
/// let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
/// let balancer = LoadBalancer::new(pool, TowerTransport::new(client));
/// let request = http::Request::post("https://any.host/openai/v1/chat/completions").body(Full::from("{}"))?;
/// match balancer.try_send(request).await {
///     Ok(response) => println!("{}", response.status()),
///     Err(Error::Exhausted(exhausted)) => println!("come back in {:?}", exhausted.retry_after()),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
pub struct TowerTransport<S, B, R = ByClone> {
    service: S,
    pub(crate) seams: Seams<R>,
    body: PhantomData<fn(B)>,
}

/// What a transport does around the service.
#[derive(Clone)]
pub(crate) struct Seams<R> {
    pub(crate) replay: R,
    pub(crate) faults: Faults,
    pub(crate) drain: Drain,
}

impl Seams<ByClone> {
    pub(crate) fn new() -> Self {
        Self { replay: ByClone, faults: Arc::new(fault), drain: Drain::new() }
    }
}

impl<R> Seams<R> {
    pub(crate) fn replay_with<T>(self, replay: T) -> Seams<T> {
        Seams { replay, faults: self.faults, drain: self.drain }
    }

    pub(crate) fn faults_by(
        mut self,
        faults: impl Fn(&(dyn StdError + 'static)) -> Fault + Send + Sync + 'static,
    ) -> Self {
        self.faults = Arc::new(faults);
        self
    }
}

impl<S, B> TowerTransport<S, B> {
    /// A transport over `service`; bodies are copied by their `Clone`.
    pub fn new(service: S) -> Self {
        Self::with_seams(service, Seams::new())
    }
}

impl<S, B, R> TowerTransport<S, B, R> {
    pub(crate) const fn with_seams(service: S, seams: Seams<R>) -> Self {
        Self { service, seams, body: PhantomData }
    }

    /// The same for bodies that cannot be copied: each request is routed to the best backend and sent once.
    #[must_use]
    pub fn one_attempt(self) -> TowerTransport<S, B, OneAttempt> {
        self.replay_with(OneAttempt)
    }

    /// The same with bodies that are copied by `replay`, which can be a function `Fn(&B) -> Option<B>`.
    #[must_use]
    pub fn replay_with<T: Replay<B>>(self, replay: T) -> TowerTransport<S, B, T> {
        TowerTransport::with_seams(self.service, self.seams.replay_with(replay))
    }

    /// The same with another judgement of errors than [`fault`](crate::fault).
    #[must_use]
    pub fn faults_by(mut self, faults: impl Fn(&(dyn StdError + 'static)) -> Fault + Send + Sync + 'static) -> Self {
        self.seams = self.seams.faults_by(faults);
        self
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &S {
        &self.service
    }
}

impl<S: Clone, B, R: Clone> Clone for TowerTransport<S, B, R> {
    fn clone(&self) -> Self {
        Self::with_seams(self.service.clone(), self.seams.clone())
    }
}

impl<S, B, R> fmt::Debug for TowerTransport<S, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The service might print what it was built with.
        f.debug_struct("TowerTransport").finish_non_exhaustive()
    }
}

impl<S, B, D, R> Transport for TowerTransport<S, B, R>
where
    S: Service<Request<B>, Response = Response<D>> + Clone + Send + Sync,
    S::Future: Send,
    S::Error: StdError + Send + 'static,
    B: Send,
    D: Body<Data = Bytes> + Send + 'static,
    D::Error: Send,
    R: Replay<B>,
{
    type Request = Request<B>;
    type Response = Response<ResponseBody<D>>;
    type Error = S::Error;

    fn replay(&self, original: &mut Request<B>) -> Option<Request<B>> {
        let mut copy = Request::new(self.seams.replay.replay(original.body())?);
        *copy.method_mut() = original.method().clone();
        *copy.uri_mut() = original.uri().clone();
        *copy.version_mut() = original.version();
        *copy.headers_mut() = original.headers().clone();
        *copy.extensions_mut() = original.extensions().clone();
        Some(copy)
    }

    fn model<'r>(&'r self, original: &'r mut Request<B>) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        ready(requested_model(original, &self.seams.replay))
    }

    async fn send(&self, mut request: Request<B>, target: &Target<'_>) -> Result<Self::Response, Error<S::Error>> {
        target.address(&mut request)?;
        #[cfg(feature = "json")]
        address_body(&mut request, &self.seams.replay, target);
        // A clone of its own: readiness belongs to the value that was polled, and another attempt could use it up.
        let mut service = self.service.clone();
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(Error::Transport)?;
        let response = service.call(request).await.map_err(Error::Transport)?;
        Ok(response.map(ResponseBody::backend))
    }

    fn head<'r>(&self, response: &'r Self::Response) -> Head<'r> {
        Head::new(response.status().as_u16(), response.headers())
    }

    fn fault(&self, error: &S::Error) -> Fault {
        let error: &(dyn StdError + 'static) = error;
        match error.downcast_ref::<ServiceError>() {
            Some(boxed) => (self.seams.faults)(boxed.get_ref()),
            None => (self.seams.faults)(error),
        }
    }

    fn describe(&self, error: &S::Error) -> String {
        causes(error)
    }

    fn synthesize(&self, _: &Request<B>, exhausted: &Exhausted) -> Self::Response {
        exhausted.to_response().map(ResponseBody::synthesised)
    }

    fn mark(&self, response: &mut Self::Response, served: Served) {
        response.extensions_mut().insert(served);
    }

    fn wishes(&self, request: &Request<B>) -> Option<Wishes> {
        request.extensions().get().cloned()
    }

    async fn peek(
        &self,
        response: Self::Response,
        enough: impl Future<Output = ()> + Send,
    ) -> (Self::Response, Option<Refusal>) {
        let (parts, body) = response.into_parts();
        let (body, refusal) = body.peek(enough).await;
        (Response::from_parts(parts, body), refusal)
    }

    async fn sleep(&self, duration: Duration) {
        lb_drain::sleep(duration).await;
    }

    fn discard(&self, response: Self::Response) {
        self.seams.drain.discard(response.into_body());
    }
}
