//! tower, as a transport over hyper-util's client.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use lb_core::{LoadBalancer, Pool, Transport as _};
use lb_tower::{BoxError, BoxErrors, TowerTransport};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use crate::{
    stack::{AsyncStack, Failure, Protocol, Settings, URL, body},
    streams::pings,
};

/// hyper-util's client under a timeout, boxed.
pub type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

pub fn service(settings: Settings) -> Service {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(settings.connect));
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
    fn new(settings: Settings) -> Self {
        Self(TowerTransport::new(BoxErrors::new(service(settings))))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<u16, Failure>> {
        let balancer = LoadBalancer::new(Arc::clone(pool), self.0.clone());
        let request = request(id);
        async move {
            let response = balancer.send(request).await;
            response
                .map(|response| response.status().as_u16())
                .map_err(|error| Failure::of(error, |error| balancer.transport().fault(error)))
        }
        .boxed_local()
    }
}

faults!(Transport);
dropped!(Transport);
http2!(Transport);
