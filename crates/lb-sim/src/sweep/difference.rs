use super::SweepResult;
use crate::{
    metrics::{ClassTally, Distribution, RunResult},
    report::{Estimate, cost},
    scenario::Scenario,
};

/// A figure that points of a sweep are compared by. All workloads count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The part of the requests that ended that succeeded.
    SuccessShare,
    /// The part of the requests that ended that ended with a 429 at the application.
    Application429Share,
    /// 95th percentile of the added wait.
    AddedWaitP95,
    /// 99th percentile of the added wait.
    AddedWaitP99,
    /// 95th percentile of the time to the first token.
    FirstTokenP95,
    /// The part of the successes that came from a backend that is not of the best priority.
    SpillShare,
    /// Requests that backends got for one that arrived.
    AttemptsPerRequest,
    /// Dollars per month, all backends together.
    CostPerMonth,
}

/// How a point differs from the base, replication by replication.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The figure.
    pub figure: Figure,
    /// The point's minus the base's; nothing measured if it is infinite or missing in one of them.
    pub difference: Estimate,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::SuccessShare,
        Self::Application429Share,
        Self::AddedWaitP95,
        Self::AddedWaitP99,
        Self::FirstTokenP95,
        Self::SpillShare,
        Self::AttemptsPerRequest,
        Self::CostPerMonth,
    ];

    /// Its name in files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SuccessShare => "success_share",
            Self::Application429Share => "application_429_share",
            Self::AddedWaitP95 => "added_wait_p95_seconds",
            Self::AddedWaitP99 => "added_wait_p99_seconds",
            Self::FirstTokenP95 => "first_token_p95_seconds",
            Self::SpillShare => "spill_share",
            Self::AttemptsPerRequest => "attempts_per_request",
            Self::CostPerMonth => "cost_per_month",
        }
    }

    /// One value per run.
    pub(super) fn over(self, scenario: &Scenario, runs: &[RunResult]) -> Vec<Option<f64>> {
        runs.iter().map(|run| self.of(scenario, run)).collect()
    }

    fn of(self, scenario: &Scenario, run: &RunResult) -> Option<f64> {
        let sum = |count: fn(&ClassTally) -> u64| run.classes.iter().map(count).sum::<u64>();
        let share = |count, of| match sum(of) {
            0 => None,
            of => Some(sum(count) as f64 / of as f64),
        };
        let percentile = |q, times: fn(&ClassTally) -> &Distribution| {
            let mut all = Distribution::default();
            run.classes.iter().for_each(|class| all.add(times(class)));
            all.quantile(q)
        };
        let ended = |class: &ClassTally| class.succeeded + class.given_up.total();
        match self {
            Self::CostPerMonth => cost::per_month(scenario, run),
            Self::SuccessShare => share(|class| class.succeeded, ended),
            Self::Application429Share => share(|class| class.given_up.throttled, ended),
            Self::SpillShare => share(|class| class.spilled, |class| class.succeeded),
            Self::AttemptsPerRequest => share(|class| class.attempts, |class| class.offered),
            Self::AddedWaitP95 => percentile(0.95, |class| &class.added_wait),
            Self::AddedWaitP99 => percentile(0.99, |class| &class.added_wait),
            Self::FirstTokenP95 => percentile(0.95, |class| &class.first_token),
        }
    }
}

impl SweepResult {
    /// How each point differs from the one with the number `base`, in the order of the points and of [`Figure::ALL`];
    /// empty if there is no such point.
    #[must_use]
    pub fn differences(&self, base: usize) -> Vec<Vec<Difference>> {
        let Some(base) = self.points.get(base) else { return Vec::new() };
        self.points
            .iter()
            .map(|point| {
                let figures = Figure::ALL.iter().zip(point.figures.iter().zip(&base.figures));
                figures
                    .map(|(&figure, (values, base))| Difference { figure, difference: paired(values, base) })
                    .collect()
            })
            .collect()
    }
}

/// Of `values - base`, in pairs. Pairs that lack a value would leave the easier replications: then nothing is said.
fn paired(values: &[Option<f64>], base: &[Option<f64>]) -> Estimate {
    let differences: Option<Vec<f64>> = values
        .iter()
        .zip(base)
        .map(|(value, base)| Some((*value)? - (*base)?).filter(|difference| difference.is_finite()))
        .collect();
    differences.map_or(Estimate::NOTHING, |differences| Estimate::over(differences.into_iter().map(Some)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_points_share_cancels() {
        let noise = [10.0, -30.0, 25.0, 4.0];
        let base = noise.map(Some);
        let other = noise.map(|value| Some(value + 2.0));
        let difference = paired(&other, &base);
        assert_eq!((difference.low(), difference.mean(), difference.high()), (2.0, 2.0, 2.0));
        assert!(Estimate::over(other).half_width().unwrap() > 20.0);
    }

    #[test]
    fn infinite_waits_have_no_difference() {
        let wait = [Some(1.0), Some(f64::INFINITY)];
        assert!(!paired(&wait, &wait).is_some());
        assert!(!paired(&[Some(1.0), None], &[Some(1.0), Some(1.0)]).is_some());
    }
}
