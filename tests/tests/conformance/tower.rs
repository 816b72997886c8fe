//! tower, over hyper-util's client: as a transport, and as a layer.

use std::{convert::Infallible, error::Error, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, StreamBody, combinators::BoxBody};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lb_core::{LoadBalancer, Pool};
use lb_tower::{BalanceLayer, BoxError, BoxErrors, ResponseBody, TowerTransport};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, ServiceExt, timeout::TimeoutLayer, util::BoxCloneSyncService};

use crate::{
    stack::{AsyncStack, Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

/// In memory, or a stream that can be read once.
type Outgoing = Either<Full<Bytes>, BoxBody<Bytes, Infallible>>;

type Incoming = hyper::body::Incoming;

/// What the suite's requests go through: a client under a timeout, boxed.
type Service = BoxCloneSyncService<Request<Outgoing>, Response<Incoming>, BoxError>;

struct Hyper {
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
    /// With a thread of its own, on which drains go on between requests.
    runtime: Arc<Runtime>,
}

impl Hyper {
    fn new() -> Self {
        let connector = HttpsConnectorBuilder::new().try_with_platform_verifier().unwrap();
        let client = Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { client, runtime: Arc::new(runtime) }
    }

    fn service(&self, call: &Call) -> Service {
        let client = self.client.clone().map_err(BoxError::from);
        let timeout = call.timeout.map(TimeoutLayer::new);
        BoxCloneSyncService::new(ServiceBuilder::new().option_layer(timeout).service(client))
    }

    fn reply(&self, response: Response<ResponseBody<Incoming>>) -> Reply {
        let (parts, mut body) = response.into_parts();
        let runtime = Arc::clone(&self.runtime);
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            served: parts.extensions.get().cloned(),
            exhausted: parts.extensions.get().copied(),
            url: None,
            next_chunk: Box::new(move || {
                while let Some(frame) = runtime.block_on(body.frame()) {
                    if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                        return Ok(Some(data.to_vec()));
                    }
                }
                Ok(None)
            }),
        }
    }

    /// Runs until `until` is ready, and drops `sending`; panics if that ends first.
    fn run_until<T>(&self, sending: impl Future<Output = T>, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = sending => panic!("the response came first"),
                arrived = until => assert!(arrived, "the request did not arrive"),
            }
        });
    }
}

fn request(call: Call) -> Request<Outgoing> {
    let mut request = Request::builder().method(call.method.clone()).uri(call.url());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    let body = match call.body {
        Body::Bytes(body) => Either::Left(Full::from(body)),
        Body::OneShot(body) => {
            let frames = [Ok(hyper::body::Frame::data(Bytes::from(body)))];
            Either::Right(BodyExt::boxed(StreamBody::new(futures::stream::iter(frames))))
        }
    };
    request.body(body).unwrap()
}

fn copy(body: &Outgoing) -> Option<Outgoing> {
    match body {
        Either::Left(bytes) => Some(Either::Left(bytes.clone())),
        Either::Right(_) => None,
    }
}

/// A [`TowerTransport`] under a balancer.
pub struct Transport(Hyper);

type Over = TowerTransport<BoxErrors<Service>, Outgoing, fn(&Outgoing) -> Option<Outgoing>>;

impl Transport {
    fn balancer(&self, pool: &Arc<Pool>, call: &Call) -> LoadBalancer<Over> {
        let service = BoxErrors::new(self.0.service(call));
        LoadBalancer::new(Arc::clone(pool), TowerTransport::new(service).replay_with(copy as fn(&_) -> _))
    }
}

impl Stack for Transport {
    type Upstream = Emulated;

    fn new() -> Self {
        Self(Hyper::new())
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name)
    }

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        let balancer = self.balancer(pool, &call);
        let result = self.0.runtime.block_on(balancer.send(request(call)));
        result.map(|response| self.0.reply(response)).map_err(|error| Failure::of(&error, balancer.transport()))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        let balancer = self.balancer(pool, &call);
        let result = self.0.runtime.block_on(balancer.try_send(request(call)));
        result.map(|response| self.0.reply(response)).map_err(|error| Failure::of(&error, balancer.transport()))
    }
}

impl SocketStack for Transport {
    const HEAD_NEEDS_NO_BODY: bool = true;
}

impl AsyncStack for Transport {
    const ABANDONS_AT_ONCE: bool = true;

    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let balancer = self.balancer(pool, &call);
        self.0.run_until(balancer.send(request(call)), until);
    }
}

/// A service under a [`BalanceLayer`], boxed.
pub struct Layer(Hyper);

impl Layer {
    fn sending(
        &self,
        pool: &Arc<Pool>,
        call: Call,
    ) -> impl Future<Output = Result<Response<ResponseBody<Incoming>>, BoxError>> + use<> {
        let balanced = BalanceLayer::new(Arc::clone(pool)).replay_with(copy);
        let service = ServiceBuilder::new().layer(balanced).service(self.0.service(&call));
        BoxCloneSyncService::new(service).oneshot(request(call))
    }
}

/// Errors of the service come through as they are, so that its faults can be told; others are the balancer's.
fn failure(error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    match error.downcast_ref::<lb_core::Error<Infallible>>() {
        Some(ours) => Failure::with(ours, |never| match *never {}),
        None => Failure::Transport(lb_tower::fault(error)),
    }
}

impl Stack for Layer {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;

    fn new() -> Self {
        Self(Hyper::new())
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name)
    }

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        let result = self.0.runtime.block_on(self.sending(pool, call));
        result.map(|response| self.0.reply(response)).map_err(|error| failure(error.as_ref()))
    }
}

impl SocketStack for Layer {
    const HEAD_NEEDS_NO_BODY: bool = true;
}

impl AsyncStack for Layer {
    const ABANDONS_AT_ONCE: bool = true;

    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.sending(pool, call), until);
    }
}

mod transport {
    crate::failover::failover!(super::Transport);
    crate::wire::wire!(super::Transport);
    crate::faults::faults!(super::Transport);
    crate::streaming::streaming!(super::Transport);
    crate::cancel::cancel!(super::Transport);
    tests_for!(super::Transport, reuse, [refusals_share_connections]);
}

mod layer {
    crate::failover::failover!(super::Layer);
    crate::wire::wire!(super::Layer);
    crate::faults::faults!(super::Layer);
    crate::streaming::streaming!(super::Layer);
    crate::cancel::cancel!(super::Layer);
    tests_for!(super::Layer, reuse, [refusals_share_connections]);
}
