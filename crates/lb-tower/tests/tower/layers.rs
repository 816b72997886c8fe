//! Layers of others inside and outside of the balancer, over hyper-util's client and real sockets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lb_emulator::{Emulator, Reply};
use lb_tower::{BalanceLayer, BoxError};
use tower::{
    ServiceBuilder, ServiceExt,
    load_shed::LoadShedLayer,
    timeout::{TimeoutLayer as Timeout, error::Elapsed},
    util::BoxCloneSyncService,
};
use tower_http::{decompression::DecompressionLayer, timeout::TimeoutLayer, trace::TraceLayer};

use crate::{PATIENCE, ask, counters, nobody_cools, pool, served};

/// Short, for an answer that never comes.
const SOON: Duration = Duration::from_millis(50);

/// `decompressed` as gzip makes it.
const GZIP: [u8; 32] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0x49, 0x4d, 0xce, 0xcf, 0x2d, 0x28, 0x4a, 0x2d,
    0x2e, 0x4e, 0x4d, 0x01, 0x00, 0x0a, 0x88, 0xde, 0x05, 0x0c, 0x00, 0x00, 0x00,
];

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build(HttpConnector::new())
}

/// tower-http's timeout makes an answer with the default body, and the client's has none.
fn with_a_default(response: Response<Incoming>) -> Response<BoxBody<Bytes, hyper::Error>> {
    response.map(BodyExt::boxed)
}

/// A backend that refuses, and one that serves.
fn refusing_and_serving() -> (Emulator, Emulator) {
    let (refusing, serving) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    refusing.always(Reply::throttled(Duration::from_secs(60)));
    serving.always(Reply::status(200).header("content-encoding", "gzip").body(GZIP.to_vec()));
    (refusing, serving)
}

#[tokio::test]
async fn timeout_and_trace_inside_decompression_outside_and_all_of_it_boxed() {
    let (refusing, serving) = refusing_and_serving();
    let traced = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&traced);
    let trace = TraceLayer::new_for_http().on_request(move |request: &Request<Full<Bytes>>, _: &tracing::Span| {
        sink.lock().unwrap().push(request.uri().port_u16());
    });
    let service = ServiceBuilder::new()
        .layer(DecompressionLayer::new())
        .layer(BalanceLayer::new(pool([refusing.url().as_str(), &serving.url()])))
        .layer(trace)
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
        .map_response(with_a_default)
        .service(client());
    let service = BoxCloneSyncService::new(service.map_err(BoxError::from));

    let response = service.clone().oneshot(ask()).await.unwrap();
    assert_eq!(served(&response), (serving.addr().to_string().as_str(), 2));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "decompressed");
    let ports = [&refusing, &serving].map(|emulator| Some(emulator.addr().port()));
    assert_eq!(*traced.lock().unwrap(), ports, "inside, each attempt is traced, addressed to its backend");

    serving.always(Reply::throttled(Duration::from_secs(60)));
    let response = service.oneshot(ask()).await.unwrap();
    assert_eq!(response.status(), 429);
    let synthesised = response.into_body().collect().await.unwrap().to_bytes();
    assert!(synthesised.starts_with(br#"{"error":{"#), "a body that nobody compressed passes too");
}

#[tokio::test]
async fn towers_timeout_inside_is_a_timeout_of_the_attempt() {
    let (silent, serving) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    silent.always(Reply::no_head());
    let pool = pool([silent.url().as_str(), &serving.url()]);
    let service =
        ServiceBuilder::new().layer(BalanceLayer::new(Arc::clone(&pool))).layer(Timeout::new(SOON)).service(client());
    let error = service.oneshot(ask()).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error:?}");
    assert!(nobody_cools(&pool), "the request may have been executed");
    assert_eq!(counters(&pool, 1).attempts, 0);
}

#[tokio::test]
async fn towers_timeout_outside_covers_all_attempts_and_blames_nobody() {
    let (refusing, silent) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    refusing.always(Reply::throttled(Duration::from_secs(60)));
    silent.always(Reply::no_head());
    let pool = pool([refusing.url().as_str(), &silent.url()]);
    let service =
        ServiceBuilder::new().layer(Timeout::new(SOON)).layer(BalanceLayer::new(Arc::clone(&pool))).service(client());
    assert!(service.oneshot(ask()).await.unwrap_err().is::<Elapsed>());
    assert_eq!(counters(&pool, 1).in_flight, 0);
    assert_eq!(counters(&pool, 1).faults, 0);
}

/// What comes of a silent backend under tower-http's timeout with this status.
async fn timed_out_with(status: StatusCode) -> Response<Bytes> {
    let (silent, serving) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    silent.always(Reply::no_head());
    serving.always(Reply::status(200).body("served"));
    let service = ServiceBuilder::new()
        .layer(BalanceLayer::new(pool([silent.url().as_str(), &serving.url()])))
        .layer(TimeoutLayer::with_status_code(status, Duration::from_secs(2)))
        .map_response(with_a_default)
        .service(client());
    let (parts, body) = service.oneshot(ask()).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn tower_https_timeout_inside_is_an_answer_whose_status_decides() {
    let returned = timed_out_with(StatusCode::REQUEST_TIMEOUT).await;
    assert_eq!((returned.status().as_u16(), served(&returned).1), (408, 1));
    let failed_over = timed_out_with(StatusCode::GATEWAY_TIMEOUT).await;
    assert_eq!((failed_over.status().as_u16(), served(&failed_over).1), (200, 2));
}

#[tokio::test]
async fn a_refusal_to_take_load_inside_is_returned_and_blames_nobody() {
    let pool = pool(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
    let service = ServiceBuilder::new()
        .layer(BalanceLayer::new(Arc::clone(&pool)))
        .layer(LoadShedLayer::new())
        .concurrency_limit(0)
        .service(client());
    let error = service.oneshot(ask()).await.unwrap_err();
    assert!(error.is::<tower::load_shed::error::Overloaded>(), "{error:?}");
    assert!(nobody_cools(&pool));
    assert_eq!(counters(&pool, 1).attempts, 0);
}
