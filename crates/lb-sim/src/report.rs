//! Reports: what the runs of a scenario say, with intervals, costs and the assumptions behind them.

pub(crate) mod assumption;
mod backend;
mod class;
pub(crate) mod cost;
mod one_run;
mod workers;

#[cfg(test)]
pub(crate) mod testing;

use serde::Serialize;

pub use crate::stats::Estimate;
pub use assumption::{Assumption, Source};
pub use backend::{BackendReport, Utilisation};
pub use class::{ClassReport, GivenUpReport, Quantiles};
pub use cost::{BackendCost, CostReport, HOURS_PER_MONTH};
pub use one_run::{OneRun, Spread};
pub use workers::{Fairness, WorkersReport};

use crate::{
    limit::{Check, Limit},
    metrics::{Conservation, Distribution, Replications, RunResult, RunSummary, Timeline},
    scenario::Scenario,
};

/// What the runs of a scenario say.
///
/// It prints as a summary for a terminal of 100 columns; [`to_json`](Self::to_json), [`to_csv`](Self::to_csv) and
/// [`to_html`](Self::to_html) write it in full. Every figure is an [`Estimate`] over the replications. Requests that
/// arrive before the warm-up's end count in the conservation and in the timeline only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's title.
    pub title: String,
    /// The scenario's seed.
    pub seed: u64,
    /// How many runs there are.
    pub replications: usize,
    /// Simulated time of a run, in seconds, the warm-up included.
    pub duration: Estimate,
    /// Simulated time before requests count, in seconds.
    pub warmup: f64,
    /// Over every event of every run, in hexadecimal.
    pub(crate) hash: String,
    /// Events that the engine worked off, in all runs.
    pub events: u64,
    /// Every request of every run, the warm-up's included.
    pub conservation: Conservation,
    /// All classes together.
    pub all: ClassReport,
    /// Where one run more would lie; `None` with fewer than two runs.
    pub one_run: Option<OneRun>,
    /// Per workload, in the scenario's order.
    pub classes: Vec<ClassReport>,
    /// Per backend, in the scenario's order.
    pub backends: Vec<BackendReport>,
    /// Over the workers of `[clients]`.
    pub workers: WorkersReport,
    /// What a month costs.
    pub cost: CostReport,
    /// How the limits of `[run.limits]` fare.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limited>,
    /// What the figures rest on, and where each comes from.
    pub assumptions: Vec<Assumption>,
    /// What to know about how the scenario's files were read, each with the file's name.
    pub notes: Vec<String>,
    /// The first run, over time.
    #[serde(skip)]
    pub(crate) timeline: Timeline,
    /// All runs, over time.
    #[cfg(feature = "render")]
    #[serde(skip)]
    pub(crate) over_time: crate::metrics::OverTime,
}

impl Report {
    /// The report on the runs of a scenario, one per replication.
    #[must_use]
    pub fn new(scenario: &Scenario, runs: &[RunResult]) -> Self {
        Self::over(scenario, &Replications::of(runs))
    }

    /// The report on runs that were folded as they came.
    #[must_use]
    pub fn over(scenario: &Scenario, replications: &Replications) -> Self {
        let runs = replications.runs.as_slice();
        let no_waits = Distribution::default();
        let class = |(index, name)| {
            let waits = replications.pooled(index).map_or(&no_waits, |pooled| &pooled.added_wait);
            ClassReport::new(name, runs, |run| run.classes.get(index), waits)
        };
        let names = scenario.workloads.iter().map(|workload| workload.name.as_str()).enumerate();
        let backends = scenario.backends.iter().enumerate();
        let nothing = || Timeline::new(scenario.backends.len(), 1);
        let all = ClassReport::all(replications);
        Self {
            title: scenario.title.clone(),
            seed: scenario.run.seed,
            replications: runs.len(),
            duration: Estimate::over(runs.iter().map(|run| Some(run.end as f64 / 1e9))),
            warmup: scenario.run.warmup.as_secs_f64(),
            hash: hash(runs),
            events: runs.iter().map(|run| run.events).sum(),
            conservation: runs.iter().map(|run| run.conservation).fold(Conservation::default(), plus),
            one_run: OneRun::new(&all),
            all,
            classes: names.map(class).collect(),
            backends: backends.map(|(i, backend)| BackendReport::new(scenario, i, backend, runs)).collect(),
            workers: WorkersReport::new(scenario, runs),
            cost: CostReport::new(scenario, runs),
            limits: Limit::all(&scenario.run.limits)
                .into_iter()
                .map(|limit| Limited::of(limit, replications))
                .collect(),
            assumptions: assumption::of(scenario, runs.len()),
            notes: Vec::new(),
            timeline: replications.first.clone().unwrap_or_else(nothing),
            #[cfg(feature = "render")]
            over_time: replications.over_time.clone(),
        }
    }

