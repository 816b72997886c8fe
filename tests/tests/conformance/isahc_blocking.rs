//! isahc, blocking.

use std::{io::Cursor, sync::Arc};

use isahc::{Body as NativeBody, http::Response};
use lb_core::{BlockingLoadBalancer, Pool, Pools};
use lb_isahc::IsahcTransport;

use crate::{
    isahc::{request, transport},
    protocol::Protocol,
    reqwest_blocking::read_some,
    stack::{Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Isahc {
    transport: IsahcTransport,
    protocol: Protocol,
}

impl Isahc {
    fn balancer(&self, pools: &Pools) -> BlockingLoadBalancer<IsahcTransport> {
        BlockingLoadBalancer::new(pools, self.transport.clone())
    }

    fn reply(&self, result: Result<Response<NativeBody>, lb_core::Error<isahc::Error>>) -> Result<Reply, Failure> {
        let (parts, mut body) = result.map_err(|error| Failure::of_blocking(&error, &self.transport))?.into_parts();
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            served: parts.extensions.get().cloned(),
            exhausted: parts.extensions.get().cloned(),
            url: None,
            next_chunk: Box::new(move || read_some(&mut body)),
        })
    }
}

fn body(body: Body) -> NativeBody {
    match body {
        Body::Bytes(body) => body.into(),
        Body::OneShot(body) => NativeBody::from_reader(Cursor::new(body)),
    }
}

impl Stack for Isahc {
    type Upstream = Emulated;

    fn new(protocol: Protocol) -> Self {
        Self { transport: transport(protocol), protocol }
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name, self.protocol)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        self.reply(self.balancer(pools).send(request(call, body)))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(self.balancer(&pool.into()).try_send(request(call, body)))
    }
}

impl SocketStack for Isahc {
    const IS_BLOCKING: bool = true;
    const HEAD_NEEDS_NO_BODY: bool = false;
    // Over TLS, libcurl may meet the reset while it still decrypts what came before.
    const GIVES_ALL_BEFORE_A_RESET: bool = false;
    // libcurl tells it in its log only.
    const TELLS_REFUSED_STREAMS: bool = false;
}

tests_over!(Isahc, [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse]);
