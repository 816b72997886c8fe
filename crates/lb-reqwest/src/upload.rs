//! How much of a request's body was sent.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use lb_core::Fault;
use reqwest::{Body, Request};

const NOTHING: u8 = 0;
const A_PART: u8 = 1;
const ALL: u8 = 2;

/// How much of a body reqwest has taken to send it; `None` if the request has none.
pub(crate) struct Upload(Option<Arc<AtomicU8>>);

impl Upload {
    /// Of this request, whose body tells from now on.
    pub(crate) fn of(request: &mut Request) -> Self {
        let Some(body) = request.body_mut().take_if(|body| !body.is_end_stream()) else { return Self(None) };
        let taken = Arc::new(AtomicU8::new(NOTHING));
        *request.body_mut() = Some(Body::wrap(Telling { body, taken: Arc::clone(&taken) }));
        Self(Some(taken))
    }

    /// The fault where that much was sent: a request of which a part is missing cannot have been executed.
    pub(crate) fn fault(&self, fault: Fault) -> Fault {
        let taken = self.0.as_ref().map_or(ALL, |taken| taken.load(Ordering::Relaxed));
        match (fault, taken) {
            // A client takes the body when it has a connection.
            (Fault::Timeout, NOTHING) => Fault::ConnectTimeout,
            (Fault::Timeout | Fault::Reset, NOTHING | A_PART) => Fault::Unprocessed,
            _ => fault,
        }
    }
}

/// A body that tells how much of it was taken.
struct Telling {
    body: Body,
    taken: Arc<AtomicU8>,
}

impl http_body::Body for Telling {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        // Of a stream without a length any chunk may be the last.
        let is_more_to_come = this.body.size_hint().exact().is_some_and(|length| length > 0);
        this.taken.store(if is_more_to_come { A_PART } else { ALL }, Ordering::Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
