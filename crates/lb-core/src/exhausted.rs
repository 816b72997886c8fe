//! The refusal that a caller gets when no backend is left.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::{cause::Cause, outcome::Reason, state::State};

/// Of so many backends that are out for the same reason the message has the names.
const MAX_NAMES: usize = 4;

/// No backend can take the request now; it says why, and when to come back.
///
/// A synthesised answer carries it in its extensions, so that it can be told apart from a backend's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    status: StatusCode,
    totals: Totals,
    unavailable: Arc<[Unavailable]>,
}

/// All backends of a pool, counted by state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) backends: usize,
    pub(crate) cooling: usize,
    pub(crate) suspect: usize,
    pub(crate) drained: usize,
    /// Whether a 429 is among the reasons.
    pub(crate) is_throttled: bool,
    /// Whether the time that the request had is over.
    pub(crate) is_late: bool,
    /// How long until the request could go anywhere; `None` if all are drained.
    pub(crate) soonest: Option<Duration>,
}

/// Why one backend could not take the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    pub(crate) backend: Arc<str>,
    pub(crate) state: State,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) cause: Option<Cause>,
}

impl Unavailable {
    /// The backend's name.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Its state. One that is available has been tried by this request, or was beyond its `max_attempts`.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How long until the request could go there; `None` if it is drained.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Why it is out, or how it failed this request; `None` if it is drained, or was not asked.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Its state and reason in words.
    fn why(&self) -> (State, Option<Reason>) {
        (self.state, self.cause.as_ref().map(Cause::reason))
    }
}

impl Exhausted {
    /// The refusal of a pool of these totals, and why the first of its backends are out. With `always_throttled` it is a 429
    /// whatever the reasons.
    pub(crate) fn new(totals: Totals, unavailable: Arc<[Unavailable]>, always_throttled: bool) -> Self {
        let is_throttled = totals.is_throttled || always_throttled;
        let status = if is_throttled { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
        Self { status, totals, unavailable }
    }

    /// The status of the synthesised answer: 429 if a 429 is among the reasons, else 503.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// How long until this request could go anywhere, to the nanosecond; `None` if all backends are drained.
    ///
    /// A backend that is available, but was already tried by this request, or is beyond its `max_attempts`, counts as one
    /// second.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.totals.soonest
    }

