//! reqwest, blocking.

use std::sync::Arc;

use lb_core::{BlockingLoadBalancer, BlockingTransport, Pool};
use lb_reqwest::BlockingReqwestTransport;
use reqwest::blocking::{Client, Request};

use crate::{
    stack::{Failure, Protocol, Settings, Stack, URL, body},
    streams::pings,
};

pub struct Reqwest(BlockingReqwestTransport);

impl Stack for Reqwest {
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        let client = Client::builder().connect_timeout(settings.connect).timeout(settings.answer).tls_certs_only([]);
        let (interval, timeout) = pings(settings.answer);
        let client = client.http2_keep_alive_interval(interval).http2_keep_alive_timeout(timeout);
        let client = match settings.protocol {
            Protocol::Http1 => client.http1_only(),
            Protocol::Http2 => client.http2_prior_knowledge(),
        };
        Self(BlockingReqwestTransport::from_builder(client).unwrap())
    }

    fn send(&self, pool: &Arc<Pool>, id: &str) -> Result<u16, Failure> {
        let mut request = Request::new(reqwest::Method::POST, URL.parse().unwrap());
        *request.body_mut() = Some(body(id).into());
        let response = BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone()).send(request);
        response
            .map(|response| response.status().as_u16())
            .map_err(|error| Failure::of(error, |error| self.0.fault(error)))
    }
}

faults!(Reqwest);
mod http2 {
    use std::sync::Arc;

    use lb_core::Pool;

    use crate::stack::{Failure, Protocol, Settings, Stack};

    pub struct Http2(super::Reqwest);

    impl Stack for Http2 {
        const PROTOCOL: Protocol = Protocol::Http2;

        fn new(settings: Settings) -> Self {
            Self(Stack::new(settings))
        }

        fn send(&self, pool: &Arc<Pool>, id: &str) -> Result<u16, Failure> {
            self.0.send(pool, id)
        }
    }

    faults!(Http2);
    streams!(Http2);
}
