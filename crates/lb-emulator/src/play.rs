use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::{broken::Broken, gate::Gatekeeper, log::Exchange, quota::Settlement, wire::Link};

/// One step of sending a body.
#[derive(Debug)]
pub(crate) enum Step {
    Wait(Duration),
    /// Waits for the stream gate, if it is closed.
    Gate,
    Send(Bytes),
    /// Nothing more, ever.
    Stall,
    /// A TCP reset.
    Reset,
    Break(Broken),
}

/// The body of an answer, played step by step.
///
/// There is no task and no channel behind it: if the client leaves, the body is dropped, and with it the open
/// [`Exchange`] and the [`Settlement`], which notice.
pub(crate) struct Play {
    steps: VecDeque<Step>,
    /// Bytes still to come of a body with `Content-Length`; `None` for a stream.
    remaining: Option<u64>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether the last chunk has to be flushed before the next one is made.
    flush: bool,
    gate: Arc<Gatekeeper>,
    link: Arc<Link>,
    exchange: Option<Exchange>,
    settlement: Option<Settlement>,
}

impl Play {
    /// `length`: the `Content-Length`; `None` for a stream.
    pub(crate) fn new(
        steps: Vec<Step>,
        length: Option<u64>,
        gate: Arc<Gatekeeper>,
        link: Arc<Link>,
        exchange: Exchange,
        settlement: Option<Settlement>,
    ) -> Self {
        let mut play = Self {
            steps: steps.into(),
            remaining: length,
            waiting: None,
            flush: false,
            gate,
            link,
            exchange: Some(exchange),
            settlement,
        };
        if play.is_end_stream() {
            play.end();
        }
        play
    }

    /// Has the end asked for, as that of a stream, instead of telling it with the last byte.
    #[cfg(feature = "http2")]
    pub(crate) fn without_length(mut self) -> Self {
        self.remaining = None;
        self
    }

    fn end(&mut self) {
        self.settlement = None;
        if let Some(exchange) = self.exchange.take() {
            self.link.written(exchange);
        }
    }
}

impl Body for Play {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            if std::mem::take(&mut self.flush) {
                // The HTTP layer flushes when its body has nothing at the moment.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.steps.pop_front() {
                Some(Step::Wait(delay)) => self.waiting = Some(Box::pin(tokio::time::sleep(delay))),
                Some(Step::Gate) => {
                    let gate = Arc::clone(&self.gate);
                    self.waiting = Some(Box::pin(async move { gate.pass().await }));
                }
                Some(Step::Send(bytes)) => {
                    self.flush = true;
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.remaining = self.remaining.map(|left| left.saturating_sub(length));
                    if self.is_end_stream() {
                        self.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Stall) => self.waiting = Some(Box::pin(std::future::pending())),
                Some(Step::Reset) => {
                    self.link.reset();
                    self.waiting = Some(Box::pin(std::future::pending()));
                }
                Some(Step::Break(broken)) => {
                    if let Some(exchange) = self.exchange.take() {
                        exchange.broken_off();
                    }
                    return Poll::Ready(Some(Err(broken)));
                }
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0) && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Play")
            .field("steps", &self.steps.len())
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}
