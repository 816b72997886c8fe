//! reqwest, blocking.

use std::{
    io::{Cursor, Read},
    sync::Arc,
};

use lb_core::{BlockingLoadBalancer, Pool, Pools};
use lb_reqwest::BlockingReqwestTransport;
use reqwest::{
    Certificate,
    blocking::{Body as NativeBody, Client, Request, Response},
};

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::{Emulated, certificate},
};

pub struct Reqwest {
    transport: BlockingReqwestTransport,
    protocol: Protocol,
}

impl Reqwest {
    fn balancer(&self, pools: &Pools) -> BlockingLoadBalancer<BlockingReqwestTransport> {
        BlockingLoadBalancer::new(pools, self.transport.clone())
    }

    fn reply(&self, result: Result<Response, lb_core::Error<reqwest::Error>>) -> Result<Reply, Failure> {
        let mut response = result.map_err(|error| Failure::of_blocking(&error, &self.transport))?;
        let headers = response.headers().iter();
        Ok(Reply {
            status: response.status().as_u16(),
            headers: headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            served: response.extensions().get().cloned(),
            exhausted: response.extensions().get().cloned(),
            url: Some(response.url().to_string()),
            next_chunk: Box::new(move || read_some(&mut response)),
        })
    }
}

/// What one read gives; `None` at the end.
pub fn read_some(reader: &mut impl Read) -> Result<Option<Vec<u8>>, String> {
    let mut buffer = vec![0; 16 * 1024];
    let length = reader.read(&mut buffer).map_err(|error| error.to_string())?;
    buffer.truncate(length);
    Ok((length > 0).then_some(buffer))
}

fn request(call: Call) -> Request {
    let mut request = Request::new(call.method.clone(), call.url().parse().unwrap());
    for (name, value) in &call.headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    *request.timeout_mut() = call.timeout;
    *request.body_mut() = Some(match call.body {
        Body::Bytes(body) => body.into(),
        Body::OneShot(body) => NativeBody::new(Cursor::new(body)),
    });
    request
}

impl Stack for Reqwest {
    type Upstream = Emulated;

    fn new(protocol: Protocol) -> Self {
        let client = Client::builder();
        let transport = match protocol {
            // As most applications make it.
            Protocol::Http1 => BlockingReqwestTransport::new(),
            Protocol::Http2 => {
                BlockingReqwestTransport::from_builder(client.http2_prior_knowledge().tls_certs_only([]))
            }
            Protocol::Tls => {
                let certificate = Certificate::from_pem(certificate().as_bytes()).unwrap();
                BlockingReqwestTransport::from_builder(client.tls_certs_only([certificate]))
            }
        };
        Self { transport: transport.unwrap(), protocol }
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name, self.protocol)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        self.reply(self.balancer(pools).send_with(request(call.clone()), call.wishes))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(self.balancer(&pool.into()).try_send_with(request(call.clone()), call.wishes))
    }
}

impl SocketStack for Reqwest {
    const IS_BLOCKING: bool = true;
    // How long a read blocks has no bound.
    const LOOKS_INTO_STREAMS: bool = false;
    // Drained by threads, which the next request may overtake.
    const DRAINS_BEFORE_THE_NEXT: bool = false;
}

tests_over!(Reqwest, [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse]);
