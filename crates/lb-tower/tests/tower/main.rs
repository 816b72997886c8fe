//! What is specific to tower: readiness, bodies, faults, drains, and other layers around the balancer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod bodies;
mod drain;
mod faults;
mod layers;
mod readiness;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use lb_core::{Counters, MockClock};
use lb_tower::{Backend, Pool, Served, State};

/// How long a test waits for something that happens at once unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool of backends at these origins, in order of priority, on a clock that stands still.
fn pool<'a>(origins: impl IntoIterator<Item = &'a str>) -> Arc<Pool> {
    let backends = origins.into_iter().zip(1..).map(|(origin, priority)| Backend::new(origin, priority).unwrap());
    Arc::new(Pool::builder().backends(backends).clock(MockClock::new()).build().unwrap())
}

fn ask() -> Request<Full<Bytes>> {
    Request::post("http://caller.example/chat").body(Full::from("{}")).unwrap()
}

fn status<B>(status: u16, body: B) -> Response<B> {
    Response::builder().status(status).body(body).unwrap()
}

/// The host that a request is addressed to.
fn host<B>(request: &Request<B>) -> String {
    request.uri().host().unwrap().to_owned()
}

fn served<B>(response: &Response<B>) -> (&str, u32) {
    let served = response.extensions().get::<Served>().expect("a backend's response says who served");
    (served.backend(), served.attempts())
}

fn counters(pool: &Pool, slot: usize) -> Counters {
    pool.snapshot().backends[slot].counters
}

fn nobody_cools(pool: &Pool) -> bool {
    pool.snapshot().backends.iter().all(|backend| backend.state == State::Available)
}
