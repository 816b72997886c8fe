//! tower, as a transport over hyper-util's client.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use lb_core::{LoadBalancer, Pool, Transport as _};
use lb_tower::{BoxError, BoxErrors, TowerTransport};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tower::{ServiceBuilder, timeout::Timeout, util::BoxCloneSyncService};

use crate::{
    reply::Reply,
    stack::{AsyncStack, Failure, Protocol, Settings, URL, body},
    streams::pings,
    tls::trusted,
};

/// hyper-util's client under a timeout, boxed.
pub type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

pub fn service(settings: Settings) -> Service {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // Else each request over HTTP/2 waits 40 ms for an acknowledgement between its head and its body.
    tcp.set_nodelay(true);
    let mut roots = RootCertStore::empty();
    roots.add(trusted().0).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config.with_root_certificates(roots).with_no_client_auth())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    // As lb-tower's first example has it: around TCP and TLS.
    let connector = BoxCloneSyncService::new(Timeout::new(connector, settings.connect));
    let (interval, timeout) = pings(settings.answer);
    let client = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_only(settings.protocol == Protocol::Http2)
        .http2_keep_alive_interval(interval)
        .http2_keep_alive_timeout(timeout)
        .build(connector);
    BoxCloneSyncService::new(ServiceBuilder::new().timeout(settings.answer).service(client))
}

pub fn request(id: &str) -> Request<Full<Bytes>> {
    Request::post(URL).body(Full::from(body(id))).unwrap()
}

/// A [`TowerTransport`] under a balancer.
pub struct Transport(TowerTransport<BoxErrors<Service>, Full<Bytes>>);

impl AsyncStack for Transport {
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(TowerTransport::new(BoxErrors::new(service(settings))))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let balancer = LoadBalancer::new(Arc::clone(pool), self.0.clone());
        let request = request(id);
        async move {
            let response = balancer.send(request).await;
            response.map(Reply::of).map_err(|error| Failure::of(error, |error| balancer.transport().fault(error)))
        }
        .boxed_local()
    }
}

faults!(Transport);
dropped!(Transport);
http1!(Transport);
over!(http2, Http2, Transport);
over!(tls, Tls, Transport);
