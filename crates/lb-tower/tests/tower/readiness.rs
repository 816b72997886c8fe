//! Readiness is taken by each attempt, on a service of its own.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures::executor::block_on;
use http::{Request, Response};
use http_body_util::Full;
use lb_tower::{BalanceLayer, LoadBalancer, TowerTransport};
use tokio::{spawn, sync::Semaphore, task::yield_now, time::timeout};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, limit::ConcurrencyLimitLayer, service_fn,
};

use crate::{PATIENCE, ask, counters, host, nobody_cools, pool, served, status};

/// Panics if it is called without having said that it is ready; a clone has not, whatever the original said.
#[derive(Default)]
struct Strict {
    polls: u32,
    readied: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { polls: 0, readied: Arc::clone(&self.readied) }
    }
}

impl Service<Request<Full<Bytes>>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.polls += 1;
        if self.polls == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.readied.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        assert!(self.polls > 1, "called before it was ready");
        self.polls = 0;
        let code = if host(&request) == "c.example" { 200 } else { 429 };
        ready(Ok(status(code, Full::default())))
    }
}

#[test]
fn each_attempt_drives_a_service_of_its_own_to_readiness() {
    let strict = Strict::default();
    let readied = Arc::clone(&strict.readied);
    let pool = pool(["a.example", "b.example", "c.example"]);
    let response = block_on(BalanceLayer::new(pool).layer(strict).oneshot(ask())).unwrap();
    assert_eq!(served(&response), ("c.example", 3));
    assert_eq!(readied.load(Ordering::Relaxed), 3);
}

#[test]
fn a_transport_does_so_too() {
    let strict = Strict::default();
    let readied = Arc::clone(&strict.readied);
    let balancer = LoadBalancer::new(pool(["a.example", "c.example"]), TowerTransport::new(strict));
    assert_eq!(served(&block_on(balancer.send(ask())).unwrap()), ("c.example", 2));
    assert_eq!(readied.load(Ordering::Relaxed), 2);
}

#[test]
fn a_balanced_service_is_ready_whatever_is_underneath() {
    let never =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(status(200, Full::<Bytes>::default())) });
    let mut balanced = ServiceBuilder::new()
        .layer(BalanceLayer::new(pool(["a.example"])))
        .layer(ConcurrencyLimitLayer::new(0))
        .service(never);
    let mut context = Context::from_waker(Waker::noop());
    assert!(Service::<Request<Full<Bytes>>>::poll_ready(&mut balanced, &mut context).is_ready());
}

/// A client that answers when it is told to, and counts how many it has in hand.
#[derive(Clone)]
struct Held {
    in_hand: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    releases: Arc<Semaphore>,
}

impl Held {
    fn new() -> Self {
        Self { in_hand: Arc::default(), most: Arc::default(), releases: Arc::new(Semaphore::new(0)) }
    }

    async fn answer(self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
        self.most.fetch_max(self.in_hand.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.releases.acquire().await.unwrap().forget();
        self.in_hand.fetch_sub(1, Ordering::SeqCst);
        let code = if host(&request) == "a.example" { 429 } else { 200 };
        Ok(status(code, Full::default()))
    }
}

/// Lets every task go on until it waits, on this thread's runtime.
async fn until_all_wait() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_limit_below_the_balancer_holds_for_attempts_and_is_given_back_by_each() {
    let held = Held::new();
    let client = held.clone();
    let pool = pool(["a.example", "b.example"]);
    let service = ServiceBuilder::new()
        .layer(BalanceLayer::new(Arc::clone(&pool)))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(move |request| client.clone().answer(request)));

    let both = [spawn(service.clone().oneshot(ask())), spawn(service.oneshot(ask()))];
    until_all_wait().await;
    assert_eq!(held.in_hand.load(Ordering::SeqCst), 1, "the other waits for its turn");
    assert_eq!(counters(&pool, 0).in_flight, 2, "to the pool both attempts are open");
    // Two attempts each: none would be left to release if a refused one kept its turn.
    held.releases.add_permits(4);
    for sent in both {
        assert_eq!(served(&timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap()), ("b.example", 2));
    }
    assert_eq!((held.most.load(Ordering::SeqCst), held.releases.available_permits()), (1, 0));
}

#[tokio::test]
async fn a_request_that_is_dropped_while_it_waits_for_its_turn_blames_nobody() {
    let held = Held::new();
    let client = held.clone();
    let pool = pool(["a.example", "b.example"]);
    let service = ServiceBuilder::new()
        .layer(BalanceLayer::new(Arc::clone(&pool)))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(move |request| client.clone().answer(request)));

    let first = spawn(service.clone().oneshot(ask()));
    let waiting = spawn(service.oneshot(ask()));
    until_all_wait().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!((counters(&pool, 0).cancelled, counters(&pool, 0).in_flight), (1, 1));
    assert!(nobody_cools(&pool));
    held.releases.add_permits(2);
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn attempts_share_a_buffer_whose_place_each_must_reserve() {
    // A buffer that is called without a reserved place panics.
    let service = ServiceBuilder::new()
        .layer(BalanceLayer::new(pool(["a.example", "b.example", "c.example"])))
        .layer(BufferLayer::new(1))
        .service(Strict::default());
    let requests: Vec<_> = (0..20).map(|_| spawn(service.clone().oneshot(ask()))).collect();
    for sent in requests {
        assert_eq!(served(&timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap()).0, "c.example");
    }
}

/// A service that will never be ready.
#[derive(Clone)]
struct Broken;

impl Service<Request<Full<Bytes>>> for Broken {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Err(io::Error::other("the worker is gone")))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        panic!("called although it is not ready")
    }
}

#[test]
fn a_service_that_cannot_be_ready_is_the_callers_to_hear_of_and_no_backends_fault() {
    let pool = pool(["a.example", "b.example"]);
    let error = block_on(BalanceLayer::new(Arc::clone(&pool)).layer(Broken).oneshot(ask())).unwrap_err();
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().to_string(), "the worker is gone");
    assert!(nobody_cools(&pool));
    assert_eq!((counters(&pool, 0).faults, counters(&pool, 1).attempts), (1, 0));
}
