//! The same over a body: read until the verdict, and handed on from its beginning.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use lb_core::Refusal;

use crate::classifier::{Classifier, MAX_BYTES, Verdict};

/// Reads the beginning of a body until it says whether it is a refusal, or `enough` is ready: then it is the caller's.
///
/// What comes back is the whole body, with what was read before the rest, refused or not. Dropping the future drops the
/// body.
///
/// ```
/// use std::future::pending;
///
/// use http_body_util::{BodyExt, Full};
/// use lb_core::Refusal;
///
/// # futures::executor::block_on(async {
/// let events = "data: {\"error\":{\"code\":\"429\",\"message\":\"..\"}}\n\n";
/// let (body, refusal) = lb_peek::peek(Full::<bytes::Bytes>::from(events), pending()).await;
/// assert_eq!(refusal, Some(Refusal::new(429)));
/// assert_eq!(body.collect().await?.to_bytes(), events);
/// # Ok::<(), std::convert::Infallible>(())
/// # }).unwrap();
/// ```
pub async fn peek<B: Body<Data = Bytes> + Unpin>(
    body: B,
    enough: impl Future<Output = ()>,
) -> (Held<B>, Option<Refusal>) {
    let mut held = Held { frames: VecDeque::new(), rest: body };
    let mut classifier = Classifier::new();
    let mut enough = pin!(enough);
    let verdict = poll_fn(|cx| {
        loop {
            // First what has come: a refusal that is here is one, however late the caller's task was woken.
            let Poll::Ready(frame) = Pin::new(&mut held.rest).poll_frame(cx) else {
                return enough.as_mut().poll(cx).map(|()| Verdict::Commit);
            };
            let verdict = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(Verdict::Undecided, |data| classifier.feed(data)),
                Some(Err(_)) => Verdict::Commit,
                None => classifier.end(),
            };
            held.frames.push_back(frame);
            if verdict != Verdict::Undecided {
                return Poll::Ready(verdict);
            }
            // Frames without a byte have no other bound.
            if held.frames.len() > MAX_BYTES {
                return Poll::Ready(Verdict::Commit);
            }
        }
    });
    let refusal = match verdict.await {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Undecided | Verdict::Commit => None,
    };
    (held, refusal)
}

/// What a body gives.
type Polled<B> = Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>;

/// A body of which the beginning was read: that comes first, frame by frame as it came, and then the rest.
pub struct Held<B: Body> {
    /// What was read: also an error, and the end, after which the rest is not asked again.
    frames: VecDeque<Polled<B>>,
    rest: B,
}

// Nothing in it is pinned but the rest, which may be moved.
impl<B: Body + Unpin> Unpin for Held<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled<B>> {
        let this = self.get_mut();
        match this.frames.front() {
            // The end stays.
            Some(None) => Poll::Ready(None),
            Some(Some(_)) => Poll::Ready(this.frames.pop_front().flatten()),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.frames.front() {
            Some(frame) => frame.is_none(),
            None => self.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let held = |frame: &Polled<B>| {
            let data = frame.as_ref()?.as_ref().ok()?.data_ref()?;
            u64::try_from(data.len()).ok()
        };
        let held = self.frames.iter().filter_map(held).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(held.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B: Body> fmt::Debug for Held<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held is an answer to somebody.
        f.debug_struct("Held").field("frames", &self.frames.len()).finish_non_exhaustive()
    }
}
