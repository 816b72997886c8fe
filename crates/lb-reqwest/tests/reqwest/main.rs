//! What is specific to reqwest's middleware and to reqwest as a tower service, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod bodies;
#[cfg(feature = "middleware")]
mod middleware;
#[cfg(feature = "tower")]
mod service;

use std::sync::Arc;

use futures::StreamExt as _;
use lb_core::{Counters, MockClock};
use lb_emulator::{Emulator, Reply};
use lb_reqwest::{Backend, Pool, State};
use reqwest::{Body, Client, redirect::Policy};

const URL: &str = "http://caller.invalid/openai/v1/chat/completions?secret=1";

fn client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// A backend that refuses, and one that serves.
fn refusing_and_serving() -> (Emulator, Emulator) {
    let (refusing, serving) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    refusing.always(Reply::status(429).header("retry-after", "60").body("too busy"));
    serving.always(Reply::status(200).body("served"));
    (refusing, serving)
}

/// A pool of these, in order of priority, on a clock that stands still.
fn pool(emulators: [&Emulator; 2]) -> Arc<Pool> {
    let backends = emulators.into_iter().zip(["first", "second"]).zip(1..);
    let backends = backends.map(|((emulator, name), priority)| {
        Backend::builder(emulator.url()).name(name).priority(priority).build().unwrap()
    });
    Arc::new(Pool::builder().backends(backends).clock(MockClock::new()).build().unwrap())
}

fn counters(pool: &Pool, slot: usize) -> Counters {
    pool.snapshot().backends[slot].counters
}

fn nobody_cools(pool: &Pool) -> bool {
    pool.snapshot().backends.iter().all(|backend| backend.state == State::Available)
}

/// A body that can be read once, and has to be waited for.
fn one_shot() -> Body {
    streamed(["streamed"])
}

/// A stream of these chunks, each of which has to be waited for.
fn streamed<const N: usize>(chunks: [&'static str; N]) -> Body {
    let chunks = futures::stream::iter(chunks).then(|chunk| async move {
        tokio::task::yield_now().await;
        Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::from(chunk)))
    });
    Body::wrap(http_body_util::StreamBody::new(chunks))
}
