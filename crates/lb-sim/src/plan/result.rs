use serde::{Serialize, Serializer};

use super::{QuotaGrid, TermCost};
use crate::{
    limit::{self, Check, Limit},
    metric::Metric,
    number,
    report::{Assumption, Estimate},
    scenario::Span,
};

/// What a plan found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlanResult {
    /// The scenario's title.
    pub title: String,
    /// The backend whose PTUs were varied.
    pub backend: String,
    /// Its model.
    pub model: String,
    /// Runs of a step at a depth; two of one that is clearly no answer.
    pub replications: u32,
    /// PTUs that the mean of the traffic needs that reaches the backend, by the vendor's sizing formula and before
    /// rounding: uncached input and weighted output tokens per minute, over those of a PTU. Bursts are not in it.
    pub mean_need: Estimate,
    /// The limits to meet.
    pub limits: Vec<Limit>,
    /// How each limit fares with 100,000 PTUs, in their order: one that is not met there is met by no number of PTUs.
    pub with_plenty: Vec<Check>,
    /// How many counts are for sale in the range, zero among them. Those that cannot be an answer are not looked at.
    pub counts: usize,
    /// An answer per bucket depth.
    pub depths: Vec<Depth>,
    /// The step to buy if the depth is not known: of those that meet every limit at every depth, the one whose dearest
    /// depth is cheapest. `None` if no step does.
    pub decision: Option<u64>,
    /// What each purchase worth a thought comes to at each depth: the choices of the depths and the decision, by PTUs.
    pub purchases: Vec<Purchase>,
    /// What each pay-as-you-go quota would come to, if the scenario names some; all else is for the one that was chosen.
    pub quotas: Option<QuotaGrid>,
    /// What the decision's PTUs cost by the hour, the month and the year, as far as the scenario gives these prices; empty
    /// if it gives one only. All other costs count the cheapest for PTUs that are there all the time.
    pub terms: Vec<TermCost>,
    /// Hours of a month that the traffic lasts; `None` if the run stands for no more time than it lasts.
    pub traffic_hours: Option<f64>,
    /// What to know about how the scenario's files were read, each with the file's name.
    pub notes: Vec<String>,
    /// What the figures rest on.
    #[serde(skip)]
    #[cfg_attr(not(feature = "render"), expect(dead_code, reason = "only shown"))]
    pub(crate) assumptions: Vec<Assumption>,
}

/// The answer if the bucket is this deep.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Depth {
    /// The depth, as the time in which the bucket drains; seconds in JSON.
    #[serde(rename = "burst_seconds", serialize_with = "in_seconds")]
    pub burst: Span,
    /// The counts that were looked at, from zero on.
    pub steps: Vec<Step>,
    /// The cheapest step, whatever it does to the limits.
    pub optimum: Optimum,
    /// The cheapest step that meets every limit; `None` if none does.
    pub choice: Option<Choice>,
    /// What each limit would cost alone, in the order of [`PlanResult::limits`].
    pub prices: Vec<Price>,
}

/// A PTU count and what it comes to.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The count.
    pub ptus: u64,
    /// Dollars per month, all backends together.
    pub cost: Estimate,
    /// The share of the requests that ended that succeeded.
    pub success_share: Estimate,
    /// Dollars for 1,000 successful requests; nothing if none succeeded.
    pub cost_per_1000_successes: Estimate,
    /// How each limit fares, in the order of [`PlanResult::limits`].
    pub checks: Vec<Check>,
    /// Dollars per month in each replication, for differences in pairs: as many as it has runs.
    #[serde(skip)]
    pub(crate) costs: Vec<f64>,
    /// The part of the cost that is for PTUs, those of other backends included.
    #[serde(skip)]
    pub(crate) for_ptus: f64,
}

#[cfg(feature = "render")]
impl Step {
    /// The part of the cost that is paid by the token.
    pub(crate) fn by_the_token(&self) -> f64 {
        (self.cost.mean() - self.for_ptus).max(0.0)
    }
}

/// The cheapest step without any limit.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Optimum {
    /// The count.
    pub ptus: u64,
    /// Dollars per month.
    pub cost: Estimate,
    /// The share of the requests that succeed at this price: a count may be cheap because it refuses.
    pub success_share: Estimate,
    /// The next cheapest; `None` if there is one step only.
    pub runner_up: Option<RunnerUp>,
}

/// The step after the cheapest.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RunnerUp {
    /// The count.
    pub ptus: u64,
    /// Dollars per month that it costs more, in pairs. An interval that holds zero: the runs cannot tell the two apart.
    pub more: Estimate,
}

/// The cheapest step that meets every limit.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Choice {
    /// The count.
    pub ptus: u64,
    /// Dollars per month.
    pub cost: Estimate,
    /// Dollars per month above the optimum, in pairs: the price of all limits together.
    pub over_optimum: Estimate,
    /// What stands in the way of paying less; `None` if the choice is the optimum.
    pub binding: Option<Binding>,
}

/// The next cheaper step, and why it will not do.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Binding {
    /// The next cheaper step; by cost, so not always the next smaller one.
    pub ptus: u64,
    /// Dollars per month that it would save, in pairs.
    pub saves: Estimate,
    /// The limits that it does not meet.
    pub limits: Vec<Metric>,
}

/// What one limit costs if it is the only one.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Price {
    /// The limit.
    #[serde(rename = "measure")]
    pub metric: Metric,
    /// The cheapest step that meets it; `None` if none does.
    pub ptus: Option<u64>,
    /// Dollars per month above the optimum, in pairs.
    pub over_optimum: Option<Estimate>,
    /// The step with the least upper bound: how close it comes if no step meets the limit.
    pub closest: u64,
    /// That bound: a share, or seconds.
    #[serde(serialize_with = "limit::never_if_infinite")]
    pub closest_upper: f64,
}

/// A step, and what it comes to at each depth that may be the true one.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Purchase {
    /// The count.
    pub ptus: u64,
    /// The depths whose choice it is; seconds in JSON.
    #[serde(rename = "chosen_for_seconds", serialize_with = "all_in_seconds")]
    pub chosen_for: Vec<Span>,
    /// What it comes to, in the order of [`PlanResult::depths`].
    pub outcomes: Vec<Outcome>,
    /// Which of the outcomes is the worst: the most limits missed, then the highest cost.
    pub worst: usize,
}

/// What a purchase comes to if the bucket is this deep.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The depth; seconds in JSON.
    #[serde(rename = "burst_seconds", serialize_with = "in_seconds")]
    pub burst: Span,
    /// Dollars per month.
    pub cost: Estimate,
    /// Dollars per month above what the choice for this depth costs, in pairs; below zero if a missed limit saves
    /// money. `None` if this depth has no choice.
    pub regret: Option<Estimate>,
    /// The limits that it misses.
    pub missed: Vec<Metric>,
}

impl PlanResult {
    /// The plan as JSON, indented, keys in the order of the fields. Estimates are written as in a report; a bound that
    /// is infinite is `"never"`.
    ///
    /// # Errors
    ///
    /// If it cannot be written: it holds nothing that JSON has no form for.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

/// A bucket's depth, as it is written.
pub(crate) fn depth_name(burst: Span) -> String {
    number::seconds(burst.as_secs_f64())
}

fn in_seconds<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

fn all_in_seconds<S: Serializer>(spans: &[Span], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(spans.iter().map(|span| span.as_secs_f64()))
}
