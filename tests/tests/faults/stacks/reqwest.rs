//! reqwest, async.

use std::sync::Arc;

use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::{LoadBalancer, Pool, Transport};
use lb_reqwest::ReqwestTransport;

use crate::{
    server::ID,
    stack::{AsyncStack, Failure, Timeouts, URL},
};

pub struct Reqwest(ReqwestTransport);

pub fn transport(timeouts: Timeouts) -> ReqwestTransport {
    let client = reqwest::Client::builder().connect_timeout(timeouts.connect).timeout(timeouts.answer);
    // Reading the system's certificates, which nothing here needs, takes longer than the requests.
    ReqwestTransport::from_builder(client.tls_certs_only([])).unwrap()
}

pub fn request(id: &str) -> reqwest::Request {
    let mut request = reqwest::Request::new(reqwest::Method::POST, URL.parse().unwrap());
    request.headers_mut().insert(ID, id.parse().unwrap());
    *request.body_mut() = Some("{}".into());
    request
}

impl AsyncStack for Reqwest {
    fn new(timeouts: Timeouts) -> Self {
        Self(transport(timeouts))
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

faults!(Reqwest);
dropped!(Reqwest);
