//! isahc, async. It needs no runtime: the tests run on an executor that is a loop.

use std::{future::Future, pin::Pin, sync::Arc};

use futures::{
    AsyncReadExt, FutureExt,
    executor::block_on,
    future::{Either, select},
};
use isahc::{
    AsyncBody,
    config::Configurable,
    http::{Request, Response},
};
use lb_core::{LoadBalancer, Pool};
use lb_isahc::IsahcTransport;

use crate::{
    stack::{AsyncStack, Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Isahc(IsahcTransport);

impl Isahc {
    fn balancer(&self, pool: &Arc<Pool>) -> LoadBalancer<IsahcTransport> {
        LoadBalancer::new(Arc::clone(pool), self.0.clone())
    }

    fn reply(&self, result: Result<Response<AsyncBody>, lb_core::Error<isahc::Error>>) -> Result<Reply, Failure> {
        let response = result.map_err(|error| Failure::of::<IsahcTransport>(&error, &self.0))?;
        let (parts, mut body) = response.into_parts();
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            served: parts.extensions.get().cloned(),
            exhausted: parts.extensions.get().cloned(),
            url: None,
            next_chunk: Box::new(move || {
                let mut buffer = vec![0; 16 * 1024];
                let length = block_on(body.read(&mut buffer)).map_err(|error| error.to_string())?;
                buffer.truncate(length);
                Ok((length > 0).then_some(buffer))
            }),
        })
    }
}

/// A request with any of isahc's bodies.
pub fn request<B>(call: Call, body: impl FnOnce(Body) -> B) -> Request<B> {
    let mut request = Request::builder().method(call.method.as_str()).uri(call.url());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    if let Some(timeout) = call.timeout {
        request = request.timeout(timeout);
    }
    request.body(body(call.body)).unwrap()
}

fn body(body: Body) -> AsyncBody {
    match body {
        Body::Bytes(body) => body.into(),
        Body::OneShot(body) => AsyncBody::from_reader(futures::io::Cursor::new(body)),
    }
}

impl Stack for Isahc {
    type Upstream = Emulated;

    fn new() -> Self {
        Self(IsahcTransport::new().unwrap())
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name)
    }

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(block_on(self.balancer(pool).send(request(call, body))))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(block_on(self.balancer(pool).try_send(request(call, body))))
    }
}

impl SocketStack for Isahc {
    // isahc gives a response when the first byte of its body is here.
    const HEAD_NEEDS_NO_BODY: bool = false;
}

impl AsyncStack for Isahc {
    // isahc looks whether its caller is still there when the backend sends something, or at a timeout.
    const ABANDONS_AT_ONCE: bool = false;

    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let balancer = self.balancer(pool);
        let sending = balancer.send(request(call, body)).boxed();
        match block_on(select(sending, until)) {
            Either::Left((result, _)) => panic!("the response came first: {result:?}"),
            Either::Right((arrived, _)) => assert!(arrived, "the request did not arrive"),
        }
    }
}

crate::failover::failover!(Isahc);
crate::wire::wire!(Isahc);
crate::faults::faults!(Isahc);
crate::streaming::streaming!(Isahc);
crate::cancel::cancel!(Isahc);
tests_for!(Isahc, reuse, [refusals_share_connections]);
