//! tower, as a transport over hyper-util's client.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lb_core::{LoadBalancer, Pool, Transport as _};
use lb_tower::{BoxError, BoxErrors, TowerTransport};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use crate::{
    server::ID,
    stack::{AsyncStack, Failure, Timeouts, URL},
};

/// hyper-util's client under a timeout, boxed.
pub type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

pub fn service(timeouts: Timeouts) -> Service {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(timeouts.connect));
    let client = Client::builder(TokioExecutor::new()).build(connector);
    BoxCloneSyncService::new(ServiceBuilder::new().timeout(timeouts.answer).service(client))
}

pub fn request(id: &str) -> Request<Full<Bytes>> {
    Request::post(URL).header(ID, id).body(Full::from("{}")).unwrap()
}

/// A [`TowerTransport`] under a balancer.
pub struct Transport(TowerTransport<BoxErrors<Service>, Full<Bytes>>);

impl AsyncStack for Transport {
    fn new(timeouts: Timeouts) -> Self {
        Self(TowerTransport::new(BoxErrors::new(service(timeouts))))
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
