//! The body of a request on its way: it is sent once, and is known to have been sent whole or not.

use std::{
    io::{self, Read},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_lite::AsyncRead;
use isahc::{AsyncBody, Body, error::ErrorKind};
use lb_core::Fault;

use crate::mark::Mark;

/// A body that isahc cannot rewind, even if it is in memory.
///
/// Where a kept connection ends before an answer, libcurl rewinds the body and sends the request again, although it may
/// have been executed. A body that cannot be rewound makes that an error.
struct RequestBody<B> {
    body: B,
    progress: Arc<Progress>,
}

/// How far a body was read: what was not read was not sent.
#[derive(Debug)]
pub(crate) struct Progress {
    length: Option<u64>,
    is_in_memory: bool,
    read: AtomicU64,
    is_at_end: AtomicBool,
}

/// The body to be sent, and its progress; `None` for one that nobody will read, as there is nothing in it.
pub(crate) fn sent_once(mut body: AsyncBody) -> (AsyncBody, Option<Arc<Progress>>) {
    let length = body.len();
    if length == Some(0) {
        return (body, None);
    }
    let progress = Arc::new(Progress::new(length, body.reset()));
    let reader = RequestBody { body, progress: Arc::clone(&progress) };
    let body = match length {
        Some(length) => AsyncBody::from_reader_sized(reader, length),
        None => AsyncBody::from_reader(reader),
    };
    (body, Some(progress))
}

/// The same for a blocking body that streams.
pub(crate) fn streamed_once(body: Body) -> (Body, Arc<Progress>) {
    let length = body.len();
    let progress = Arc::new(Progress::new(length, false));
    let reader = RequestBody { body, progress: Arc::clone(&progress) };
    let body = match length {
        Some(length) => Body::from_reader_sized(reader, length),
        None => Body::from_reader(reader),
    };
    (body, progress)
}

impl Progress {
    fn new(length: Option<u64>, is_in_memory: bool) -> Self {
        Self { length, is_in_memory, read: AtomicU64::new(0), is_at_end: AtomicBool::new(false) }
    }

    /// Takes down what a read gave, and marks its error as the request's own.
    fn note(&self, read: io::Result<usize>) -> io::Result<usize> {
        const SHORT: &str = "request body is shorter than its length";
        // Relaxed: isahc's channel, over which the error comes, orders them.
        match read {
            Ok(0) if self.length.is_some() && !self.is_whole() => {
                return Err(Mark::new(Fault::Request, SHORT, io::ErrorKind::UnexpectedEof).into_io());
            }
            Ok(0) => self.is_at_end.store(true, Ordering::Relaxed),
            Ok(bytes) => _ = self.read.fetch_add(bytes as u64, Ordering::Relaxed),
            // No failure: it is read again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            // Without the mark isahc would report a body's refused or timed out read as the backend's.
            Err(error) => return Err(Mark::new(Fault::Request, "request body failed", error).into_io()),
        }
        read
    }

    fn is_whole(&self) -> bool {
        let read = self.read.load(Ordering::Relaxed);
        self.is_at_end.load(Ordering::Relaxed) || self.length.is_some_and(|length| length <= read)
    }

    fn is_untouched(&self) -> bool {
        self.read.load(Ordering::Relaxed) == 0
    }

    fn explain(&self, error: isahc::Error) -> isahc::Error {
        const UNSENT: &str = "the request was not sent whole";
        let is_connected = error.remote_addr().is_some();
        let (fault, says) = match (error.kind(), self.is_whole()) {
            _ if Mark::fault_of(&error).is_some() => return error,
            // Over a `Dialer` isahc knows no address.
            (ErrorKind::Timeout, true) if !is_connected => (Fault::Timeout, "the request was sent"),
            // A body that streams may be what the backend waited for.
            (ErrorKind::Timeout, false) if self.is_in_memory || self.is_untouched() => (Fault::ConnectTimeout, UNSENT),
            // What was read of it was for a connection, whether or not isahc has noted the address by now.
            (ErrorKind::Io | ErrorKind::ProtocolViolation, false) if is_connected || !self.is_untouched() => {
                (Fault::Unprocessed, UNSENT)
            }
            (ErrorKind::Io | ErrorKind::ProtocolViolation, false) => (Fault::Connect, UNSENT),
            _ => return error,
        };
        Mark::new(fault, says, error).into_isahc()
    }
}

/// The error of a request whose body has this progress, marked where that says more than isahc does.
pub(crate) fn explain(progress: Option<Arc<Progress>>, error: isahc::Error) -> isahc::Error {
    match progress {
        Some(progress) => progress.explain(error),
        None => error,
    }
}

impl<B: Read> Read for RequestBody<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.progress.note(self.body.read(buffer))
    }
}

impl<B: AsyncRead + Unpin> AsyncRead for RequestBody<B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.body).poll_read(cx, buffer));
        Poll::Ready(self.progress.note(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_was_begun_had_a_connection_even_if_no_address_is_known() {
        let fault = |read: u64| {
            let progress = Progress::new(Some(10), true);
            progress.read.store(read, Ordering::Relaxed);
            let broken = isahc::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
            assert!(broken.remote_addr().is_none());
            Mark::fault_of(&progress.explain(broken))
        };
        assert_eq!(fault(0), Some(Fault::Connect));
        assert_eq!(fault(3), Some(Fault::Unprocessed));
        assert_eq!(fault(10), None);
    }
}
