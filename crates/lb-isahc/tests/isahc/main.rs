//! What is specific to isahc, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod abandoned;
mod client;
mod drain;
mod fault;
mod native;
mod redirect;
mod replay;
mod server;

use std::io::Read;

use futures_lite::{AsyncReadExt, future::block_on};
use isahc::{
    AsyncBody, Body,
    http::{Request, Response},
};
use lb_isahc::{Backend, BlockingLoadBalancer, Error, IsahcTransport, LoadBalancer, Pool};

use server::Server;

/// Both faces of the transport, so that one test can ask both.
#[derive(Debug, Clone, Copy)]
enum Face {
    Async,
    Blocking,
}

const FACES: [Face; 2] = [Face::Async, Face::Blocking];

/// Backends in order of priority.
fn pool<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Pool {
    let backends = servers.into_iter().zip(1..).map(|(server, priority)| Backend::new(server.url(), priority).unwrap());
    Pool::new(backends).unwrap()
}

fn post() -> isahc::http::request::Builder {
    Request::post("https://caller.example/openai/deployments/chat/completions?api-version=1")
}

type Answer = Result<Response<Vec<u8>>, Error<isahc::Error>>;

impl Face {
    /// Sends a request with a body in memory, and reads the answer to its end.
    fn send(self, pool: Pool, transport: IsahcTransport, request: Request<&str>) -> Answer {
        match self {
            Self::Async => {
                let balancer = LoadBalancer::new(pool, transport);
                block_on(read(block_on(balancer.send(request.map(AsyncBody::from)))?))
            }
            Self::Blocking => read_blocking(BlockingLoadBalancer::new(pool, transport).send(request.map(Body::from))?),
        }
    }

    /// Sends a request whose body streams.
    fn stream(self, pool: Pool, request: Request<impl Read + Send + Sync + Unpin + 'static>) -> Answer {
        let transport = IsahcTransport::new().unwrap();
        match self {
            Self::Async => {
                let request = request.map(|body| AsyncBody::from_reader(futures_lite::io::AssertAsync::new(body)));
                block_on(read(block_on(LoadBalancer::new(pool, transport).send(request))?))
            }
            Self::Blocking => {
                read_blocking(BlockingLoadBalancer::new(pool, transport).send(request.map(Body::from_reader))?)
            }
        }
    }
}

async fn read(response: Response<AsyncBody>) -> Answer {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).await.unwrap();
    Ok(Response::from_parts(parts, bytes))
}

fn read_blocking(response: Response<Body>) -> Answer {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).unwrap();
    Ok(Response::from_parts(parts, bytes))
}
