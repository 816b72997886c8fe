//! What must hold: the limits of a plan and of a run, and how they fare.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{
    metric::Metric,
    metrics::{ClassTally, Distribution, PooledTimes, Replications, RunSummary, Times},
    scenario,
    stats::{Estimate, bound},
};

/// A limit that a plan, or a run, has to meet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// What is limited.
    #[serde(rename = "measure")]
    pub metric: Metric,
    /// The largest value allowed: a share from 0 to 1, or seconds.
    pub at_most: f64,
}

/// How a limit fares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The value, over the replications: a share, or seconds.
    pub value: Estimate,
    /// One-sided 95 % upper bound of it.
    #[serde(serialize_with = "never_if_infinite")]
    pub upper: f64,
    /// Whether the bound meets the limit.
    pub is_met: bool,
}

/// The backend that a plan varies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Varied {
    /// Its place in the scenario.
    pub(crate) index: usize,
    /// Whether requests are sent to it once it is bought: per workload.
    pub(crate) is_reached: Vec<bool>,
}

/// The limit as it is written: `spill_share <= 10.0 %`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <= {}", self.metric.key(), self.form(self.at_most))
    }
}

impl Limit {
    /// A value of what is limited, with its unit.
    pub(crate) fn form(&self, value: f64) -> String {
        self.metric.form()(value)
    }

    /// The limits that a scenario names.
    pub(crate) fn all(limits: &scenario::Limits) -> Vec<Self> {
        let seconds = |span: Option<scenario::Span>| span.map(scenario::Span::as_secs_f64);
        [
            (Metric::SpillShare, limits.spill_share),
            (Metric::Application429Share, limits.application_429_share),
            (Metric::FailedShare, limits.failed_share),
            (Metric::AddedWaitP95, seconds(limits.added_wait_p95)),
            (Metric::AddedWaitP99, seconds(limits.added_wait_p99)),
            (Metric::FirstTokenP95, seconds(limits.ttft_p95)),
        ]
        .into_iter()
        .filter_map(|(metric, at_most)| Some(Self { metric, at_most: at_most? }))
        .collect()
    }

    /// The share of the requests that ended that succeeded.
    pub(crate) fn success_share(runs: &Replications) -> Estimate {
        share(runs, |run| (run.all.succeeded, run.all.ended())).0
    }

    /// How it fares in these replications. What could have been served by the `varied` backend and was not has spilled over;
    /// without one, what was not served by the best priority.
    pub(crate) fn check(self, runs: &Replications, varied: Option<&Varied>) -> Check {
        let (value, upper) = match self.metric {
            Metric::SpillShare => {
                share(runs, |run| varied.map_or((run.all.spilled, run.all.succeeded), |varied| varied.spill(run)))
            }
            Metric::Application429Share => share(runs, |run| (run.all.given_up.throttled, run.all.ended())),
            Metric::FailedShare => share(runs, |run| (run.all.given_up.total(), run.all.ended())),
            Metric::AddedWaitP95 => percentile(runs, 0.95, |all| all.added_wait.p95, |pooled| &pooled.added_wait),
            Metric::AddedWaitP99 => percentile(runs, 0.99, |all| all.added_wait.p99, |pooled| &pooled.added_wait),
            Metric::FirstTokenP95 => percentile(runs, 0.95, |all| all.first_token.p95, |pooled| &pooled.first_token),
            // No key of the limits names them.
            Metric::SuccessShare | Metric::AttemptsPerRequest | Metric::CostPerMonth => {
                (Estimate::NOTHING, f64::INFINITY)
            }
        };
        Check { value, upper, is_met: upper <= self.at_most }
    }
}

impl Varied {
    /// Of the successes of those who are sent to it: those of other backends, and all.
    fn spill(&self, run: &RunSummary) -> (u64, u64) {
        let reached = run.classes.iter().zip(&self.is_reached).filter(|(_, is_reached)| **is_reached);
        let succeeded: u64 = reached.map(|(class, _)| class.succeeded).sum();
        let here = run.backends.get(self.index).map_or(0, |backend| backend.succeeded);
        (succeeded.saturating_sub(here), succeeded)
    }
}

/// A share from its events and trials in each run, and its bound.
fn share(runs: &Replications, count: impl Fn(&RunSummary) -> (u64, u64)) -> (Estimate, f64) {
    let counts: Vec<(u64, u64)> = runs.runs.iter().map(count).collect();
    let shares = counts.iter().map(|&(events, trials)| (trials > 0).then(|| events as f64 / trials as f64));
    (Estimate::over(shares), bound::upper_share(&counts))
}

/// The quantile `q` of a time, and its bound; infinite if there were too few requests to tell.
fn percentile(
    runs: &Replications,
    q: f64,
    of_run: impl Fn(&ClassTally<Times>) -> Option<f64>,
    of_all: impl Fn(&PooledTimes) -> &Distribution,
) -> (Estimate, f64) {
    let quantiles: Vec<Option<f64>> = runs.runs.iter().map(|run| of_run(&run.all)).collect();
    let pooled = runs.pooled_all();
    let pooled = of_all(&pooled);
    let counted = bound::upper_quantile(q, pooled.count()).and_then(|q| pooled.quantile(q)).unwrap_or(f64::INFINITY);
    let present: Vec<f64> = quantiles.iter().copied().flatten().collect();
    let upper = if present.is_empty() { counted } else { bound::upper_mean(&present).max(counted) };
    (Estimate::over(quantiles), upper)
}

