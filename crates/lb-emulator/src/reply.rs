use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::broken::Broken;

/// REFUSED_STREAM: the code of a stream that was not processed.
const REFUSED_STREAM: u32 = 0x7;

/// A scripted answer: what the emulator does with one request instead of, or on top of, serving it.
///
/// A reply is a *head*, which may be late or never come, with or without a reset in its place, and a *body*, which may be
/// late, stall or be cut. Replies are given to [`Emulator::script`](crate::Emulator::script), one per request, or to
/// [`Emulator::always`](crate::Emulator::always), until cleared.
///
/// Every reply but [`serve`](Self::serve) answers any request, whatever its path and credential, and charges no limit.
///
/// ```
/// use std::time::Duration;
/// use lb_emulator::{Emulator, Reply};
///
/// let emulator = Emulator::start()?;
/// emulator.script(Reply::throttled(Duration::from_secs(7)));
/// emulator.script(Reply::status(503).header("x-ms-region", "West US").body("busy"));
/// emulator.script(Reply::serve().reset_after(2)); // a stream that breaks after two events
/// emulator.always(Reply::reset());
/// # Ok::<(), lb_emulator::StartError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Reply {
    pub(crate) kind: Kind,
    pub(crate) headers: HeaderMap,
    pub(crate) head_delay: Duration,
    pub(crate) body_delay: Duration,
    pub(crate) cut: Option<(CutAfter, Cut)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Serve,
    Status(StatusCode, Bytes),
    /// Events of a stream, each as it goes on the wire.
    Stream(Vec<Bytes>),
    Throttled(Duration),
    ThrottledStream(Duration),
    Headless(Headless),
    /// Never processed: neither read nor recorded.
    Refused(Broken),
    /// What is wrong with the script.
    Invalid(String),
}

/// What comes instead of a head.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Headless {
    /// A TCP reset.
    Reset,
    /// Nothing, on this request.
    Never,
    /// Nothing at all, on this connection.
    Silence,
    Broken(Broken),
}

/// Where a body ends early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CutAfter {
    Events(usize),
    Bytes(usize),
}

/// How a body ends early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    Reset,
    Stall,
    Broken(Broken),
}

impl Reply {
    fn new(kind: Kind) -> Self {
        Self { kind, headers: HeaderMap::new(), head_delay: Duration::ZERO, body_delay: Duration::ZERO, cut: None }
    }

    /// The answer that the request would get without a script, limits included. The other methods then slow it down or
    /// cut it.
    pub fn serve() -> Self {
        Self::new(Kind::Serve)
    }

    /// A final status, 200 to 999, with an empty body.
    pub fn status(status: u16) -> Self {
        match StatusCode::from_u16(status) {
            Ok(code) if status >= 200 => Self::new(Kind::Status(code, Bytes::new())),
            _ => Self::new(Kind::Invalid(format!("{status} is not a final status"))),
        }
    }

    /// A 429 as Azure OpenAI sends it, with `hint` in the emulator's [`HintForm`](crate::HintForm).
    pub fn throttled(hint: Duration) -> Self {
        Self::new(Kind::Throttled(hint))
    }

    /// A refusal inside a 200 stream, as Azure's `/openai/v1/responses` sends it with `"stream": true`: the head is a
    /// 200 with `hint` in the emulator's [`HintForm`](crate::HintForm), the events are `response.failed` and `error`
    /// with the code `rate_limit_exceeded` (earendil-works/pi#7983).
    ///
    /// On the path of chat completions the events are the first chunk of Azure's streams, which is about the prompt, the
    /// error that a 429 has for its body, and `[DONE]`.
    pub fn throttled_stream(hint: Duration) -> Self {
        Self::new(Kind::ThrottledStream(hint))
    }

    /// The 429 that one prompt larger than the deployment's quota gets: a hint of 86,400 seconds.
    pub fn oversized() -> Self {
        Self::throttled(Duration::from_nanos(lb_limits::NEVER_NS))
    }

    /// A 307 to `location`.
    pub fn redirect(location: &str) -> Self {
        Self::status(307).header(header::LOCATION.as_str(), location)
    }

    /// A 200 with `text/event-stream`, and these events: each is sent as `data: ` with two newlines behind it, as an
    /// HTTP chunk or DATA frame of its own. `[DONE]` is not added.
    pub fn stream<E: AsRef<str>>(events: impl IntoIterator<Item = E>) -> Self {
        let framed = |event: E| crate::openai::event(event.as_ref());
        Self::new(Kind::Stream(events.into_iter().map(framed).collect()))
    }

    /// A TCP reset (RST) after the request was read, before any byte of an answer.
    pub fn reset() -> Self {
        Self::new(Kind::Headless(Headless::Reset))
    }

    /// No answer at all: the connection stays open until the client closes it.
    pub fn no_head() -> Self {
        Self::new(Kind::Headless(Headless::Never))
    }

