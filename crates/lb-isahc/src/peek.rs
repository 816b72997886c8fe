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

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        future::{pending, ready},
    };

    use futures_lite::{AsyncReadExt, future::block_on};

    use super::*;

    const CREATED: &[u8] = b"data: {\"type\":\"response.created\"}\n\n";
    const REFUSED: &[u8] = b"data: {\"error\":{\"code\":\"429\"}}\n\n";

    /// Gives these pieces one by one, and errors once each; then its end, if it ends.
    struct Reader {
        pieces: VecDeque<io::Result<&'static [u8]>>,
        ends: bool,
    }

    impl AsyncRead for Reader {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            match self.pieces.pop_front() {
                Some(piece) => Poll::Ready(piece.map(|bytes| {
                    buffer[..bytes.len()].copy_from_slice(bytes);
                    bytes.len()
                })),
                None if self.ends => Poll::Ready(Ok(0)),
                None => Poll::Pending,
            }
        }
    }

    fn looked_into(
        pieces: impl IntoIterator<Item = io::Result<&'static [u8]>>,
        ends: bool,
        enough: impl Future<Output = ()>,
    ) -> (AsyncBody, Option<Refusal>) {
        let body = AsyncBody::from_reader(Reader { pieces: pieces.into_iter().collect(), ends });
        let (response, refusal) = block_on(peek(Response::new(body), enough));
        (response.into_body(), refusal)
    }

    #[test]
    fn an_error_comes_once_and_behind_what_came_before_it() {
        let error = Err(io::ErrorKind::ConnectionReset.into());
        let (mut body, refusal) = looked_into([Ok(CREATED), error], true, pending());
        assert_eq!(refusal, None);
        let mut read = vec![0; CREATED.len()];
        // In pieces that are smaller than what was read.
        for piece in read.chunks_mut(5) {
            block_on(body.read_exact(piece)).unwrap();
        }
        assert_eq!(read, CREATED);
        let mut rest = [0; 8];
        assert_eq!(block_on(body.read(&mut rest)).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(block_on(body.read(&mut rest)).unwrap(), 0);
    }

    #[test]
    fn a_refusal_is_found_and_handed_on_as_well() {
        let (mut body, refusal) = looked_into([Ok(CREATED), Ok(REFUSED)], true, pending());
        assert_eq!(refusal, Some(Refusal::new(429)));
        let mut read = Vec::new();
        block_on(body.read_to_end(&mut read)).unwrap();
        assert_eq!(read, [CREATED, REFUSED].concat());
    }

    #[test]
    fn when_it_is_enough_the_stream_is_the_callers() {
        let (mut body, refusal) = looked_into([Ok(CREATED)], false, ready(()));
        assert_eq!(refusal, None);
        let mut read = vec![0; CREATED.len()];
        block_on(body.read_exact(&mut read)).unwrap();
        assert_eq!(read, CREATED);
    }
}
