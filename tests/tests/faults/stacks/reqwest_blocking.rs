//! reqwest, blocking.

use std::sync::Arc;

use lb_core::{BlockingLoadBalancer, BlockingTransport, Pool};
use lb_reqwest::BlockingReqwestTransport;
use reqwest::blocking::{Client, Request};

use crate::{
    server::ID,
    stack::{Failure, Stack, Timeouts, URL},
};

pub struct Reqwest(BlockingReqwestTransport);

impl Stack for Reqwest {
    fn new(timeouts: Timeouts) -> Self {
        let client = Client::builder().connect_timeout(timeouts.connect).timeout(timeouts.answer).tls_certs_only([]);
        Self(BlockingReqwestTransport::from_builder(client).unwrap())
    }

    fn send(&self, pool: &Arc<Pool>, id: &str) -> Result<u16, Failure> {
        let mut request = Request::new(reqwest::Method::POST, URL.parse().unwrap());
        request.headers_mut().insert(ID, id.parse().unwrap());
        *request.body_mut() = Some("{}".into());
        let response = BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone()).send(request);
        response
            .map(|response| response.status().as_u16())
            .map_err(|error| Failure::of(error, |error| self.0.fault(error)))
    }
}

faults!(Reqwest);