    /// The connection falls silent: what arrives on it is read, and nothing is sent any more, for this request or for
    /// another.
    pub fn silence() -> Self {
        Self::new(Kind::Headless(Headless::Silence))
    }

    /// The stream is refused as soon as the head is here: RST_STREAM with REFUSED_STREAM, which promises that nothing was
    /// processed (RFC 9113, section 8.7). The request is neither read nor recorded, but counted:
    /// [`Emulator::refused_streams`](crate::Emulator::refused_streams).
    ///
    /// On HTTP/1.1, which has no streams, the connection is closed.
    pub fn refuse_stream() -> Self {
        Self::new(Kind::Refused(Broken::Stream(REFUSED_STREAM)))
    }

    /// RST_STREAM with this code (RFC 9113, section 7; `lb_emulator::h2::Reason` names them) after the request was read,
    /// before any head. The request may have been processed, whatever the code.
    ///
    /// On HTTP/1.1, which has no streams, the connection is closed.
    pub fn reset_stream(code: impl Into<u32>) -> Self {
        Self::new(Kind::Headless(Headless::Broken(Broken::Stream(code.into()))))
    }

    /// The connection goes away without this request, as when a server shuts down while it is on its way: a GOAWAY with
    /// this code, usually NO_ERROR, which names the stream before it as the last. It promises that nothing was processed
    /// (RFC 9113, section 6.8). The requests before it are still answered; this one, and those behind it on the same
    /// connection, are neither read nor recorded, but counted:
    /// [`Emulator::refused_streams`](crate::Emulator::refused_streams).
    ///
    /// On HTTP/1.1 the connection is closed.
    pub fn go_away_before(code: impl Into<u32>) -> Self {
        Self::new(Kind::Refused(Broken::Connection(code.into())))
    }

    /// The connection goes away with this request: it is read, and then a GOAWAY with this code names its stream, or a
    /// later one, as the last, and the connection is closed. It may have been processed, and so may all others that the
    /// connection had open.
    ///
    /// On HTTP/1.1 the connection is closed.
    pub fn go_away_including(code: impl Into<u32>) -> Self {
        Self::new(Kind::Headless(Headless::Broken(Broken::Connection(code.into()))))
    }

    /// Adds a header; it replaces the emulator's own of that name. A name or value that HTTP does not allow, and the
    /// framing headers, which the emulator decides, make the answer a 500 that says so.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes());
        match (name, HeaderValue::from_bytes(value.as_ref())) {
            (Ok(header::CONTENT_LENGTH | header::TRANSFER_ENCODING), _) => {
                self.kind = Kind::Invalid("the emulator frames its answers itself".to_owned());
            }
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            _ => self.kind = Kind::Invalid("a header is not allowed in HTTP".to_owned()),
        }
        self
    }

    /// Sets the body of a [`status`](Self::status) reply, sent with `Content-Length`; on any other reply it makes the
    /// answer a 500 that says so.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        match &mut self.kind {
            Kind::Status(_, current) => *current = body.into(),
            Kind::Invalid(_) => {}
            _ => self.kind = Kind::Invalid("only a status reply takes a body".to_owned()),
        }
        self
    }

    /// Sends the head this much later; default: at once.
    pub fn head_delay(mut self, delay: Duration) -> Self {
        self.head_delay = delay;
        self
    }

    /// Sends the body this much after the head, which is sent alone; default: with the head.
    pub fn body_delay(mut self, delay: Duration) -> Self {
        self.body_delay = delay;
        self
    }

    /// Sends the head and nothing of the body, ever: a stalled body.
    pub fn stall_body(self) -> Self {
        self.stall_after(0)
    }

    /// Sends `events` events of a stream, then nothing more; the connection stays open. A body that is not a stream
    /// counts as one event.
    pub fn stall_after(mut self, events: usize) -> Self {
        self.cut = Some((CutAfter::Events(events), Cut::Stall));
        self
    }

    /// Sends `bytes` bytes of the body, then nothing more; the connection stays open.
    pub fn stall_after_bytes(mut self, bytes: usize) -> Self {
        self.cut = Some((CutAfter::Bytes(bytes), Cut::Stall));
        self
    }

    /// Sends `events` events of a stream, then resets the connection (RST). A body that is not a stream counts as one
    /// event.
    pub fn reset_after(mut self, events: usize) -> Self {
        self.cut = Some((CutAfter::Events(events), Cut::Reset));
        self
    }
    /// Sends `events` events of a stream, then RST_STREAM with this code, as [`reset_stream`](Self::reset_stream). A body
    /// that is not a stream counts as one event.
    pub fn reset_stream_after(mut self, events: usize, code: impl Into<u32>) -> Self {
        self.cut = Some((CutAfter::Events(events), Cut::Broken(Broken::Stream(code.into()))));
        self
    }

    /// How the request is refused before it is processed, if it is.
    pub(crate) fn refusal(&self) -> Option<Broken> {
        match self.kind {
            Kind::Refused(broken) => Some(broken),
            _ => None,
        }
    }
}
