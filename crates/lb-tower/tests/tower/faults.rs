//! What the errors of hyper-util's client mean.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::stream;
use http::Uri;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use lb_emulator::{Emulator, Reply};
use lb_tower::{BalanceLayer, Error, Fault, LoadBalancer, TowerTransport, fault};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt, service_fn};

use crate::{ask, counters, nobody_cools, pool, served};

#[tokio::test]
async fn whatever_ends_a_connect_is_a_connect_fault_a_timeout_too() {
    let alive = Emulator::start().unwrap();
    let alive_port = alive.addr().port();
    for kind in [io::ErrorKind::TimedOut, io::ErrorKind::PermissionDenied, io::ErrorKind::Other] {
        // A connector that reaches one port only.
        let connector = service_fn(move |uri: Uri| {
            Box::pin(async move {
                match uri.port_u16() {
                    Some(port) if port == alive_port => TcpStream::connect(("127.0.0.1", port)).await.map(TokioIo::new),
                    _ => Err(io::Error::from(kind)),
                }
            })
        });
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let pool = pool(["http://127.0.0.1:1", &alive.url()]);
        let response = BalanceLayer::new(Arc::clone(&pool)).layer(client).oneshot(ask()).await.unwrap();
        assert_eq!(served(&response), (alive.addr().to_string().as_str(), 2), "{kind}");
        assert!(!nobody_cools(&pool));
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_the_requests_own_fault() {
    let (first, second) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let pool = pool([first.url().as_str(), &second.url()]);
    let balancer = LoadBalancer::new(Arc::clone(&pool), TowerTransport::new(client).one_attempt());
    let frames = [Ok(Frame::data(Bytes::from("{"))), Err(io::Error::other("the file is gone"))];
    let body = BodyExt::boxed_unsync(StreamBody::new(stream::iter(frames)));
    let error = balancer.send(ask().map(|_| body)).await.unwrap_err();
    let Error::Transport(error) = error else { panic!("{error}") };
    assert_eq!(fault(&error), Fault::Request, "{error:?}");
    assert!(nobody_cools(&pool));
}

#[tokio::test]
async fn an_error_of_the_client_comes_through_the_layer_as_it_is() {
    let only = Emulator::start().unwrap();
    only.script(Reply::reset());
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(HttpConnector::new());
    let pool = pool([only.url().as_str()]);
    let error = BalanceLayer::new(Arc::clone(&pool)).layer(client).oneshot(ask()).await.unwrap_err();
    assert!(error.is::<hyper_util::client::legacy::Error>(), "{error:?}");
    assert_eq!(fault(error.as_ref()), Fault::Reset);
    assert_eq!(counters(&pool, 0).faults, 1);
}
