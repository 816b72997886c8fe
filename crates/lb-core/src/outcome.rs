//! What an answer, or the lack of one, means to a request and to the backend.
//!
//! | answer | this request | the backend |
//! | --- | --- | --- |
//! | 2xx, 3xx | returned (a redirect is the caller's to see) | alive |
//! | a 200 whose stream [refuses](crate::Refusal), where its head announces it | as the 429 or 503 that it would have been, unless the pool does not [look](crate::PoolBuilder::peek) | likewise |
//! | 2xx with an HTML page, where the pool [rejects](crate::PoolBuilder::reject_html) such | next backend at once | a strike |
//! | 429, with a credible hint or none | next backend at once | cooling until its hint, else for [10 s](crate::PoolBuilder::default_cooldown) |
//! | 429 whose hint is above [`max_cooldown`](crate::PoolBuilder::max_cooldown) | next backend at once | a strike |
//! | 5xx with a credible hint | next backend at once | cooling until its hint |
//! | 5xx without | next backend at once | a strike |
//! | 401, 403 to the backend's own credential | next backend at once | a strike |
//! | 408, which Azure answers when an operation took too long | as a timeout: returned, and sending again is opt-in | a strike |
//! | other 4xx | returned | alive |
//! | a 4xx with an [action](crate::PoolBuilder::on_status) | as the action says | alive, or cooling until its hint, else for the default |
//! | connect, DNS or TLS fault; no credential to be had | next backend at once | suspect |
//! | refused unprocessed | next backend at once; once more at the same, after all others | nobody is blamed; eight in a row are a strike |
//! | timeout or reset after the request went out | returned as the transport's error; sending again is [opt-in](crate::PoolBuilder::fail_over_after_send) | a strike either way |
//! | the request's own fault | returned as the transport's error | unchanged |
//! | caller dropped the future | - | unchanged; from [`stalled_after`](crate::PoolBuilder::stalled_after) on a strike |
//!
//! *Alive* takes every strike back, and makes a suspect available. A [second](crate::PoolBuilder::strikes) request in a
//! row that strikes a backend makes it suspect: the [guide](crate::guide) says what that means. A hint of zero takes the
//! backend out of this request only.
//!
//! A 408 of Azure OpenAI may have been executed and billed
//! ([Plan and manage costs](https://learn.microsoft.com/azure/ai-foundry/openai/how-to/manage-costs)), so it is not sent
//! again without being asked for.

use std::{fmt, time::SystemTime};

use crate::{
    fault::Fault,
    retry_after::{Headers, Hint, hint_in},
};

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
    /// A success came with an HTML page, and the pool [rejects](crate::PoolBuilder::reject_html) such.
    Html {
        /// The status code, a 2xx.
        status: u16,
    },
    /// No response head came.
    Faulted(Fault),
    /// The caller gave up before anything came.
    Cancelled,
}

impl Outcome {
    /// The outcome of a response head: its status, and, from 400 on, the hint that its headers give.
    ///
    /// [`Pool::outcome`](crate::Pool::outcome) knows what a pool rejects besides.
    ///
    /// `wall` is read only to measure a date in a response without a usable `Date` header.
    pub fn answered(status: u16, headers: &(impl Headers + ?Sized), wall: impl FnOnce() -> SystemTime) -> Self {
        Self::Answered { status, hint: if status < 400 { None } else { hint_in(headers, wall) } }
    }

    /// Whether the request may have been executed although it failed.
    pub(crate) const fn may_have_been_executed(self) -> bool {
        match self {
            Self::Answered { status, .. } => status >= 500 || status == 408,
            Self::Html { .. } => true,
            Self::Faulted(fault) => matches!(fault, Fault::Timeout | Fault::Reset),
            Self::Cancelled => false,
        }
    }

    /// Whether it is the caller's, and the backend did well: a 2xx, a 3xx, or what comes before them.
    #[inline]
    pub(crate) const fn is_success(self) -> bool {
        matches!(self, Self::Answered { status: ..400, .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => write!(f, "status {status}"),
            Self::Html { status } => write!(f, "status {status} with an HTML page"),
            Self::Faulted(fault) => write!(f, "{fault} fault"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// What kind of failure put a backend out, or stands against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It answered with this status.
    Status(u16),
    /// It answered with an HTML page, and the pool [rejects](crate::PoolBuilder::reject_html) such.
    Html,
    /// It did not answer.
    Fault(Fault),
    /// The caller gave up after more than [`stalled_after`](crate::PoolBuilder::stalled_after), and no head had come.
    Stalled,
    /// Somebody [said so](crate::Pool::cool), and no request.
    ByHand,
}

impl Reason {
    /// Whether the backend answered at all.
    pub(crate) const fn is_answer(self) -> bool {
        matches!(self, Self::Status(_) | Self::Html)
    }

    /// Whether whoever asks next may hang there.
    pub(crate) const fn is_timeout(self) -> bool {
        matches!(self, Self::Fault(Fault::Timeout | Fault::ConnectTimeout) | Self::Stalled)
    }

    /// Whether a caller got this failure, or may have: it cannot be sent elsewhere without being asked for.
    pub(crate) const fn is_at_the_callers_expense(self) -> bool {
        matches!(self, Self::Fault(Fault::Timeout | Fault::Reset) | Self::Stalled | Self::Status(408))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Html => f.write_str("HTML page"),
            Self::Fault(fault) => fault.fmt(f),
            Self::Stalled => f.write_str("stalled"),
            Self::ByHand => f.write_str("by hand"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_faults_and_reasons_are_told_in_words() {
        let answered = Outcome::Answered { status: 503, hint: None };
        let said = [answered, Outcome::Faulted(Fault::ConnectTimeout), Outcome::Cancelled].map(|one| one.to_string());
        assert_eq!(said, ["status 503", "connect timeout fault", "cancelled"]);
        let said = [Reason::Status(408), Reason::Fault(Fault::Unprocessed), Reason::Stalled].map(|one| one.to_string());
        assert_eq!(said, ["408", "unprocessed", "stalled"]);
    }

    #[test]
    fn only_refusals_have_a_hint() {
        let hinted = |status| {
            let outcome = Outcome::answered(status, [("retry-after", "5")].as_slice(), || SystemTime::UNIX_EPOCH);
            matches!(outcome, Outcome::Answered { hint: Some(_), .. })
        };
        assert!(![200, 307, 399].into_iter().any(hinted));
        assert!([400, 403, 429, 500, 999].into_iter().all(hinted));
    }

    #[test]
    fn reasons_say_who_pays_and_who_waits() {
        let all = [
            Reason::Status(408),
            Reason::Status(500),
            Reason::Stalled,
            Reason::Fault(Fault::Timeout),
            Reason::Fault(Fault::Reset),
            Reason::Fault(Fault::Connect),
            Reason::Fault(Fault::ConnectTimeout),
            Reason::Fault(Fault::Credential),
        ];
        assert_eq!(all.map(Reason::is_answer), [true, true, false, false, false, false, false, false]);
        assert_eq!(all.map(Reason::is_timeout), [false, false, true, true, false, false, true, false]);
        let expense = all.map(Reason::is_at_the_callers_expense);
        assert_eq!(expense, [true, false, true, true, true, false, false, false]);
    }
}