    /// The `Retry-After` of the synthesised answer: whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after_secs(&self) -> Option<u64> {
        let round_up = |soonest: Duration| soonest.as_secs().saturating_add(u64::from(soonest.subsec_nanos() > 0));
        self.totals.soonest.map(|soonest| round_up(soonest).max(1))
    }

    /// The `retry-after-ms` of the synthesised answer: whole milliseconds, rounded up.
    #[must_use]
    pub fn retry_after_millis(&self) -> Option<u64> {
        let round_up = |soonest: Duration| soonest.as_nanos().div_ceil(1_000_000);
        self.totals.soonest.map(|soonest| u64::try_from(round_up(soonest)).unwrap_or(u64::MAX))
    }

    /// How many backends the pool has.
    #[must_use]
    pub const fn backends(&self) -> usize {
        self.totals.backends
    }

    /// Whether the request got no further because its [deadline](crate::Wishes::within) has passed.
    #[must_use]
    pub const fn is_late(&self) -> bool {
        self.totals.is_late
    }

    /// How many of them are cooling down.
    #[must_use]
    pub const fn cooling(&self) -> usize {
        self.totals.cooling
    }

    /// How many of them are suspect.
    #[must_use]
    pub const fn suspect(&self) -> usize {
        self.totals.suspect
    }

    /// How many of them are drained.
    #[must_use]
    pub const fn drained(&self) -> usize {
        self.totals.drained
    }

    /// Why each backend could not take the request, best priority first; the first 32 of a large pool.
    #[must_use]
    pub fn unavailable(&self) -> &[Unavailable] {
        &self.unavailable
    }

    /// The synthesised answer: its [status](Exhausted::status), `retry-after` (whole seconds) and `retry-after-ms` unless
    /// all backends are drained, `content-type: application/json`, an OpenAI-style error object as the body, and this
    /// value in the extensions.
    ///
    /// SDKs retry on it: they read the headers, and the body as `{"error": {"message", "type", "param", "code"}}`
    /// ([OpenAI error codes](https://platform.openai.com/docs/guides/error-codes)).
    ///
    /// ```
    /// # use lb_core::{Backend, Pool, Step, ThreadRng, Outcome};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = Pool::new([Backend::new("a.openai.azure.com", 1)?])?;
    /// # let mut dispatch = pool.dispatch();
    /// # let Step::Try(_) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!() };
    /// # let _ = dispatch.settle(Outcome::answered(429, [("retry-after", "4")].as_slice(), || pool.wall()), || pool.now());
    /// let Step::Exhausted(exhausted) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!() };
    /// let response = exhausted.to_response();
    /// assert_eq!(response.status(), 429);
    /// assert_eq!(response.headers()["retry-after"], "4");
    /// assert!(response.extensions().get::<lb_core::Exhausted>().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_response(&self) -> http::Response<Bytes> {
        let mut response = http::Response::new(self.body());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let (Some(secs), Some(millis)) = (self.retry_after_secs(), self.retry_after_millis()) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
            headers.insert("retry-after-ms", HeaderValue::from(millis));
        }
        response.extensions_mut().insert(self.clone());
        response
    }

    /// The JSON body of the synthesised answer. Its message names the reasons and the backends, and no text that came from
    /// elsewhere.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let (kind, code) = if self.status == StatusCode::TOO_MANY_REQUESTS {
            ("rate_limit_error", "rate_limit_exceeded")
        } else {
            ("server_error", "service_unavailable")
        };
        // The names of backends have no control characters, so that these two are all that needs escaping.
        let message = self.to_string().replace('\\', r"\\").replace('"', r#"\""#);
        Bytes::from(format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}"#))
    }

    /// Why the backends are out: each reason once, with their names.
    fn write_reasons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = |unavailable: &Unavailable| {
            let (state, reason) = unavailable.why();
            (state.as_str(), reason)
        };
        let is_first = |number: usize| {
            let earlier = &self.unavailable[..number];
            !earlier.iter().any(|other| kind(other) == kind(&self.unavailable[number]))
        };
        let mut between = ": ";
        for number in (0..self.unavailable.len()).filter(|&number| is_first(number)) {
            let group = kind(&self.unavailable[number]);
            f.write_str(between)?;
            between = ", ";
            match group {
                ("available", None) => f.write_str("not asked")?,
                ("available", Some(reason)) => write!(f, "failed with {}", in_words(reason))?,
                (state, None) => f.write_str(state)?,
                (state, Some(reason)) => write!(f, "{state} after {}", in_words(reason))?,
            }
            let mut names = self.unavailable.iter().filter(|other| kind(other) == group).map(Unavailable::backend);
            write!(f, " ({}", names.next().unwrap_or_default())?;
            names.by_ref().take(MAX_NAMES - 1).try_for_each(|name| write!(f, ", {name}"))?;
            match names.count() {
                0 => f.write_str(")")?,
                more => write!(f, " and {more} more)")?,
            }
        }
        match self.totals.backends.saturating_sub(self.unavailable.len()) {
            0 => Ok(()),
            more => write!(f, ", and {more} more backends"),
        }
    }
}

/// A reason as it stands after "after" and "with".
fn in_words(reason: Reason) -> String {
    match reason {
        Reason::Status(status) => format!("status {status}"),
        Reason::Html => "an HTML page".to_owned(),
        Reason::Fault(fault) => format!("{fault} fault"),
        Reason::Stalled => "a stall".to_owned(),
        Reason::ByHand => "a word from an operator".to_owned(),
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after_secs() {
            _ if self.totals.is_late => f.write_str("the deadline of the request has passed")?,
            Some(secs) => write!(f, "no backend available for {secs} s")?,
            None => f.write_str("no backend available until one is reopened")?,
        }
        self.write_reasons(f)
    }
}

impl StdError for Exhausted {}
