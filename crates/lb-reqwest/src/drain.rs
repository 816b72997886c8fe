//! Draining discarded answers, so that their connections are reused.
//!
//! HTTP/1.1 can reuse a connection only after the body was read. A refusal's body is small, but comes a little after
//! the head: of 30 refusals whose bodies are dropped, each costs a new connection.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// A larger body costs more than a new connection.
pub(crate) const MAX_BYTES: u64 = 64 * 1024;

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

    /// Drains `response` in the background; drops it where that is not worth it, or where no runtime is.
    pub(crate) fn discard(&self, mut response: reqwest::Response) {
        if response.content_length().is_some_and(|length| length > MAX_BYTES) {
            return;
        }
        let (Ok(runtime), Ok(permit)) = (Handle::try_current(), Arc::clone(&self.permits).try_acquire_owned()) else {
            return;
        };
        runtime.spawn(async move {
            let _permit = permit;
            let drain = async {
                let mut left = MAX_BYTES;
                while let Ok(Some(chunk)) = response.chunk().await {
                    let Some(fewer) = left.checked_sub(chunk.len() as u64) else { break };
                    left = fewer;
                }
            };
            // Both ends are fine: what was not drained in time is dropped with its connection.
            let _ = timeout(MAX_TIME, drain).await;
        });
    }
}
