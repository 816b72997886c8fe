//! isahc, async. It needs no runtime: the tests run on an executor that is a loop.

use std::{future::Future, pin::Pin, sync::Arc};

use futures::{
    AsyncReadExt, FutureExt,
    executor::block_on,
    future::{Either, select},
};
use isahc::{
    AsyncBody, HttpClient,
    config::{Configurable, VersionNegotiation},
    http::{Request, Response},
    tls::{TlsConfig, TrustStore},
};
use lb_core::{LoadBalancer, Pool, Pools};
use lb_isahc::IsahcTransport;

use crate::{
    protocol::Protocol,
    stack::{AsyncStack, Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::{Emulated, certificate},
};

pub struct Isahc {
    transport: IsahcTransport,
    protocol: Protocol,
}

impl Isahc {
    fn balancer(&self, pools: &Pools) -> LoadBalancer<IsahcTransport> {
        LoadBalancer::new(pools, self.transport.clone())
    }

    fn reply(&self, result: Result<Response<AsyncBody>, lb_core::Error<isahc::Error>>) -> Result<Reply, Failure> {
        let response = result.map_err(|error| Failure::of::<IsahcTransport>(&error, &self.transport))?;
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

/// A transport of this protocol.
pub fn transport(protocol: Protocol) -> IsahcTransport {
    let transport = match protocol {
        // As most applications make it.
        Protocol::Http1 => IsahcTransport::new(),
        Protocol::Http2 => IsahcTransport::with_clients(|| {
            HttpClient::builder().version_negotiation(VersionNegotiation::http2()).build()
        }),
        Protocol::Tls => IsahcTransport::with_clients(|| {
            let trusted = TrustStore::builder().certificate_from_pem(certificate()).build();
            HttpClient::builder().tls_config(TlsConfig::builder().trust_store(trusted).build()).build()
        }),
    };
    transport.unwrap()
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
    request.extension(call.wishes).body(body(call.body)).unwrap()
}

fn body(body: Body) -> AsyncBody {
    match body {
        Body::Bytes(body) => body.into(),
        Body::OneShot(body) => AsyncBody::from_reader(futures::io::Cursor::new(body)),
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
        self.reply(block_on(self.balancer(pools).send(request(call, body))))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(block_on(self.balancer(&pool.into()).try_send(request(call, body))))
    }
}

impl SocketStack for Isahc {
    // isahc gives a response when the first byte of its body is here.
    const HEAD_NEEDS_NO_BODY: bool = false;
    // Over TLS, libcurl may meet the reset while it still decrypts what came before.
    const GIVES_ALL_BEFORE_A_RESET: bool = false;
    // libcurl tells it in its log only.
    const TELLS_REFUSED_STREAMS: bool = false;
}

impl AsyncStack for Isahc {
    // isahc looks whether its caller is still there when the backend sends something, or at a timeout.
    const ABANDONS_AT_ONCE: bool = false;

    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let balancer = self.balancer(&pool.into());
        let sending = balancer.send(request(call, body)).boxed();
        match block_on(select(sending, until)) {
            Either::Left((result, _)) => panic!("the response came first: {result:?}"),
            Either::Right((arrived, _)) => assert!(arrived, "the request did not arrive"),
        }
    }
}

tests_over!(
    Isahc,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