    /// The same with notes on how the scenario's files were read, such as those of a [`Simulation`](crate::Simulation).
    #[must_use]
    pub fn with_notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    /// Whether every limit of `[run.limits]` is met.
    #[must_use]
    pub fn meets_limits(&self) -> bool {
        self.limits.iter().all(|limited| limited.check.is_met)
    }

    /// The hash over every event of every run, in hexadecimal: equal for equal results, on any machine.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The part of the requests that ended that succeeded.
    #[must_use]
    pub const fn success_share(&self) -> Estimate {
        self.all.success_share
    }

    /// The part of the requests that ended that ended with a 429 at the application, after the SDK's retries.
    #[must_use]
    pub const fn application_429_share(&self) -> Estimate {
        self.all.application_429_share
    }

    /// 95th percentile of the added wait, in seconds: from the arrival to the sending of the attempt that succeeded.
    /// Infinite if more than 5 % of the requests never succeeded.
    #[must_use]
    pub const fn added_wait_p95(&self) -> Estimate {
        self.all.added_wait.p95
    }

    /// Dollars per month for all backends; `None` if the scenario does not give a price that it takes.
    #[must_use]
    pub const fn cost_per_month(&self) -> Option<Estimate> {
        self.cost.per_month
    }

    /// The workload of this name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&ClassReport> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// The backend of this name.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<&BackendReport> {
        self.backends.iter().find(|backend| backend.name == name)
    }

    /// The first run over time, the warm-up included.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The report as JSON, indented, keys in the order of the fields.
    ///
    /// # Errors
    ///
    /// If it cannot be written: it holds nothing that JSON has no form for.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

/// A limit of a run, and how it fares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Limited {
    /// The limit.
    #[serde(flatten)]
    pub limit: Limit,
    /// How it fares.
    #[serde(flatten)]
    pub check: Check,
}

impl Limited {
    fn of(limit: Limit, runs: &Replications) -> Self {
        Self { limit, check: limit.check(runs, None) }
    }
}

