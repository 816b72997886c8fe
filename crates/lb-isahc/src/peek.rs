//! A look into a stream, and isahc's body made again around it.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use futures_lite::AsyncRead;
use isahc::{AsyncBody, http::Response};
use lb_core::Refusal;
use lb_peek::{Classifier, Verdict};

/// As much is read at a time.
const CHUNK: usize = 8 * 1024;

/// Reads the beginning of a response, until it is known whether it is a refusal or `enough` is ready; gives back the same
/// response, whose body begins with what was read.
pub(crate) async fn peek(
    response: Response<AsyncBody>,
    enough: impl Future<Output = ()>,
) -> (Response<AsyncBody>, Option<Refusal>) {
    let (parts, rest) = response.into_parts();
    let length = rest.len();
    let mut held = Held { bytes: Vec::new(), given: 0, error: None, rest };
    let mut classifier = Classifier::new();
    let mut buffer = vec![0; CHUNK];
    let mut enough = pin!(enough);
    let verdict = poll_fn(|context| {
        loop {
            let Poll::Ready(read) = Pin::new(&mut held.rest).poll_read(context, &mut buffer) else {
                return enough.as_mut().poll(context).map(|()| Verdict::Commit);
            };
            let verdict = match read.map(|length| &buffer[..length]) {
                Ok([]) => classifier.end(),
                Ok(bytes) => {
                    held.bytes.extend_from_slice(bytes);
                    classifier.feed(bytes)
                }
                Err(error) => {
                    held.error = Some(error);
                    Verdict::Commit
                }
            };
            if verdict != Verdict::Undecided {
                return Poll::Ready(verdict);
            }
        }
    });
    let refusal = match verdict.await {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Undecided | Verdict::Commit => None,
    };
    let body = match length {
        Some(length) => AsyncBody::from_reader_sized(held, length),
        None => AsyncBody::from_reader(held),
    };
    (Response::from_parts(parts, body), refusal)
}

/// A body of which the beginning was read: that comes first, then the error that ended it, if one did, and the rest.
struct Held {
    bytes: Vec<u8>,
    given: usize,
    error: Option<io::Error>,
    rest: AsyncBody,
}

impl AsyncRead for Held {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let left = &this.bytes[this.given..];
        if !left.is_empty() {
            let length = left.len().min(buffer.len());
            buffer[..length].copy_from_slice(&left[..length]);
            this.given += length;
            return Poll::Ready(Ok(length));
        }
        // It is of no use any more, and a stream can be long.
        this.bytes = Vec::new();
        this.given = 0;
        match this.error.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut this.rest).poll_read(context, buffer),
        }
    }
}
