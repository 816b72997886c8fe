//! The refusal that a caller gets when no backend is left.

use std::{error::Error as StdError, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

/// No backend can take the request now; it says when to come back.
///
/// A synthesised 429 carries it in its extensions, so that it can be told apart from a backend's own 429.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    soonest: Duration,
    cooling: usize,
    backends: usize,
}

impl Exhausted {
    pub(crate) const fn new(soonest: Duration, cooling: usize, backends: usize) -> Self {
        Self { soonest, cooling, backends }
    }

    /// How long until the soonest backend of the whole pool is available again, to the nanosecond.
    ///
    /// A backend that is available, but was already tried by this request, or is beyond its `max_attempts`, counts as one
    /// second.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.soonest
    }

    /// The `Retry-After` of the synthesised 429: whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after_secs(&self) -> u64 {
        let round_up = u64::from(self.soonest.subsec_nanos() > 0);
        self.soonest.as_secs().saturating_add(round_up).max(1)
    }

    /// The `retry-after-ms` of the synthesised 429: whole milliseconds, rounded up.
    #[must_use]
    pub fn retry_after_millis(&self) -> u64 {
        u64::try_from(self.soonest.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// How many backends of the pool are cooling down.
    #[must_use]
    pub const fn cooling(&self) -> usize {
        self.cooling
    }

    /// How many backends the pool has.
    #[must_use]
    pub const fn backends(&self) -> usize {
        self.backends
    }

    /// The synthesised answer: status 429, `retry-after` (whole seconds), `retry-after-ms`, `content-type:
    /// application/json`, an OpenAI-style error object as the body, and this value in the extensions.
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
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_secs()));
        headers.insert("retry-after-ms", HeaderValue::from(self.retry_after_millis()));
        response.extensions_mut().insert(self.clone());
        response
    }

    /// The JSON body of the synthesised answer.
    #[must_use]
    pub fn body(&self) -> Bytes {
        // The message is made of numbers and fixed words: nothing in it needs escaping.
        Bytes::from(format!(
            r#"{{"error":{{"message":"{self}","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}}}"#
        ))
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cooling, backends, .. } = self;
        let secs = self.retry_after_secs();
        write!(f, "no backend available for {secs} s ({cooling} of {backends} cooling down)")
    }
}

impl StdError for Exhausted {}
