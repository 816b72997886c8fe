use serde::Serialize;

use super::{ClassReport, Estimate};

/// Where one run more would lie, with a probability of 95 %: what one real day like those that were simulated may show.
///
/// An interval of the mean says how well the mean is known, and more runs narrow it. This one is Student's prediction
/// interval, `mean ± t s sqrt(1 + 1/n)` over the `n` runs; that of a share ends at 0 and at 1, that of a time at 0. It takes the runs for
/// normally distributed: with few runs and rare refusals it is a rough answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OneRun {
    /// The part of the requests that ended that succeeded.
    pub success_share: Option<Spread>,
    /// The part of the requests that ended that ended with a 429 at the application.
    pub application_429_share: Option<Spread>,
    /// 95th percentile of the added wait, in seconds; `None` if it is infinite in some run.
    pub added_wait_p95: Option<Spread>,
    /// 95th percentile of the time to the first token, in seconds; `None` if it is infinite in some run.
    pub first_token_p95: Option<Spread>,
}

/// From one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl OneRun {
    /// Of all classes together; `None` with fewer than two runs.
    pub(super) fn new(all: &ClassReport) -> Option<Self> {
        let spread = |estimate: Estimate| {
            let (low, high) = estimate.one_run()?;
            Some(Spread { low: low.max(0.0), high })
        };
        (all.offered.runs() > 1).then(|| Self {
            success_share: spread(all.success_share),
            application_429_share: spread(all.application_429_share),
            added_wait_p95: spread(all.added_wait.p95),
            first_token_p95: spread(all.first_token.p95),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{
        Report,
        testing::{run, scenario},
    };

    #[test]
    fn more_runs_narrow_the_interval_of_the_mean_but_not_the_spread_of_one() {
        let report = |count: u64| {
            let runs: Vec<_> = (0..count)
                .map(|replication| {
                    let mut run = run(replication);
                    run.classes[0].given_up.throttled = if replication % 2 == 0 { 10 } else { 60 };
                    run
                })
                .collect();
            Report::new(&scenario(), &runs)
        };
        let width = |report: &Report| {
            let one = report.one_run.unwrap().application_429_share.unwrap();
            let mean = report.application_429_share();
            (mean.high() - mean.low(), one.high - one.low)
        };
        let (few, many) = (width(&report(10)), width(&report(100)));
        assert!(many.0 < few.0 / 3.0, "{few:?} {many:?}");
        assert!(many.1 > 0.07 && many.1 > 8.0 * many.0, "the runs stay as far apart: {few:?} {many:?}");
        let one = report(10).one_run.unwrap();
        assert!(one.success_share.unwrap().high <= 1.0 && one.application_429_share.unwrap().low >= 0.0);
    }

    #[test]
    fn one_run_alone_says_nothing_of_others_and_never_has_no_spread() {
        assert_eq!(Report::new(&scenario(), &[run(0)]).one_run, None);
        let mut runs = [run(0), run(1)];
        (0..100).for_each(|_| runs[1].classes[0].added_wait.record_never());
        let report = Report::new(&scenario(), &runs);
        assert_eq!(report.one_run.unwrap().added_wait_p95, None);
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert!(json["one_run"]["success_share"]["low"].is_number() && json["one_run"]["added_wait_p95"].is_null());
    }
}