/// FNV-1a over the runs' hashes, in order: what matters is that it is the same everywhere.
fn hash(runs: &[RunSummary]) -> String {
    let bytes = runs.iter().flat_map(|run| run.hash.to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

const fn plus(left: Conservation, right: Conservation) -> Conservation {
    Conservation {
        offered: left.offered + right.offered,
        succeeded: left.succeeded + right.succeeded,
        given_up: left.given_up + right.given_up,
        in_flight: left.in_flight + right.in_flight,
        integral: left.integral + right.integral,
        residence: left.residence + right.residence,
    }
}

/// The part that `count` is of `of`; `None` of nothing.
fn share(count: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

/// The time after the warm-up, in seconds; `None` if there was none.
fn measured_seconds(run: &RunSummary) -> Option<f64> {
    let nanos = run.end.saturating_sub(run.warmup);
    (nanos > 0).then(|| nanos as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::testing::{run, scenario, scenario_with};
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-9 * right.abs().max(1.0)
    }

    #[test]
    fn what_the_application_saw_is_apart_from_what_backends_refused() {
        let report = Report::new(&scenario(), &[run(0)]);
        let chat = report.class("chat").unwrap();
        assert!(close(report.success_share().mean(), 0.99));
        assert!(close(report.application_429_share().mean(), 0.01));
        assert!(close(chat.backend_429s.mean(), 120.0));
        assert!(close(chat.application_429s.mean(), 10.0));
        assert!(close(chat.spill_share.mean(), 90.0 / 990.0));
        assert!(close(chat.attempts_per_request.mean(), 1.11));
        assert!(close(chat.goodput.mean(), 990.0 / 3_600.0));
        assert_eq!(report.all.application_429_share, chat.application_429_share);
    }

    #[test]
    fn requests_in_flight_are_neither_successes_nor_failures() {
        let mut run = run(0);
        run.classes[0].offered += 500;
        run.classes[0].in_flight += 500;
        let report = Report::new(&scenario(), &[run]);
        assert!(close(report.success_share().mean(), 0.99));
        assert!(close(report.all.in_flight.mean(), 500.0));
    }

    #[test]
    fn the_limits_of_a_run_are_met_by_their_bounds() {
        let text = toml::to_string(scenario().document()).unwrap();
        let limited = |limits: &str| Scenario::parse(&format!("{text}\n[run.limits]\n{limits}")).unwrap();
        let runs = [run(0), run(1)];
        let report = Report::new(&limited("spill_share = 0.12\nfailed_share = 0.5"), &runs);
        assert!(report.meets_limits(), "{:?}", report.limits);
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["limits"][0]["measure"], "spill_share");
        assert_eq!(json["limits"][1]["is_met"], true);
        // 90 of 990 spill: 9.1 %, but up to 10.2 % with 95 % confidence.
        let report = Report::new(&limited("spill_share = 0.1"), &runs);
        let spill = report.limits[0].check;
        assert!(!report.meets_limits() && spill.value.mean() < 0.1 && spill.upper > 0.1, "{spill:?}");
        assert!(Report::new(&scenario(), &runs).meets_limits(), "there are none");
    }

    #[test]
    fn the_wait_curve_gives_the_share_that_waited_longer() {
        let report = Report::new(&scenario(), &[run(0)]);
        let curve = &report.all.wait_curve;
        // 900 of 1,000 did not wait; the curve starts with the tenth that did.
        assert!(curve[0].0 == 0.0 && (curve[0].1 - 0.1).abs() < 0.01, "{:?}", curve[0]);
        assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
        assert!(curve.iter().all(|(_, share)| *share >= report.all.never_share));
    }

    #[test]
    fn tokens_are_scaled_from_the_measured_time_to_a_month() {
        // An hour of 61 minutes is measured: 730 of them are a month.
        let cost = Report::new(&scenario(), &[run(0)]).cost;
        let eu = &cost.backends[1];
        assert!(close(eu.input.unwrap().mean(), 50_000.0 * 730.0 * 2.0 / 1e6));
        assert!(close(eu.cached_input.unwrap().mean(), 40_000.0 * 730.0 * 0.5 / 1e6));
        assert!(close(eu.output.unwrap().mean(), 18_000.0 * 730.0 * 8.0 / 1e6));
        let ptu = &cost.backends[0];
        assert!(close(ptu.total.unwrap().mean(), 100.0 * 730.0), "a PTU costs by the hour and nothing per token");
        assert!(close(cost.per_month.unwrap().mean(), 73_000.0 + 73.0 + 14.6 + 105.12));
        assert!(close(cost.per_1000_successes.unwrap().mean(), 73_192.72 / (990.0 * 730.0) * 1e3));
    }

    #[test]
    fn a_run_that_represents_a_day_is_scaled_from_a_day() {
        let scenario = scenario();
        let change = [("run.represents".parse().unwrap(), toml::Value::from("1 day"))];
        let cost = Report::new(&scenario.with(&change).unwrap(), &[run(0)]).cost;
        // 60 of 61 minutes were measured: they stand for as much of the day.
        let days = 730.0 / (24.0 * 60.0 / 61.0);
        assert!(close(cost.backends[1].input.unwrap().mean(), 50_000.0 * days * 2.0 / 1e6));
        assert!(close(cost.backends[0].total.unwrap().mean(), 73_000.0), "PTUs are paid all month");
    }

    #[test]
    fn a_reserved_ptu_has_its_price_by_the_month() {
        let scenario = scenario();
        let text = toml::to_string(scenario.document()).unwrap();
        let reserved = Scenario::parse(&text.replace("price_ptu_hour = 1.0", "price_ptu_month = 260.0")).unwrap();
        let cost = Report::new(&reserved, &[run(0)]).cost;
        assert!(close(cost.backends[0].total.unwrap().mean(), 26_000.0));
    }

    #[test]
    fn a_price_that_nothing_takes_is_not_missed() {
        let text = toml::to_string(scenario().document()).unwrap();
        let scenario = Scenario::parse(&text.replace("price_output = 8.0", "")).unwrap();
        let mut run = run(0);
        run.backends[1].billed_output = 0;
        assert!(Report::new(&scenario, &[run]).cost_per_month().is_some());
    }

    #[test]
    fn cooling_and_suspicion_are_shares_of_the_time_of_all_pools() {
        let report = Report::new(&scenario(), &[run(0)]);
        // 360 s in each of two pools, of an hour.
        assert!(close(report.backend("ptu").unwrap().cooling_share.mean(), 0.1));
        assert!(close(report.backend("eu").unwrap().suspect_share.mean(), 0.01));
        let direct = scenario().with(&[("clients.client".parse().unwrap(), toml::Value::from("direct"))]).unwrap();
        assert!(!Report::new(&direct, &[run(0)]).backends[0].cooling_share.is_some());
    }

    #[test]
    fn the_utilisation_of_ptus_is_what_was_used_of_their_capacity() {
        let report = Report::new(&scenario(), &[run(0)]);
        // 1.5 million input tokens in an hour, of 100 PTUs with 3,000 a minute each. The bucket was half full.
        let ptu = report.backend("ptu").unwrap();
        assert!(close(ptu.capacity_used.mean(), 1.5e6 / (100.0 * 3_000.0 * 60.0)));
        assert!(close(ptu.utilisation.mean.mean(), 0.5));
        assert!(!report.backend("eu").unwrap().capacity_used.is_some());
    }

    #[test]
    fn the_hash_is_over_all_runs_in_order() {
        let hash = |runs: &[RunResult]| Report::new(&scenario(), runs).hash().to_owned();
        assert_eq!(hash(&[run(0), run(1)]), hash(&[run(0), run(1)]));
        assert_ne!(hash(&[run(0), run(1)]), hash(&[run(1), run(0)]));
        assert_ne!(hash(&[run(0), run(1)]), hash(&[run(0)]));
        assert_eq!(hash(&[]).len(), 16);
    }

    #[test]
    fn assumptions_are_those_that_matter_here() {
        let names = |scenario: &Scenario| {
            let report = Report::new(scenario, &[run(0)]);
            report.assumptions.iter().map(|one| format!("{}: {}", one.what, one.source.word())).collect::<Vec<_>>()
        };
        let before = names(&scenario());
        assert!(before.contains(&"bucket depth of ptu: assumed".to_owned()), "{before:?}");
        assert!(before.contains(&"throughput of gpt-4.1: documented".to_owned()), "{before:?}");
        let burst = [("backend.ptu.burst".parse().unwrap(), toml::Value::from("60s"))];
        let deep = Report::new(&scenario().with(&burst).unwrap(), &[run(0)]);
        let depth = deep.assumptions.iter().find(|one| one.what == "bucket depth of ptu").unwrap();
        assert_eq!(
            (depth.value.as_str(), depth.source),
            ("60 s of drain", Source::Assumed),
            "giving it does not make it known"
        );
        assert!(before.contains(&"requests per minute of eu: documented".to_owned()), "{before:?}");
        let no_ptu = [("backend.ptu.ptus".parse().unwrap(), toml::Value::from(0))];
        let after = names(&scenario().with(&no_ptu).unwrap());
        assert!(!after.iter().any(|what| what.contains("bucket depth")), "{after:?}");
        assert!(!before.iter().any(|what| what.contains("own window")));
    }

    #[test]
    fn classes_add_up_to_all() {
        let second = "[[workload]]\nname = 'batch'\nkind = 'poisson'\nrate = 1.0\ninput = 1\noutput = 1";
        let mut run = run(0);
        run.classes.push(run.classes[0].clone());
        run.classes[1].given_up.deadline = 1_000;
        let report = Report::new(&scenario_with(second), &[run]);
        assert!(close(report.all.offered.mean(), 2_000.0));
        assert!(close(report.class("batch").unwrap().success_share.mean(), 990.0 / 2_000.0));
        assert!(close(report.success_share().mean(), 1_980.0 / 3_000.0));
        assert!(close(report.all.deadline_misses.mean(), 1_000.0));
        assert!(report.class("none").is_none());
    }
}
