//! azure_core's `HttpClient`, over azure_core's own client, which is reqwest's.
//!
//! The suite runs on [`BalancedHttpClient::send`], whose response has what azure_core's own cannot carry: the verdict
//! behind a synthesised 429. What is checked is the response in azure_core's form; a pipeline gets no other.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use async_trait::async_trait;
use azure_core::{
    http::{AsyncRawResponse, HttpClient, Method, Request},
    stream::SeekableStream,
};
use futures::{AsyncRead, StreamExt};
use lb_azure::{ATTEMPTS, BalancedHttpClient, SERVED_BY};
use lb_core::{Exhausted, Pool, Pools, Served};
use reqwest::redirect::Policy;
use tokio::runtime::Runtime;

use crate::{
    protocol::Protocol,
    reqwest::client,
    stack::{AsyncStack, Body, Call, Failure, Reply, SocketStack, Stack, backend, pool},
    upstream::{Answer, Emulated, Upstream},
};

pub struct Azure {
    client: Arc<dyn HttpClient>,
    /// With a thread of its own, on which drains go on between requests.
    runtime: Arc<Runtime>,
    protocol: Protocol,
}

impl Azure {
    /// An azure_core request has no timeout of its own; its client has.
    fn client(&self, pools: &Pools, call: &Call) -> BalancedHttpClient {
        let client = match call.timeout {
            None => Arc::clone(&self.client),
            Some(timeout) => made_by(client(self.protocol).timeout(timeout)),
        };
        BalancedHttpClient::with_client_that_follows_no_redirects(pools, client).with(call.wishes.clone())
    }

    fn reply(&self, raw: AsyncRawResponse, exhausted: Option<Exhausted>, served: Option<Served>) -> Reply {
        let (status, headers, mut body) = raw.deconstruct();
        assert_eq!(headers.get_optional_str(&SERVED_BY), served.as_ref().map(Served::backend));
        assert_eq!(headers.get_optional_as(&ATTEMPTS).unwrap(), served.as_ref().map(Served::attempts));
        let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_str().as_bytes().to_vec())).collect();
        let runtime = Arc::clone(&self.runtime);
        let next_chunk = Box::new(move || match runtime.block_on(body.next()) {
            Some(Ok(chunk)) => Ok(Some(chunk.to_vec())),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(None),
        });
        Reply { status: status.into(), headers, served, exhausted, url: None, next_chunk }
    }
}

fn made_by(builder: reqwest::ClientBuilder) -> Arc<dyn HttpClient> {
    Arc::new(builder.redirect(Policy::none()).build().unwrap())
}

fn request(call: Call) -> Request {
    assert_eq!(call.method, http::Method::POST, "the suite sends nothing else");
    let mut request = Request::new(call.url().parse().unwrap(), Method::Post);
    for (name, value) in call.headers {
        request.insert_header(name, value);
    }
    match call.body {
        Body::Bytes(body) => request.set_body(body),
        Body::OneShot(body) => {
            let stream: Box<dyn SeekableStream> = Box::new(OneShot(io::Cursor::new(body)));
            request.set_body(stream);
        }
    }
    request
}

/// A stream that cannot go back to its beginning.
#[derive(Debug, Clone)]
struct OneShot(io::Cursor<Vec<u8>>);

impl AsyncRead for OneShot {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(&mut self.0, buffer))
    }
}

#[async_trait]
impl SeekableStream for OneShot {
    async fn reset(&mut self) -> azure_core::Result<()> {
        Err(io::Error::from(io::ErrorKind::NotSeekable).into())
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

fn failure(error: lb_core::Error<azure_core::Error>) -> Failure {
    Failure::with(&error, lb_azure::fault)
}

impl Stack for Azure {
    type Upstream = Emulated;

    fn new(protocol: Protocol) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = match protocol {
            Protocol::Http1 => azure_core::http::new_http_client(None),
            other => made_by(client(other)),
        };
        Self { client, runtime: Arc::new(runtime), protocol }
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name, self.protocol)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        let client = self.client(pools, &call);
        let response = self.runtime.block_on(client.send(&request(call))).map_err(failure)?;
        let (exhausted, served) = (response.exhausted().cloned(), response.served().cloned());
        Ok(self.reply(response.into_raw(), exhausted, served))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        let client = self.client(&pool.into(), &call);
        let response = self.runtime.block_on(client.try_send(&request(call))).map_err(failure)?;
        let served = response.served().cloned();
        Ok(self.reply(response.into_raw(), None, served))
    }
}

impl SocketStack for Azure {}

impl AsyncStack for Azure {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        let client = self.client(&pool.into(), &call);
        let request = request(call);
        self.runtime.block_on(async {
            tokio::select! {
                result = client.execute_request(&request) => panic!("the response came first: {result:?}"),
                arrived = until => assert!(arrived, "the request did not arrive"),
            }
        });
    }
}

tests_over!(
    Azure,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);

/// A stream whose clones share their position, as those over a file do.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<io::Cursor<Vec<u8>>>>);

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(&mut *self.0.lock().unwrap(), buffer))
    }
}

#[async_trait]
impl SeekableStream for Shared {
    async fn reset(&mut self) -> azure_core::Result<()> {
        self.0.lock().unwrap().set_position(0);
        Ok(())
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

#[test]
fn a_seekable_stream_is_sent_again_from_its_beginning() {
    let stack = Azure::new(Protocol::Http1);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.script(Answer::throttled(5));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let call = Call::chat();
    let client = stack.client(&pool.into(), &call);
    let mut request = request(call);
    let stream: Box<dyn SeekableStream> = Box::new(Shared(Arc::new(Mutex::new(io::Cursor::new(body.clone())))));
    request.set_body(stream);
    let response = stack.runtime.block_on(client.send(&request)).unwrap();
    assert_eq!(response.served().map(|served| (served.backend(), served.attempts())), Some(("second", 2)));
    for upstream in [&first, &second] {
        assert!(upstream.received()[0].body == body, "{} got something else", upstream.name());
    }
}
