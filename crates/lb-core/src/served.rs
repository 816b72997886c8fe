//! Who served a response.

use std::{fmt, sync::Arc, time::Duration};

use crate::outcome::Reason;

/// Which backend served a response, after how many attempts and what waits: an extension of the response.
///
/// ```
/// fn log<B>(response: &http::Response<B>) {
///     if let Some(served) = response.extensions().get::<lb_core::Served>() {
///         println!("{} after {} attempts", served.backend(), served.attempts());
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    backend: Arc<str>,
    attempts: u32,
    waited: Duration,
    trail: Box<[FailedAttempt]>,
    request: Option<u64>,
}

impl Served {
    pub(crate) const fn new(backend: Arc<str>, attempts: u32, waited: Duration, trail: Box<[FailedAttempt]>) -> Self {
        Self { backend, attempts, waited, trail, request: None }
    }

    /// The same, of the request with this number.
    pub(crate) const fn numbered(mut self, request: Option<u64>) -> Self {
        self.request = request;
        self
    }

    /// The name of the backend.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// How many attempts the request made, this one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long the request [waited](crate::PoolBuilder::wait) for backends to come back, all its waits together.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// The request's number in the [events](crate::Event) of its pool, which joins what a caller logs of an answer with what an
    /// observer logs of the attempts before it. `None` if nobody was told of the request.
    #[must_use]
    pub const fn request(&self) -> Option<u64> {
        self.request
    }

    /// The attempts before, which failed over, in their order; at most the first eight. It is empty, and takes no memory, where the
    /// first attempt served.
    ///
    /// ```
    /// fn log<B>(response: &http::Response<B>) {
    ///     for failed in response.extensions().get().map(lb_core::Served::trail).unwrap_or_default() {
    ///         println!("{} did not serve: {}", failed.backend(), failed.reason());
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn trail(&self) -> &[FailedAttempt] {
        &self.trail
    }
}

/// An attempt that failed, before the one that served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    backend: Arc<str>,
    reason: Reason,
}

impl FailedAttempt {
    pub(crate) const fn new(backend: Arc<str>, reason: Reason) -> Self {
        Self { backend, reason }
    }

    /// The name of the backend.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// How it ended: by which status, or by which fault.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (attempt {})", self.backend, self.attempts)
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.backend, self.reason)
    }
}
