//! How many PTUs to buy: every count for sale is simulated, at every bucket depth that may be the true one.
//!
//! The cost per month is not monotone in the PTUs (a PTU that displaces pay-as-you-go tokens can be worth more or less
//! than it costs), so no step is skipped and nothing is bisected. Only zero PTUs, which have no bucket, are simulated
//! once for all depths. All steps and depths meet the same requests (common random numbers), so that differences of
//! cost are taken in pairs.
//!
//! Two uncertainties are kept apart. *Sampling*: replications with other draws give an interval for each figure, and a
//! limit counts as met only if the one-sided 95 % upper bound meets it. The bound is the larger one of Student's t over
//! the replications and of a bound that counts over all their requests (Clopper and Pearson for shares, the order
//! statistic for percentiles), so that no event in little traffic is not taken for never. *Model*: how deep the
//! deployment's bucket is, is not documented. Depths are not averaged: each has an answer of its own, and
//! [`Purchase`] says what happens if one buys for a depth that is not the true one.

mod bound;
mod decide;
mod limit;
mod regret;
mod steps;
mod text;

use rayon::prelude::*;
use serde::{Serialize, Serializer};

use crate::{
    metrics::RunResult,
    progress::Progress,
    report::{Estimate, cost},
    scenario::{Scenario, ScenarioError, Span},
    sweep::replicate,
};

pub use limit::{Check, Limit, Measure};

/// What a plan found.
#[derive(Debug, Clone, Serialize)]
pub struct PlanResult {
    /// The scenario's title.
    pub title: String,
    /// The backend whose PTUs were varied.
    pub backend: String,
    /// Its model.
    pub model: String,
    /// Runs per step and depth.
    pub replications: u32,
    /// PTUs that the mean of the traffic needs that reaches the backend, by the vendor's sizing formula and before
    /// rounding: uncached input and weighted output tokens per minute, over those of a PTU. Bursts are not in it.
    pub mean_need: Estimate,
    /// The limits to meet.
    pub limits: Vec<Limit>,
    /// An answer per bucket depth.
    pub depths: Vec<Depth>,
    /// The step to buy if the depth is not known: of those that meet every limit at every depth, the one whose dearest
    /// depth is cheapest. `None` if no step does.
    pub decision: Option<u64>,
    /// What each purchase worth a thought comes to at each depth: the choices of the depths and the decision, by PTUs.
    pub purchases: Vec<Purchase>,
}

/// The answer if the bucket is this deep.
#[derive(Debug, Clone, Serialize)]
pub struct Depth {
    /// The depth, as the time in which the bucket drains; seconds in JSON.
    #[serde(rename = "burst_seconds", serialize_with = "in_seconds")]
    pub burst: Span,
    /// Every count for sale, from zero on.
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
pub struct Step {
    /// The count.
    pub ptus: u64,
    /// Dollars per month, all backends together.
    pub cost: Estimate,
    /// How each limit fares, in the order of [`PlanResult::limits`].
    pub checks: Vec<Check>,
    /// Dollars per month in each replication, for differences in pairs.
    #[serde(skip)]
    pub(crate) costs: Vec<f64>,
}

/// The cheapest step without any limit.
#[derive(Debug, Clone, Serialize)]
pub struct Optimum {
    /// The count.
    pub ptus: u64,
    /// Dollars per month.
    pub cost: Estimate,
    /// The next cheapest; `None` if there is one step only.
    pub runner_up: Option<RunnerUp>,
}

/// The step after the cheapest.
#[derive(Debug, Clone, Serialize)]
pub struct RunnerUp {
    /// The count.
    pub ptus: u64,
    /// Dollars per month that it costs more, in pairs. An interval that holds zero: the runs cannot tell the two apart.
    pub more: Estimate,
}

/// The cheapest step that meets every limit.
#[derive(Debug, Clone, Serialize)]
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
pub struct Binding {
    /// The next cheaper step; by cost, so not always the next smaller one.
    pub ptus: u64,
    /// Dollars per month that it would save, in pairs.
    pub saves: Estimate,
    /// The limits that it does not meet.
    pub limits: Vec<Measure>,
}

/// What one limit costs if it is the only one.
#[derive(Debug, Clone, Serialize)]
pub struct Price {
    /// The limit.
    pub measure: Measure,
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
    pub missed: Vec<Measure>,
}

/// How many PTUs to buy for a scenario with a `[plan]`.
///
/// Runs are spread over the threads of the current rayon pool; the result does not depend on how many there are.
///
/// # Errors
///
/// If the scenario has no `[plan]`, a price is missing, or a trace cannot be read.
pub fn plan(scenario: &Scenario, progress: &dyn Progress) -> Result<PlanResult, ScenarioError> {
    let runs = |scenario: &Scenario| replicate(scenario, progress);
    // Every price is there: the space of a plan checks them.
    let cost = |scenario: &Scenario, run: &RunResult| cost::per_month(scenario, run).unwrap_or(f64::NAN);
    Source { runs, cost }.plan(scenario, progress)
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

/// Where the figures of a step come from: the simulator, or a test that makes them up.
pub(crate) struct Source<R, C> {
    /// All replications of a scenario.
    pub(crate) runs: R,
    /// Dollars per month of a run.
    pub(crate) cost: C,
}

impl<R, C> Source<R, C>
where
    R: Fn(&Scenario) -> Result<Vec<RunResult>, ScenarioError> + Sync,
    C: Fn(&Scenario, &RunResult) -> f64 + Sync,
{
    pub(crate) fn plan(&self, scenario: &Scenario, progress: &dyn Progress) -> Result<PlanResult, ScenarioError> {
        let space = steps::Space::of(scenario, &self.runs, progress)?;
        // Zero PTUs have no bucket: one run serves all depths.
        let nothing = self.step(&space, 0, space.bursts[0])?;
        let above_zero = space.counts.len() - 1;
        let jobs: Vec<_> =
            space.bursts.iter().flat_map(|&burst| space.counts[1..].iter().map(move |&ptus| (ptus, burst))).collect();
        let steps: Vec<Step> =
            jobs.into_par_iter().map(|(ptus, burst)| self.step(&space, ptus, burst)).collect::<Result<_, _>>()?;
        let depths: Vec<Depth> = space
            .bursts
            .iter()
            .zip(steps.chunks(above_zero))
            .map(|(&burst, steps)| {
                decide::depth(burst, [std::slice::from_ref(&nothing), steps].concat(), &space.limits)
            })
            .collect();
        let (decision, purchases) = regret::purchases(&depths, &space.limits);
        Ok(PlanResult {
            title: scenario.title.clone(),
            backend: space.backend.name.clone(),
            model: space.backend.model.clone(),
            replications: space.replications,
            mean_need: space.mean_need,
            limits: space.limits,
            depths,
            decision,
            purchases,
        })
    }

    fn step(&self, space: &steps::Space<'_>, ptus: u64, burst: Span) -> Result<Step, ScenarioError> {
        let scenario = space.scenario(ptus, burst)?;
        let runs = (self.runs)(&scenario)?;
        let costs: Vec<f64> = runs.iter().map(|run| (self.cost)(&scenario, run)).collect();
        let checks = space.limits.iter().map(|limit| limit.check(&runs, space.index)).collect();
        Ok(Step { ptus, cost: Estimate::over(costs.iter().copied().map(Some)), checks, costs })
    }
}

fn in_seconds<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

fn all_in_seconds<S: Serializer>(spans: &[Span], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(spans.iter().map(|span| span.as_secs_f64()))
}
