//! reqwest, async.

use std::{future::Future, pin::Pin, sync::Arc};

use lb_core::{LoadBalancer, Pool, Pools};
use lb_reqwest::ReqwestTransport;
use tokio::runtime::Runtime;

use crate::{
    protocol::Protocol,
    stack::{AsyncStack, Body, Call, Failure, Reply, SocketStack, Stack},
    upstream::{Emulated, certificate},
};

pub struct Reqwest {
    pub transport: ReqwestTransport,
    /// With a thread of its own, on which drains go on between requests.
    pub runtime: Arc<Runtime>,
    pub protocol: Protocol,
}

impl Reqwest {
    fn balancer(&self, pools: &Pools) -> LoadBalancer<ReqwestTransport> {
        LoadBalancer::new(pools, self.transport.clone())
    }

    pub fn reply(&self, result: Result<reqwest::Response, lb_core::Error<reqwest::Error>>) -> Result<Reply, Failure> {
        let mut response = result.map_err(|error| Failure::of(&error, &self.transport))?;
        let headers = response.headers().iter();
        Ok(Reply {
            status: response.status().as_u16(),
            headers: headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            served: response.extensions().get().cloned(),
            exhausted: response.extensions().get().cloned(),
            url: Some(response.url().to_string()),
            next_chunk: {
                let runtime = Arc::clone(&self.runtime);
                Box::new(move || match runtime.block_on(response.chunk()) {
                    Ok(chunk) => Ok(chunk.map(|chunk| chunk.to_vec())),
                    Err(error) => Err(error.to_string()),
                })
            },
        })
    }

    /// Runs until `until` is ready, and drops `sending`; panics if that ends first.
    pub fn run_until<T>(&self, sending: impl Future<Output = T>, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = sending => panic!("the response came first"),
                arrived = until => assert!(arrived, "the request did not arrive"),
            }
        });
    }
}

/// What a client of this protocol is made from.
pub fn client(protocol: Protocol) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder();
    match protocol {
        Protocol::Http1 => client,
        Protocol::Http2 => client.http2_prior_knowledge().tls_certs_only([]),
        Protocol::Tls => client.tls_certs_only([reqwest::Certificate::from_pem(certificate().as_bytes()).unwrap()]),
    }
}

pub fn request(call: Call) -> reqwest::Request {
    let mut request = reqwest::Request::new(call.method.clone(), call.url().parse().unwrap());
    for (name, value) in &call.headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    *request.timeout_mut() = call.timeout;
    *request.body_mut() = Some(match call.body {
        Body::Bytes(body) => body.into(),
        Body::OneShot(body) => {
            // One that is there without waiting would be read into memory, and sent again.
            let waits = async {
                tokio::task::yield_now().await;
                Ok::<_, std::io::Error>(body)
            };
            reqwest::Body::wrap_stream(futures::stream::once(waits))
        }
    });
    request
}

impl Stack for Reqwest {
    type Upstream = Emulated;

    fn new(protocol: Protocol) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let transport = match protocol {
            // As most applications make it.
            Protocol::Http1 => ReqwestTransport::new(),
            other => ReqwestTransport::from_builder(client(other)),
        };
        Self { transport: transport.unwrap(), runtime: Arc::new(runtime), protocol }
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name, self.protocol)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        self.reply(self.runtime.block_on(self.balancer(pools).send_with(request(call.clone()), call.wishes)))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.reply(self.runtime.block_on(self.balancer(&pool.into()).try_send_with(request(call.clone()), call.wishes)))
    }
}

impl SocketStack for Reqwest {}

impl AsyncStack for Reqwest {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let balancer = self.balancer(&pool.into());
        self.run_until(balancer.send_with(request(call.clone()), call.wishes), until);
    }
}

tests_over!(
    Reqwest,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
