//! What an answer, or the lack of one, means to a request and to the backend.
//!
//! | answer | this request | the backend |
//! | --- | --- | --- |
//! | 2xx, 3xx | returned (a redirect is the caller's to see) | success counted |
//! | 429 | next backend at once | cooling until its hint, else for the default |
//! | 5xx | next backend at once | cooling until its hint, else for the default |
//! | other 4xx | returned | unchanged; with [`fail_over_on`](crate::PoolBuilder::fail_over_on) as a 429 without a hint |
//! | connect, DNS or TLS fault | next backend at once | cooling for the default |
//! | timeout or reset after the request went out | returned as the transport's error | unchanged; with [`fail_over_after_send`](crate::PoolBuilder::fail_over_after_send) as a connect fault |
//! | no credential to be had for the backend | next backend at once | cooling for the default |
//! | the request's own fault | returned as the transport's error | unchanged |
//! | caller dropped the future | - | unchanged |
//!
//! The default is [10 s](crate::PoolBuilder::default_cooldown). A hint of zero takes the backend out of this request
//! only. A hint above [the maximum](crate::PoolBuilder::max_cooldown) is not credible, and the default applies.

use std::{fmt, time::SystemTime};

use crate::retry_after::{Headers, Hint, hint};

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A response head came.
    Answered {
        /// The status code.
        status: u16,
        /// When the backend wants to be asked again, if it said so.
        hint: Option<Hint>,
    },
    /// No response head came.
    Faulted(Fault),
    /// The caller gave up before anything came.
    Cancelled,
}

impl Outcome {
    /// The outcome of a response head: its status, and the hint that its headers give.
    ///
    /// `wall` is read only to measure a date in a response without a usable `Date` header.
    pub fn answered(status: u16, headers: &(impl Headers + ?Sized), wall: impl FnOnce() -> SystemTime) -> Self {
        Self::Answered { status, hint: hint(status, headers, wall) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => write!(f, "status {status}"),
            Self::Faulted(fault) => write!(f, "{fault} fault"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// Why no response head came, as the transport sees it.
///
/// What counts is whether the backend may have executed the request, and whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No connection: DNS, connect or TLS failed, also by a connect timeout. Nothing was sent: it is safe to fail over.
    Connect,
    /// No response head in time, after the request went out or may have. It may have been executed and billed.
    Timeout,
    /// The connection broke after the request went out or may have. It may have been executed and billed.
    Reset,
    /// The backend's credential could not be had. Nothing was sent: it is safe to fail over.
    Credential,
    /// The request's own fault: it could not be built, or its body failed. No backend is to blame.
    Request,
}

impl Fault {
    /// The fault in one word, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Credential => "credential",
            Self::Request => "request",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a backend cools down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It answered with this status.
    Status(u16),
    /// It did not answer.
    Fault(Fault),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// What [`Dispatch::settle`](crate::Dispatch::settle) decides about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever drives a dispatch has to know every verdict")]
#[must_use = "the verdict says whether to return the answer or to ask the next backend"]
pub enum Verdict {
    /// Return this attempt's answer or error to the caller.
    Return,
    /// Ask [`Dispatch::next`](crate::Dispatch::next) where to go; keep this attempt's answer until it has said.
    FailOver,
}
