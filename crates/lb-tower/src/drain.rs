//! Draining discarded answers, so that their connections are reused.
//!
//! HTTP/1.1 can reuse a connection only after the body was read.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Buf;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// A larger body costs more than a new connection.
const MAX_BYTES: u64 = 64 * 1024;

/// A slower body is not worth waiting for, even in the background.
const MAX_TIME: Duration = Duration::from_millis(100);

/// More are dropped: an outage must not pile up work.
const MAX_DRAINS: usize = 32;

/// Drains answers in the background, a bounded number at a time.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    permits: Arc<Semaphore>,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_DRAINS)) }
    }

    /// Drains `body` in the background; drops it where that is not worth it, or where no runtime is.
    pub(crate) fn discard<B: Body + Send + 'static>(&self, body: B) {
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

async fn drain<B: Body>(body: B) {
    let mut body = pin!(body);
    let mut left = MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Buf::remaining) as u64;
        let Some(fewer) = left.checked_sub(length) else { return };
        left = fewer;
    }
}
