//! Request bodies that stream, with their errors marked as the request's own.

use std::{
    error::Error as StdError,
    fmt, io,
    io::Read,
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::AsyncRead;
use isahc::{AsyncBody, Body};

/// A request body that streams; its errors are [`BodyError`]s.
struct Stream<B>(B);

/// The body of a request, which streams, with its errors marked.
pub(crate) fn stream(body: Body) -> Body {
    match body.len() {
        Some(length) => Body::from_reader_sized(Stream(body), length),
        None => Body::from_reader(Stream(body)),
    }
}

/// The same for an async body; one that is in memory stays as it is.
pub(crate) fn async_stream(mut body: AsyncBody) -> AsyncBody {
    if body.is_empty() || body.reset() {
        return body;
    }
    match body.len() {
        Some(length) => AsyncBody::from_reader_sized(Stream(body), length),
        None => AsyncBody::from_reader(Stream(body)),
    }
}

impl<B: Read> Read for Stream<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(marked)
    }
}

impl<B: AsyncRead + Unpin> AsyncRead for Stream<B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer).map_err(marked)
    }
}

/// The caller's body failed. Without this mark isahc would report its refused or timed out read as the backend's.
#[derive(Debug)]
struct BodyError(io::Error);

fn marked(error: io::Error) -> io::Error {
    match error.kind() {
        // No failure: it is read again.
        io::ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, BodyError(error)),
    }
}

/// Whether the error is that of a request's body.
pub(crate) fn is_body_error(error: &isahc::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).is_some_and(|marked| marked.is::<BodyError>())
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request body failed: {}", self.0)
    }
}

impl StdError for BodyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}
