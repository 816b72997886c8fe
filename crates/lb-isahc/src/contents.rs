//! What is in a body of isahc's that is in memory.

use std::{
    future::Future,
    io::{self, Read},
    pin::pin,
    task::{Context, Poll, Waker},
};

use futures_lite::AsyncReadExt;
use isahc::{AsyncBody, Body};

/// A body of isahc's, async or blocking.
#[cfg(feature = "json")]
pub(crate) trait Contents: From<Vec<u8>> {
    /// What is in it, from its start, where it stands afterwards; `None` if it streams.
    fn bytes(&mut self) -> Option<Vec<u8>>;
}

#[cfg(feature = "json")]
impl Contents for AsyncBody {
    fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return Some(Vec::new());
        }
        let bytes = if self.reset() { read(self) } else { None };
        self.reset();
        bytes
    }
}

#[cfg(feature = "json")]
impl Contents for Body {
    fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return Some(Vec::new());
        }
        let bytes = if self.reset() { read_blocking(self).ok() } else { None };
        self.reset();
        bytes
    }
}

/// What is in a body in memory: it knows its length, and reading it is never pending.
pub(crate) fn read(body: &mut AsyncBody) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(body.len()?).ok()?];
    match pin!(body.read_exact(&mut bytes)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => Some(bytes),
        _ => None,
    }
}

/// The same of a blocking body.
pub(crate) fn read_blocking(body: &mut Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(body.len().and_then(|length| usize::try_from(length).ok()).unwrap_or_default());
    body.read_to_end(&mut bytes)?;
    Ok(bytes)
}
