//! What the adapters on tokio share: draining discarded answers in the background, so that their connections are reused, and
//! the runtime's timer.
//!
//! HTTP/1.1 can reuse a connection only after the body was read. A refusal's body is small, but comes a little after the
//! head: of 30 refusals whose bodies are dropped, each costs a new connection. The adapters of the load balancer that run
//! on tokio give the answers that they do not return to a [`Drain`].

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Buf;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// The largest body that is drained: a larger one costs more than a new connection.
pub const MAX_BYTES: u64 = 64 * 1024;

/// A slower body is not worth waiting for, even in the background.
const MAX_TIME: Duration = Duration::from_millis(100);

/// More are dropped: an outage must not pile up work.
const MAX_DRAINS: usize = 32;

/// Drains bodies in the background: up to 64 KiB, 100 ms and 32 at a time. What is beyond that is dropped, with its
/// connection. Clones share the 32.
///
/// ```
/// use http_body_util::Full;
/// use lb_drain::Drain;
///
/// // Outside of a runtime a body is dropped.
/// Drain::new().discard(Full::<bytes::Bytes>::from("refused"));
/// ```
#[derive(Debug, Clone)]
pub struct Drain {
    permits: Arc<Semaphore>,
}

impl Drain {
    /// A drain with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_DRAINS)) }
    }

    /// Drains `body` in the background; drops it where that is not worth it, or where no runtime is. It returns at once.
    pub fn discard<B: Body + Send + 'static>(&self, body: B) {
        if body.is_end_stream() || body.size_hint().lower() > MAX_BYTES {
            return;
        }
        let (Ok(runtime), Ok(permit)) = (Handle::try_current(), Arc::clone(&self.permits).try_acquire_owned()) else {
            return;
        };
        runtime.spawn(async move {
            let _permit = permit;
            // Both ends are fine: what was not drained in time is dropped with its connection.
            let _ = timeout(MAX_TIME, drain(body)).await;
        });
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

/// Sleeps by the timer of the tokio runtime; outside of one on a thread.
///
/// # Panics
///
/// In a runtime that was built without its timer.
pub async fn sleep(duration: Duration) {
    match Handle::try_current() {
        Ok(_) => tokio::time::sleep(duration).await,
        Err(_) => lb_core::sleep_on_a_thread(duration).await,
    }
}

async fn drain<B: Body>(body: B) {
    let mut body = pin!(body);
    let mut left = MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Buf::remaining) as u64;
        let Some(fewer) = left.checked_sub(length) else { return };
        left = fewer;
    }
}

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http_body::{Frame, SizeHint};
    use tokio::time::sleep;

    use super::*;

    /// A body of so many chunks of 16 KiB, then stalled if it never ends. It counts what was read, and that it is gone.
    struct Chunks {
        left: usize,
        ends: bool,
        length: Option<u64>,
        counts: Arc<Counts>,
    }

    #[derive(Default)]
    struct Counts {
        read: AtomicUsize,
        dropped: AtomicUsize,
    }

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return if self.ends { Poll::Ready(None) } else { Poll::Pending };
            }
            self.left -= 1;
            self.counts.read.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 16 * 1024])))))
        }

        fn size_hint(&self) -> SizeHint {
            self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    impl Drop for Chunks {
        fn drop(&mut self) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn chunks(left: usize, ends: bool, length: Option<u64>) -> (Chunks, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        (Chunks { left, ends, length, counts: Arc::clone(&counts) }, counts)
    }

    /// How many chunks were read, and whether the body is gone, after so long.
    async fn after(millis: u64, counts: &Counts) -> (usize, bool) {
        sleep(Duration::from_millis(millis)).await;
        (counts.read.load(Ordering::Relaxed), counts.dropped.load(Ordering::Relaxed) == 1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_body_is_read_to_its_end() {
        let (body, counts) = chunks(4, true, None);
        Drain::new().discard(body);
        assert_eq!(after(1, &counts).await, (4, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_or_stalls_is_dropped() {
        let drain = Drain::new();
        let (endless, endless_counts) = chunks(usize::MAX, false, None);
        drain.discard(endless);
        assert_eq!(after(1, &endless_counts).await, (5, true), "the fifth chunk is beyond 64 KiB");
        let (stalled, counts) = chunks(1, false, None);
        drain.discard(stalled);
        assert_eq!(after(99, &counts).await, (1, false));
        assert_eq!(after(2, &counts).await, (1, true));
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_that_it_is_too_large_is_not_read() {
        let (body, counts) = chunks(5, true, Some(MAX_BYTES + 1));
        Drain::new().discard(body);
        assert_eq!(after(0, &counts).await, (0, true));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_32_wait_at_a_time() {
        let drain = Drain::new();
        let bodies: Vec<_> = (0..MAX_DRAINS + 1)
            .map(|_| {
                let (body, counts) = chunks(0, false, None);
                drain.clone().discard(body);
                counts
            })
            .collect();
        let dropped = || bodies.iter().filter(|counts| counts.dropped.load(Ordering::Relaxed) == 1).count();
        assert_eq!(dropped(), 1, "the last one, at once");
        sleep(Duration::from_millis(101)).await;
        assert_eq!(dropped(), MAX_DRAINS + 1);
        let (body, counts) = chunks(1, true, None);
        drain.discard(body);
        assert_eq!(after(1, &counts).await, (1, true), "there is room again");
    }
}
