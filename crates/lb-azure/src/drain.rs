//! Draining discarded answers, so that their connections are reused.
//!
//! HTTP/1.1 can reuse a connection only after the body was read, and a refusal's body comes a little after its head.

use std::{sync::Arc, time::Duration};

use azure_core::http::{AsyncRawResponse, headers::CONTENT_LENGTH};
use futures::StreamExt;
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

    /// Drains `response` in the background; drops it where that is not worth it, or where no tokio runtime is.
    pub(crate) fn discard(&self, response: AsyncRawResponse) {
        let length: Option<u64> = response.headers().get_optional_str(&CONTENT_LENGTH).and_then(|v| v.parse().ok());
        if length.is_some_and(|length| length > MAX_BYTES) {
            return;
        }
        let (Ok(runtime), Ok(permit)) = (Handle::try_current(), Arc::clone(&self.permits).try_acquire_owned()) else {
            return;
        };
        runtime.spawn(async move {
            let _permit = permit;
            let mut body = response.into_body();
            let drain = async {
                let mut left = MAX_BYTES;
                while let Some(Ok(chunk)) = body.next().await {
                    let Some(fewer) = left.checked_sub(chunk.len() as u64) else { break };
                    left = fewer;
                }
            };
            // Both ends are fine: what was not drained in time is dropped with its connection.
            let _ = timeout(MAX_TIME, drain).await;
        });
    }
}
