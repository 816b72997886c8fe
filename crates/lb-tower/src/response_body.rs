//! The body of a response: the service's own, or that of the synthesised 429.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use lb_core::Refusal;
use lb_peek::{Held, peek};

pin_project_lite::pin_project! {
    /// The body of a balanced response: the service's own, as a stream and untouched, or the JSON of a synthesised 429.
    ///
    /// Of a stream that announced a refusal the beginning was read; it comes first, and then the rest.
    pub struct ResponseBody<B: Body> {
        #[pin]
        origin: Origin<B>,
    }
}

pin_project_lite::pin_project! {
    #[project = Projected]
    enum Origin<B: Body> {
        Backend { #[pin] body: B },
        // Boxed, so that it can be read before it is where it stays.
        Held { body: Held<Pin<Box<B>>> },
        Synthesised { body: Full<Bytes> },
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) const fn backend(body: B) -> Self {
        Self { origin: Origin::Backend { body } }
    }

    /// The same, after a look at its beginning.
    pub(crate) async fn peek(self, enough: impl Future<Output = ()>) -> (Self, Option<Refusal>)
    where
        B: Body<Data = Bytes>,
    {
        match self.origin {
            Origin::Backend { body } => {
                let (body, refusal) = peek(Box::pin(body), enough).await;
                (Self { origin: Origin::Held { body } }, refusal)
            }
            origin => (Self { origin }, None),
        }
    }

    pub(crate) fn synthesised(body: Bytes) -> Self {
        Self { origin: Origin::Synthesised { body: Full::new(body) } }
    }

    /// The service's own body; `None` if the response is a synthesised 429, or a stream whose beginning was read.
    #[must_use]
    pub fn into_inner(self) -> Option<B> {
        match self.origin {
            Origin::Backend { body } => Some(body),
            Origin::Held { .. } | Origin::Synthesised { .. } => None,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().origin.project() {
            Projected::Backend { body } => body.poll_frame(cx),
            Projected::Held { body } => Pin::new(body).poll_frame(cx),
            Projected::Synthesised { body } => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.origin {
            Origin::Backend { body } => body.is_end_stream(),
            Origin::Held { body } => body.is_end_stream(),
            Origin::Synthesised { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.origin {
            Origin::Backend { body } => body.size_hint(),
            Origin::Held { body } => body.size_hint(),
            Origin::Synthesised { body } => body.size_hint(),
        }
    }
}

impl<B: Body> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.origin {
            Origin::Backend { .. } | Origin::Held { .. } => "ResponseBody(of a backend)",
            Origin::Synthesised { .. } => "ResponseBody(synthesised)",
        })
    }
}
