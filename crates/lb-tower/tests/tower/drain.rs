//! Discarded answers are drained in the background, within bounds.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::executor::block_on;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use lb_tower::BalanceLayer;
use tokio::{task::yield_now, time::sleep};
use tower::{Layer, ServiceExt, service_fn};

use crate::{ask, host, pool, served, status};

/// What became of the bodies of refusals.
#[derive(Clone, Default)]
struct Fate {
    chunks: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

/// A body of chunks of 1 KiB: so many, and then it stalls.
struct Chunks {
    left: usize,
    fate: Fate,
}

impl Chunks {
    fn new(left: usize, fate: &Fate) -> Self {
        fate.alive.fetch_add(1, Ordering::SeqCst);
        Self { left, fate: fate.clone() }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Pending };
        self.left = left;
        self.fate.chunks.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.fate.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Fails over once, away from a refusal whose body has so many chunks and then stalls.
async fn fail_over(layer: &BalanceLayer, chunks: usize, fate: &Fate) {
    let fate = fate.clone();
    let client = service_fn(move |request: Request<Full<Bytes>>| {
        let refused = host(&request) == "a.example";
        let body = Chunks::new(if refused { chunks } else { 0 }, &fate);
        let mut response: Response<Chunks> = status(if refused { 429 } else { 200 }, body);
        // The next request asks it again.
        response.headers_mut().insert("retry-after", "0".parse().unwrap());
        async { Ok::<_, Infallible>(response) }
    });
    let response = layer.layer(client).oneshot(ask()).await.unwrap();
    assert_eq!(served(&response), ("b.example", 2));
}

fn layer() -> BalanceLayer {
    BalanceLayer::new(pool(["a.example", "b.example"]))
}

#[tokio::test(start_paused = true)]
async fn no_more_than_64_kib_are_read() {
    let fate = Fate::default();
    fail_over(&layer(), 1000, &fate).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(fate.chunks.load(Ordering::SeqCst), 65, "the one beyond the limit tells");
    assert_eq!(fate.alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up_after_100_ms_and_delays_nobody() {
    let fate = Fate::default();
    let start = tokio::time::Instant::now();
    fail_over(&layer(), 3, &fate).await;
    assert!(start.elapsed().is_zero());
    sleep(Duration::from_millis(99)).await;
    assert_eq!((fate.chunks.load(Ordering::SeqCst), fate.alive.load(Ordering::SeqCst)), (3, 1));
    sleep(Duration::from_millis(2)).await;
    assert_eq!(fate.alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn of_many_stalled_bodies_32_are_drained_and_the_others_dropped() {
    let fate = Fate::default();
    let layer = layer();
    for _ in 0..40 {
        fail_over(&layer, 0, &fate).await;
    }
    yield_now().await;
    assert_eq!(fate.alive.load(Ordering::SeqCst), 32);
    sleep(Duration::from_millis(101)).await;
    assert_eq!(fate.alive.load(Ordering::SeqCst), 0);
    fail_over(&layer, 0, &fate).await;
    yield_now().await;
    assert_eq!(fate.alive.load(Ordering::SeqCst), 1, "there is room again");
}

#[test]
fn without_a_runtime_a_body_is_dropped() {
    let fate = Fate::default();
    block_on(fail_over(&layer(), 3, &fate));
    assert_eq!((fate.chunks.load(Ordering::SeqCst), fate.alive.load(Ordering::SeqCst)), (0, 0));
}
