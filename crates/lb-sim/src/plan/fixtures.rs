//! Steps and limits that no simulation gave.

use super::{Check, Limit, Step};
use crate::{metric::Metric, report::Estimate};

/// Spill and 429s, both at most 10 %.
pub(super) const LIMITS: [Limit; 2] =
    [Limit { metric: Metric::SpillShare, at_most: 0.1 }, Limit { metric: Metric::Application429Share, at_most: 0.1 }];

/// A step with these costs per replication and these upper bounds.
pub(super) fn step(ptus: u64, costs: &[f64], uppers: [f64; 2]) -> Step {
    let check = |(limit, upper): (&Limit, f64)| Check {
        value: Estimate::over([Some(upper / 2.0)]),
        upper,
        is_met: upper <= limit.at_most,
    };
    Step {
        ptus,
        cost: Estimate::over(costs.iter().copied().map(Some)),
        success_share: Estimate::over([Some(1.0)]),
        cost_per_1000_successes: Estimate::NOTHING,
        checks: LIMITS.iter().zip(uppers).map(check).collect(),
        costs: costs.to_vec(),
        for_ptus: 0.0,
    }
}

/// Steps of 10 PTUs from zero on, of equal cost in both replications.
pub(super) fn steps(rows: &[(f64, [f64; 2])]) -> Vec<Step> {
    (0..).step_by(10).zip(rows).map(|(ptus, &(cost, uppers))| step(ptus, &[cost, cost], uppers)).collect()
}
