//! reqwest, blocking.

use std::{
    io::{Cursor, Read},
    sync::Arc,
};

use lb_core::{BlockingLoadBalancer, Pool};
use lb_reqwest::BlockingReqwestTransport;
use reqwest::blocking::{Body as NativeBody, Request, Response};

use crate::{
    stack::{Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Reqwest(BlockingReqwestTransport);

impl Reqwest {
    fn balancer(&self, pool: &Arc<Pool>) -> BlockingLoadBalancer<BlockingReqwestTransport> {
        BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone())
    }

    fn reply(&self, result: Result<Response, lb_core::Error<reqwest::Error>>) -> Result<Reply, Failure> {
        let mut response = result.map_err(|error| Failure::of_blocking(&error, &self.0))?;
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

    fn new() -> Self {
        Self(BlockingReqwestTransport::new().unwrap())
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name)
    }

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(self.balancer(pool).send(request(call)))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(self.balancer(pool).try_send(request(call)))
    }
}

impl SocketStack for Reqwest {
    const HEAD_NEEDS_NO_BODY: bool = true;
}

crate::failover::failover!(Reqwest);
crate::wire::wire!(Reqwest);
crate::faults::faults!(Reqwest);
crate::streaming::streaming!(Reqwest);
tests_for!(Reqwest, reuse, [refusals_mostly_share_connections]);
