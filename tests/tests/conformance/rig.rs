//! rig's `HttpClientExt`, over reqwest: `send`, and `send_streaming` for calls that ask for a stream.
//!
//! An answer that is no success is an error there, with status, headers and body as text, and without extensions. A
//! body is always bytes, and there is no timeout per request.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request, Response};
use lb_core::{Error, Pool, Pools};
use lb_reqwest::ReqwestTransport;
use lb_rig::BalancedClient;
use rig_http::http_client::{self, HttpClientExt, StreamingResponse};

use crate::{
    protocol::Protocol,
    reqwest::{Reqwest, client},
    stack::{AsyncStack, Body, Call, Failure, NextChunk, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Rig(Reqwest);

impl Rig {
    fn client(&self, pools: &Pools, call: &Call) -> BalancedClient {
        let transport = match call.timeout {
            None => self.0.transport.clone(),
            Some(timeout) => ReqwestTransport::from_builder(client(self.0.protocol).timeout(timeout)).unwrap(),
        };
        BalancedClient::new(pools, transport).with(call.wishes.clone())
    }

    fn chunks(&self, mut body: http_client::BoxedStream) -> NextChunk {
        let runtime = Arc::clone(&self.0.runtime);
        Box::new(move || match runtime.block_on(body.next()) {
            Some(chunk) => chunk.map(|chunk| Some(chunk.to_vec())).map_err(|error| error.to_string()),
            None => Ok(None),
        })
    }

    /// What rig's errors mean: an answer, or none.
    fn refusal(&self, error: http_client::Error) -> Result<Reply, Failure> {
        let error = match error {
            http_client::Error::InvalidStatusCodeWithDetails { status, body, headers } => {
                let mut body = Some(body.into_bytes());
                let (mut head, ()) = Response::new(()).into_parts();
                (head.status, head.headers) = (status, headers);
                return Ok(reply(&head, Box::new(move || Ok(body.take()))));
            }
            http_client::Error::Instance(error) => error,
            other => panic!("unexpected error {other}"),
        };
        Err(match error.downcast::<Error<Infallible>>() {
            Ok(error) => Failure::with(&error, |never| match *never {}),
            Err(error) => Failure::of(&Error::Transport(*error.downcast().unwrap()), &self.0.transport),
        })
    }
}

fn request(call: Call) -> Request<Bytes> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        headers.append(*name, value.parse().unwrap());
    }
    let uri = call.url();
    let (Body::Bytes(body) | Body::OneShot(body)) = call.body;
    let mut request = Request::builder().method(call.method).uri(uri).body(body.into()).unwrap();
    *request.headers_mut() = headers;
    request
}

fn reply(head: &http::response::Parts, next_chunk: NextChunk) -> Reply {
    Reply {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        served: head.extensions.get().cloned(),
        exhausted: head.extensions.get().cloned(),
        url: None,
        next_chunk,
    }
}

impl Stack for Rig {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;
    const HAS_ONE_SHOT_BODIES: bool = false;
    const REFUSALS_HAVE_EXTENSIONS: bool = false;

    fn new(protocol: Protocol) -> Self {
        Self(Reqwest::new(protocol))
    }

    fn upstream(&self, name: &str) -> Emulated {
        self.0.upstream(name)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        let client = self.client(pools, &call);
        let runtime = Arc::clone(&self.0.runtime);
        let request = request(call);
        if request.body().ends_with(br#""stream":true}"#) {
            let response: StreamingResponse = match runtime.block_on(client.send_streaming(request)) {
                Ok(response) => response,
                Err(error) => return self.refusal(error),
            };
            let (head, body) = response.into_parts();
            return Ok(reply(&head, self.chunks(body)));
        }
        let (head, body) = match runtime.block_on(client.send::<Bytes, Vec<u8>>(request)) {
            Ok(response) => response.into_parts(),
            Err(error) => return self.refusal(error),
        };
        let mut body = Some(body);
        let whole = move || match body.take() {
            Some(body) => runtime.block_on(body).map(Some).map_err(|error| error.to_string()),
            None => Ok(None),
        };
        Ok(reply(&head, Box::new(whole)))
    }
}

impl SocketStack for Rig {}

impl AsyncStack for Rig {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let sending = self.client(&pool.into(), &call).send::<Bytes, Bytes>(request(call));
        self.0.run_until(sending, until);
    }
}

tests_over!(
    Rig,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
