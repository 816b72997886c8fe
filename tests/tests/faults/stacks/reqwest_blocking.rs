//! reqwest, blocking.

use std::sync::Arc;

use lb_core::{BlockingLoadBalancer, BlockingTransport, Pool};
use lb_reqwest::BlockingReqwestTransport;
use reqwest::blocking::{Client, Request};

use crate::{
    reply::{Content, Reply},
    stack::{Failure, Protocol, Settings, Stack, URL, body},
    streams::pings,
    tls::trusted,
};

pub struct Reqwest(BlockingReqwestTransport);

impl Stack for Reqwest {
    const HAS_TLS: bool = true;
    const DRAINS_BRIEFLY: bool = false;

    fn new(settings: Settings) -> Self {
        let trusted = reqwest::Certificate::from_der(&trusted().0).unwrap();
        let client =
            Client::builder().connect_timeout(settings.connect).timeout(settings.answer).tls_certs_only([trusted]);
        let (interval, timeout) = pings(settings.answer);
        let client = client.http2_keep_alive_interval(interval).http2_keep_alive_timeout(timeout);
        let client = match settings.protocol {
            Protocol::Http1 => client.http1_only(),
            Protocol::Http2 => client.http2_prior_knowledge(),
            Protocol::Tls => client,
        };
        Self(BlockingReqwestTransport::from_builder(client).unwrap())
    }

    fn fetch(&self, pool: &Arc<Pool>, id: &str) -> Result<Reply, Failure> {
        let mut request = Request::new(reqwest::Method::POST, URL.parse().unwrap());
        *request.body_mut() = Some(body(id).into());
        let response = BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone()).send(request);
        response
            .map(|response| {
                let headers =
                    response.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
                Reply::new(response.status().as_u16(), headers.collect::<Vec<_>>(), || Content::of_reader(response))
            })
            .map_err(|error| Failure::of(error, |error| self.0.fault(error)))
    }
}

faults!(Reqwest);
http1!(Reqwest);
blocking_over!(http2, Http2, Reqwest);
blocking_over!(tls, Tls, Reqwest);
