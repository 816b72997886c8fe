//! tower, as a transport over hyper-util's client.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, StreamBody, combinators::BoxBody};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lb_core::{LoadBalancer, Pool, Pools};
use lb_tower::{BoxError, BoxErrors, InMemory, MakeBody, Replay, ResponseBody, TowerTransport};
use tokio::runtime::Runtime;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::{ServiceBuilder, ServiceExt, timeout::TimeoutLayer, util::BoxCloneSyncService};

use crate::{
    protocol::Protocol,
    stack::{AsyncStack, Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::{Emulated, certificate},
};

/// In memory, or a stream that can be read once.
pub type Outgoing = Either<Full<Bytes>, BoxBody<Bytes, Infallible>>;

pub type Incoming = hyper::body::Incoming;

/// What the suite's requests go through: a client under a timeout, boxed.
pub type Service = BoxCloneSyncService<Request<Outgoing>, Response<Incoming>, BoxError>;

/// TLS that trusts the suite's backends.
fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate().as_bytes()).unwrap()).unwrap();
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// hyper-util's client, and what runs it.
pub struct Hyper {
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
    /// With a thread of its own, on which drains go on between requests.
    pub runtime: Arc<Runtime>,
    protocol: Protocol,
}

impl Hyper {
    pub fn new(protocol: Protocol) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Else each request over HTTP/2 waits 40 ms for an acknowledgement between its head and its body.
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new();
        let connector = match protocol {
            Protocol::Http1 => {
                connector.try_with_platform_verifier().unwrap().https_or_http().enable_http1().wrap_connector(tcp)
            }
            Protocol::Http2 => connector.with_tls_config(tls()).https_or_http().enable_http2().wrap_connector(tcp),
            Protocol::Tls => connector.with_tls_config(tls()).https_only().enable_all_versions().wrap_connector(tcp),
        };
        let client = Client::builder(TokioExecutor::new()).http2_only(protocol == Protocol::Http2).build(connector);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { client, runtime: Arc::new(runtime), protocol }
    }

    pub fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name, self.protocol)
    }

    pub fn service(&self, call: &Call) -> Service {
        let client = self.client.clone().map_err(BoxError::from);
        let timeout = call.timeout.map(TimeoutLayer::new);
        BoxCloneSyncService::new(ServiceBuilder::new().option_layer(timeout).service(client))
    }

    pub fn reply(&self, response: Response<ResponseBody<Incoming>>) -> Reply {
        let (parts, mut body) = response.into_parts();
        let runtime = Arc::clone(&self.runtime);
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            served: parts.extensions.get().cloned(),
            exhausted: parts.extensions.get().cloned(),
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
    pub fn run_until<T>(&self, sending: impl Future<Output = T>, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = sending => panic!("the response came first"),
                arrived = until => assert!(arrived, "the request did not arrive"),
            }
        });
    }
}

pub fn request(call: Call) -> Request<Outgoing> {
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
    request.extension(call.wishes).body(body).unwrap()
}

/// Copies what is in memory, and tells what is in it.
#[derive(Clone, Copy)]
pub struct Copies;

impl Replay<Outgoing> for Copies {
    fn replay(&self, body: &Outgoing) -> Option<Outgoing> {
        match body {
            Either::Left(bytes) => Some(Either::Left(bytes.clone())),
            Either::Right(_) => None,
        }
    }

    fn bytes(&self, body: &Outgoing) -> Option<(Bytes, MakeBody<Outgoing>)> {
        match body {
            Either::Left(body) => InMemory.bytes(body).map(|(bytes, _)| (bytes, made_of as MakeBody<_>)),
            Either::Right(_) => None,
        }
    }
}

fn made_of(bytes: Bytes) -> Outgoing {
    Either::Left(Full::new(bytes))
}

/// A [`TowerTransport`] under a balancer.
pub struct Transport(Hyper);

type Over = TowerTransport<BoxErrors<Service>, Outgoing, Copies>;

impl Transport {
    fn balancer(&self, pools: &Pools, call: &Call) -> LoadBalancer<Over> {
        let service = BoxErrors::new(self.0.service(call));
        LoadBalancer::new(pools, TowerTransport::new(service).replay_with(Copies))
    }
}

impl Stack for Transport {
    type Upstream = Emulated;

    fn new(protocol: Protocol) -> Self {
        Self(Hyper::new(protocol))
    }

    fn upstream(&self, name: &str) -> Emulated {
        self.0.upstream(name)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        let balancer = self.balancer(pools, &call);
        let result = self.0.runtime.block_on(balancer.send(request(call)));
        result.map(|response| self.0.reply(response)).map_err(|error| Failure::of(&error, balancer.transport()))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        let balancer = self.balancer(&pool.into(), &call);
        let result = self.0.runtime.block_on(balancer.try_send(request(call)));
        result.map(|response| self.0.reply(response)).map_err(|error| Failure::of(&error, balancer.transport()))
    }
}

impl SocketStack for Transport {}

impl AsyncStack for Transport {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let balancer = self.balancer(&pool.into(), &call);
        self.0.run_until(balancer.send(request(call)), until);
    }
}

tests_over!(
    Transport,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
