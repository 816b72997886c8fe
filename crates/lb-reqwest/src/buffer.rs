//! Bodies that stream though they are in memory, such as multipart forms: read once, so that they can be sent again.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use reqwest::{Body, Request};

/// Makes the request's body one that can be copied, if all of it is there without waiting and it is no longer than this, in
/// bytes. Else it stays a stream.
pub(crate) fn buffer(request: &mut Request, limit: u64) {
    let is_stream = |body: &mut Body| body.as_bytes().is_none() && body.size_hint().lower() <= limit;
    let Some(mut body) = request.body_mut().take_if(is_stream) else { return };
    let (mut chunks, mut length) = (VecDeque::new(), 0_u64);
    let rest = loop {
        // Nobody is woken: whoever sends the rest asks again.
        let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        match frame.map_ok(Frame::into_data) {
            Poll::Ready(None) => break None,
            Poll::Ready(Some(Ok(Ok(chunk)))) => {
                length = length.saturating_add(chunk.len() as u64);
                chunks.push_back(Ok(Frame::data(chunk)));
                if length > limit {
                    break Some(body);
                }
            }
            Poll::Ready(Some(Ok(Err(trailers)))) => {
                chunks.push_back(Ok(trailers));
                break Some(body);
            }
            Poll::Ready(Some(Err(error))) => {
                chunks.push_back(Err(error));
                break Some(body);
            }
            Poll::Pending => break Some(body),
        }
    };
    *request.body_mut() = Some(match rest {
        None => Body::from(joined(chunks)),
        Some(rest) => Body::wrap(Resumed { read: chunks, rest }),
    });
}

fn joined(chunks: VecDeque<Result<Frame<Bytes>, reqwest::Error>>) -> Bytes {
    let chunks = chunks.into_iter().filter_map(|chunk| chunk.ok()?.into_data().ok());
    let mut joined = BytesMut::new();
    for chunk in chunks {
        joined.extend_from_slice(&chunk);
    }
    joined.freeze()
}

/// A stream of which a part was read already.
struct Resumed {
    read: VecDeque<Result<Frame<Bytes>, reqwest::Error>>,
    rest: Body,
}

impl http_body::Body for Resumed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let this = self.get_mut();
        match this.read.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().flatten().filter_map(Frame::data_ref).map(|chunk| chunk.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
            hint.set_upper(upper);
        }
        hint
    }
}
