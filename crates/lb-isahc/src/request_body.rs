//! The body of a request, which is sent once.

use std::{
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_lite::AsyncRead;
use isahc::{AsyncBody, Body};
use lb_core::Fault;

use crate::mark::Mark;

/// A body that isahc cannot rewind, even if it is in memory.
///
/// Where a kept connection ends before an answer, libcurl rewinds the body and sends the request again, although it may
/// have been executed. A body that cannot be rewound makes that an error.
struct RequestBody<B>(B);

/// The body to be sent.
pub(crate) fn sent_once(body: AsyncBody) -> AsyncBody {
    match body.len() {
        // Nobody reads it: there is nothing in it.
        Some(0) => body,
        Some(length) => AsyncBody::from_reader_sized(RequestBody(body), length),
        None => AsyncBody::from_reader(RequestBody(body)),
    }
}

/// The same for a blocking body that streams.
pub(crate) fn streamed_once(body: Body) -> Body {
    match body.len() {
        Some(length) => Body::from_reader_sized(RequestBody(body), length),
        None => Body::from_reader(RequestBody(body)),
    }
}

impl<B: Read> Read for RequestBody<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(marked)
    }
}

impl<B: AsyncRead + Unpin> AsyncRead for RequestBody<B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll_read(cx, buffer)).map_err(marked))
    }
}

/// Without the mark isahc would report a body's refused or timed out read as the backend's.
fn marked(error: io::Error) -> io::Error {
    match error.kind() {
        // No failure: it is read again.
        io::ErrorKind::Interrupted => error,
        _ => Mark::new(Fault::Request, "request body failed", error).into_io(),
    }
}
