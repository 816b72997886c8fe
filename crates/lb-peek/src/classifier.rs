//! Bytes in, verdict out.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_core::Stream;
use lb_core::Refusal;
use sse_stream::SseByteStream;

use crate::event::{Sign, read};

/// No more events are held. The preambles that are known have four at most.
pub const MAX_EVENTS: usize = 64;

/// No more bytes are held. A `response.created` repeats the request's instructions and tools, which may be long.
pub const MAX_BYTES: usize = 64 * 1024;

/// Azure says a refusal without any code by the head, and by nothing else.
const WITHOUT_A_CODE: Refusal = Refusal::new(429);

/// What the beginning of a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever holds a stream has to know every verdict")]
pub enum Verdict {
    /// Nothing yet: hold it, and feed more.
    Undecided,
    /// It is the caller's: hand on what was held, and then the rest.
    Commit,
    /// It is a refusal.
    Refused(Refusal),
}

/// Reads the beginning of a stream of events, however its bytes are split.
///
/// After a verdict other than [`Undecided`](Verdict::Undecided) it has nothing more to say.
///
/// ```
/// use lb_core::Refusal;
/// use lb_peek::{Classifier, Verdict};
///
/// let mut classifier = Classifier::new();
/// let created = b"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n";
/// assert_eq!(classifier.feed(created), Verdict::Undecided);
/// let failed = b"data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"..\"}\n\n";
/// assert_eq!(classifier.feed(failed), Verdict::Refused(Refusal::new(429)));
/// ```
pub struct Classifier {
    events: SseByteStream<Inbox>,
    inbox: Sender<Bytes>,
    events_left: usize,
    bytes_left: usize,
    has_failed: bool,
}

impl Classifier {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        let (inbox, fed) = channel();
        Self {
            events: SseByteStream::new(Inbox(fed)),
            inbox,
            events_left: MAX_EVENTS,
            bytes_left: MAX_BYTES,
            has_failed: false,
        }
    }

    /// The stream's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Verdict {
        // Beyond the bound nothing is read, so that the verdict is the same however the bytes are split.
        let within = &bytes[..bytes.len().min(self.bytes_left)];
        self.bytes_left -= within.len();
        if self.inbox.send(Bytes::copy_from_slice(within)).is_err() {
            return Verdict::Commit;
        }
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(event) = Pin::new(&mut self.events).poll_next(&mut context) {
            // What cannot be read as events is for the caller to read.
            let Some(Ok(event)) = event else { return Verdict::Commit };
            let verdict = self.judge(read(event.event.as_deref(), event.data.as_deref()));
            if verdict != Verdict::Undecided {
                return verdict;
            }
        }
        if self.bytes_left == 0 { Verdict::Commit } else { Verdict::Undecided }
    }

    /// The stream has ended, and nothing was decided: never [`Undecided`](Verdict::Undecided).
    #[must_use]
    pub fn end(&self) -> Verdict {
        if self.has_failed { Verdict::Refused(WITHOUT_A_CODE) } else { Verdict::Commit }
    }

    fn judge(&mut self, sign: Sign) -> Verdict {
        self.events_left -= 1;
        match sign {
            Sign::Refusal(refusal) => return Verdict::Refused(refusal),
            Sign::Answer => return Verdict::Commit,
            Sign::End => return self.end(),
            Sign::Failure => self.has_failed = true,
            Sign::Preamble => {}
        }
        if self.events_left == 0 { Verdict::Commit } else { Verdict::Undecided }
    }
}

impl Default for Classifier {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was fed is an answer to somebody.
        f.debug_struct("Classifier")
            .field("events_left", &self.events_left)
            .field("bytes_left", &self.bytes_left)
            .field("has_failed", &self.has_failed)
            .finish_non_exhaustive()
    }
}

/// What was fed, as the stream that events are read from: it is never waited for.
struct Inbox(Receiver<Bytes>);

impl Stream for Inbox {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.try_recv() {
            Ok(bytes) => Poll::Ready(Some(Ok(bytes))),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
        }
    }
}
