use serde::Serialize;

use super::{Estimate, share};
use crate::{
    metrics::{RunSummary, WorkerTally},
    scenario::Scenario,
};

/// How evenly the workers fared that workloads share: those of a workload's own have other traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkersReport {
    /// How many there are.
    pub count: usize,
    /// Evenness of their successes.
    pub successes: Fairness,
    /// Evenness of the 429s that backends gave them.
    pub backend_429s: Fairness,
    /// The worker with the smallest share of successes: that share.
    pub worst_success_share: Estimate,
    /// The worker with the largest share of 429s at its application: that share.
    pub worst_application_429_share: Estimate,
}

/// How evenly a count is spread over the workers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Fairness {
    /// Jain's index: 1 if all are equal, `1 / workers` if one has everything.
    pub jain: Estimate,
    /// Jain's index that pure chance would give: each thing to a random worker, independently.
    pub jain_by_chance: Estimate,
    /// Coefficient of variation: 0 if all are equal.
    pub cv: Estimate,
    /// The coefficient of variation that pure chance would give.
    pub cv_by_chance: Estimate,
}

impl WorkersReport {
    pub(super) fn new(scenario: &Scenario, runs: &[RunSummary]) -> Self {
        let programs = scenario.programs();
        let shared = programs.first().filter(|program| program.owner.is_none());
        let count = shared.map_or(0, |program| program.clients.workers as usize);
        let extreme = |value: fn(&WorkerTally) -> Option<f64>, worse: fn(f64, f64) -> f64| {
            Estimate::over(runs.iter().map(|run| run.workers.iter().take(count).filter_map(value).reduce(worse)))
        };
        Self {
            count: if runs.is_empty() { 0 } else { count },
            successes: Fairness::of(runs, count, |worker| worker.succeeded),
            backend_429s: Fairness::of(runs, count, |worker| worker.throttles),
            worst_success_share: extreme(|worker| share(worker.succeeded, worker.offered), f64::min).of_share(),
            worst_application_429_share: extreme(|worker| share(worker.application_429s, worker.offered), f64::max)
                .of_share(),
        }
    }
}

impl Fairness {
    fn of(runs: &[RunSummary], count: usize, value: fn(&WorkerTally) -> u64) -> Self {
        let of_run = |run: &RunSummary| Evenness::of(run.workers.iter().take(count).map(value));
        let each = |value: fn(&Evenness) -> f64| Estimate::over(runs.iter().map(|run| of_run(run).as_ref().map(value)));
        Self {
            jain: each(|spread| 1.0 / (1.0 + spread.cv_squared)),
            jain_by_chance: each(|spread| 1.0 / (1.0 + spread.by_chance)),
            cv: each(|spread| spread.cv_squared.sqrt()),
            cv_by_chance: each(|spread| spread.by_chance.sqrt()),
        }
    }
}

/// Squares of coefficients of variation, of which Jain's index is a function: `1 / (1 + cv^2)`.
struct Evenness {
    cv_squared: f64,
    by_chance: f64,
}

impl Evenness {
    /// `None` without workers, or if there is nothing to spread.
    fn of(counts: impl Iterator<Item = u64> + Clone) -> Option<Self> {
        let workers = counts.clone().count() as f64;
        let sum = counts.clone().sum::<u64>() as f64;
        if sum == 0.0 {
            return None;
        }
        let mean = sum / workers;
        let variance = counts.map(|count| (count as f64 - mean) * (count as f64 - mean)).sum::<f64>() / workers;
        // A multinomial count with equal chances has the variance `sum * (1 / workers) * (1 - 1 / workers)`.
        Some(Self { cv_squared: variance / (mean * mean), by_chance: (workers - 1.0) / sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_with_everything_has_jains_smallest_index() {
        let spread = Evenness::of([0, 0, 0, 1_000].into_iter()).unwrap();
        assert!((1.0 / (1.0 + spread.cv_squared) - 0.25).abs() < 1e-12);
        let even = Evenness::of([250; 4].into_iter()).unwrap();
        assert!(even.cv_squared < 1e-12);
        assert!((even.by_chance.sqrt() - (3.0_f64 / 1_000.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_neither_even_nor_uneven() {
        assert!(Evenness::of([0, 0].into_iter()).is_none());
        assert!(Evenness::of(std::iter::empty::<u64>()).is_none());
    }
}
