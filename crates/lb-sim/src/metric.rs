//! The figures that runs are compared by, that plans limit and that pages draw: each is defined here, and only here.

use serde::{Serialize, Serializer};

use crate::{
    number::{self, Form},
    report::{ClassReport, Report},
    stats::Estimate,
};

/// A figure that runs are compared by. All workloads count together; requests of the warm-up do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Metric {
    /// The share of the requests that ended that succeeded.
    SuccessShare,
    /// The share of the requests that ended that ended with a 429 at the application.
    Application429Share,
    /// The share of the requests that ended that ended without success.
    FailedShare,
    /// 95th percentile of the added wait.
    AddedWaitP95,
    /// 99th percentile of the added wait.
    AddedWaitP99,
    /// 95th percentile of the time to the first token.
    FirstTokenP95,
    /// The share of the successes that came from a backend that is not of the best priority; in a plan, that came from
    /// another than the varied one.
    SpillShare,
    /// Requests that backends got for one that arrived.
    AttemptsPerRequest,
    /// Dollars per month, all backends together.
    CostPerMonth,
}

/// What the values of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Share,
    Seconds,
    Ratio,
    Dollars,
}

impl Metric {
    /// Those that the points of a sweep are compared by.
    pub const COMPARED: [Self; 8] = [
        Self::SuccessShare,
        Self::Application429Share,
        Self::AddedWaitP95,
        Self::AddedWaitP99,
        Self::FirstTokenP95,
        Self::SpillShare,
        Self::AttemptsPerRequest,
        Self::CostPerMonth,
    ];

    /// Key, title, words and unit.
    const fn definition(self) -> (&'static str, &'static str, &'static str, Unit) {
        match self {
            Self::SuccessShare => ("success_share", "succeeded", "requests that succeeded", Unit::Share),
            Self::Application429Share => {
                ("application_429_share", "429 seen", "requests that ended with a 429 at the application", Unit::Share)
            }
            Self::FailedShare => ("failed_share", "failed", "requests without success", Unit::Share),
            Self::AddedWaitP95 => ("added_wait_p95", "added wait p95", "added wait, 95th percentile", Unit::Seconds),
            Self::AddedWaitP99 => ("added_wait_p99", "added wait p99", "added wait, 99th percentile", Unit::Seconds),
            Self::FirstTokenP95 => {
                ("first_token_p95", "first token p95", "time to the first token, 95th percentile", Unit::Seconds)
            }
            Self::SpillShare => ("spill_share", "spilled", "requests served elsewhere", Unit::Share),
            Self::AttemptsPerRequest => ("attempts_per_request", "attempts each", "attempts per request", Unit::Ratio),
            Self::CostPerMonth => ("cost_per_month", "$ per month", "dollars per month", Unit::Dollars),
        }
    }

    /// What a report says of it.
    #[must_use]
    pub fn of(self, report: &Report) -> Estimate {
        match self {
            Self::CostPerMonth => report.cost.per_month.unwrap_or(Estimate::NOTHING),
            _ => self.of_requests(&report.all),
        }
    }

    /// What the report on all requests says of it; nothing of a cost.
    pub(crate) fn of_requests(self, all: &ClassReport) -> Estimate {
        match self {
            Self::SuccessShare => all.success_share,
            Self::Application429Share => all.application_429_share,
            Self::FailedShare => all.success_share.complement(),
            Self::AddedWaitP95 => all.added_wait.p95,
            Self::AddedWaitP99 => all.added_wait.p99,
            Self::FirstTokenP95 => all.first_token.p95,
            Self::SpillShare => all.spill_share,
            Self::AttemptsPerRequest => all.attempts_per_request,
            Self::CostPerMonth => Estimate::NOTHING,
        }
    }

    /// Its key in `[plan.limits]` and in plans.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::FirstTokenP95 => "ttft_p95",
            _ => self.definition().0,
        }
    }

    /// Its name in the files of a sweep, with the unit of times.
    #[must_use]
    pub fn file_key(self) -> String {
        let unit = if self.definition().3 == Unit::Seconds { "_seconds" } else { "" };
        format!("{}{unit}", self.definition().0)
    }

    /// What stands above its column.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.definition().1
    }

    /// What it is, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        self.definition().2
    }

    /// Whether its values are shares.
    #[must_use]
    pub const fn is_share(self) -> bool {
        matches!(self.definition().3, Unit::Share)
    }

    /// How a value of it is written.
    pub(crate) const fn form(self) -> Form {
        match self.definition().3 {
            Unit::Share => number::percent,
            Unit::Seconds => number::seconds,
            Unit::Ratio => number::ratio,
            Unit::Dollars => number::dollars,
        }
    }

    /// How it is written on an axis, with no more digits than it needs.
    #[cfg(feature = "render")]
    pub(crate) const fn axis_form(self) -> Form {
        if self.is_share() { number::short_percent } else { self.form() }
    }

    /// How a difference of two values is written: of shares, in points.
    #[cfg(feature = "render")]
    pub(crate) const fn difference_form(self) -> Form {
        if self.is_share() { number::points } else { self.form() }
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}