/// JSON has no infinity.
pub(crate) fn never_if_infinite<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_infinite() { serializer.serialize_str("never") } else { serializer.serialize_f64(*value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::{GivenUp, RunResult},
        report::testing::run,
    };

    fn check(metric: Metric, at_most: f64, runs: &[RunResult]) -> Check {
        let first = Varied { index: 0, is_reached: vec![true] };
        Limit { metric, at_most }.check(&Replications::of(runs), Some(&first))
    }

    /// Runs in which so many of `of` requests end with a 429.
    fn throttled(counts: &[u64], of: u64) -> Vec<RunResult> {
        let class = |throttled| ClassTally {
            offered: of,
            succeeded: of - throttled,
            given_up: GivenUp { throttled, ..GivenUp::default() },
            ..ClassTally::default()
        };
        let with = |(replication, &count): (u64, &u64)| RunResult { classes: vec![class(count)], ..run(replication) };
        (0..).zip(counts).map(with).collect()
    }

    #[test]
    fn a_mean_below_the_limit_is_not_enough() {
        // 4 % and 14 %: 9 % on average, but two runs that far apart bound little.
        let check = check(Metric::Application429Share, 0.1, &throttled(&[4_000, 14_000], 100_000));
        assert!((check.value.mean() - 0.09).abs() < 1e-12);
        assert!(check.upper > 0.3 && !check.is_met, "{check:?}");
    }

    #[test]
    fn the_bound_is_wider_than_students() {
        // Mean 3 %, standard error 0.6455 %, t(0.95; 3) = 2.3534; over all requests it would be 3.09 %.
        let check = check(Metric::Application429Share, 0.1, &throttled(&[1_500, 2_500, 3_500, 4_500], 100_000));
        let students = 0.03 + 2.353_4 * 0.006_454_97;
        assert!(check.upper > students && check.upper < 0.06 && check.is_met, "{check:?}");
    }

    #[test]
    fn no_event_in_little_traffic_is_not_taken_for_never() {
        let little = check(Metric::Application429Share, 0.01, &throttled(&[0, 0], 100));
        assert_eq!(little.value.mean(), 0.0);
        assert!((little.upper - 9.0 / 200.0).abs() < 2e-4 && !little.is_met, "{little:?}");
        assert!(check(Metric::Application429Share, 0.01, &throttled(&[0, 0], 500)).is_met);
        assert!(!check(Metric::Application429Share, 0.5, &throttled(&[0, 0], 0)).is_met);
    }

    #[test]
    fn spill_is_what_other_backends_served() {
        // The runs made by hand: 900 served by the first backend, 90 by the second, 10 not at all.
        let runs = [run(0), run(1)];
        assert_eq!(check(Metric::SpillShare, 0.1, &runs).value.mean(), 90.0 / 990.0);
        let second = Varied { index: 1, is_reached: vec![true] };
        assert_eq!(
            Limit { metric: Metric::SpillShare, at_most: 0.1 }
                .check(&Replications::of(&runs), Some(&second))
                .value
                .mean(),
            900.0 / 990.0
        );
        let of_run = Limit { metric: Metric::SpillShare, at_most: 0.1 }.check(&Replications::of(&runs), None);
        assert_eq!(of_run.value.mean(), 90.0 / 990.0);
        assert_eq!(check(Metric::FailedShare, 0.1, &runs).value.mean(), 0.01);
    }

    #[test]
    fn who_cannot_be_sent_to_the_varied_backend_does_not_spill_over() {
        // Beside those of before, 500 of a workload that the second backend alone serves.
        let with_another = |number| {
            let mut run = run(number);
            run.classes.push(ClassTally { offered: 500, succeeded: 500, ..ClassTally::default() });
            run.backends[1].succeeded += 500;
            run
        };
        let runs = Replications::of(&[with_another(0), with_another(1)]);
        let spilled = |is_reached: [bool; 2]| {
            let varied = Varied { index: 0, is_reached: is_reached.to_vec() };
            Limit { metric: Metric::SpillShare, at_most: 0.1 }.check(&runs, Some(&varied)).value.mean()
        };
        assert_eq!(spilled([true, false]), 90.0 / 990.0);
        assert_eq!(spilled([true, true]), 590.0 / 1_490.0);
    }

    #[test]
    fn a_percentile_is_bounded_over_all_requests_too() {
        // Of 1,000 requests in each run 990 succeed: the 99th percentile is finite, its bound is not.
        let runs = [run(0), run(1)];
        let p99 = check(Metric::AddedWaitP99, 10.0, &runs);
        assert!(p99.value.mean().is_finite() && p99.upper.is_infinite() && !p99.is_met, "{p99:?}");
        // Both runs have the same 95th percentile, 1.95 s; the bound is later all the same.
        let p95 = check(Metric::AddedWaitP95, 10.0, &runs);
        assert!(p95.upper > p95.value.mean() && p95.upper < 2.0 && p95.is_met, "{p95:?}");
        assert_eq!(serde_json::to_value(p99).unwrap()["upper"], "never");
    }
}
