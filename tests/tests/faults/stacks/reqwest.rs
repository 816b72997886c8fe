//! reqwest, async.

use std::sync::Arc;

use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::{LoadBalancer, Pool, Transport};
use lb_reqwest::ReqwestTransport;

use crate::{
    reply::Reply,
    stack::{AsyncStack, Failure, Protocol, Settings, URL, body},
    streams::pings,
    tls::trusted,
};

pub struct Reqwest(ReqwestTransport);

pub fn transport(settings: Settings) -> ReqwestTransport {
    let client = reqwest::Client::builder().connect_timeout(settings.connect).timeout(settings.answer);
    let trusted = reqwest::Certificate::from_der(&trusted().0).unwrap();
    // Reading the system's certificates, which nothing here needs, takes longer than the requests.
    let (interval, timeout) = pings(settings.answer);
    let client = client.tls_certs_only([trusted]).http2_keep_alive_interval(interval).http2_keep_alive_timeout(timeout);
    ReqwestTransport::from_builder(match settings.protocol {
        Protocol::Http1 => client.http1_only(),
        Protocol::Http2 => client.http2_prior_knowledge(),
        Protocol::Tls => client,
    })
    .unwrap()
}

pub fn request(id: &str) -> reqwest::Request {
    let mut request = reqwest::Request::new(reqwest::Method::POST, URL.parse().unwrap());
    *request.body_mut() = Some(body(id).into());
    request
}

impl AsyncStack for Reqwest {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let balancer = LoadBalancer::new(Arc::clone(pool), self.0.clone());
        let request = request(id);
        async move {
            let response = balancer.send(request).await;
            response
                .map(|response| Reply::of(response.into()))
                .map_err(|error| Failure::of(error, |error| balancer.transport().fault(error)))
        }
        .boxed_local()
    }
}

faults!(Reqwest);
dropped!(Reqwest);
http1!(Reqwest);
over!(http2, Http2, Reqwest);
over!(tls, Tls, Reqwest);
