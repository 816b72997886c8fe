//! Student's t, and what it is applied to.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The quantile `p` of Student's t; `None` without a degree of freedom.
pub(super) fn quantile(p: f64, freedom: f64) -> Option<f64> {
    StudentsT::new(0.0, 1.0, freedom).ok().map(|t| t.inverse_cdf(p))
}

/// The mean of some values, and the sum of the squares of their distances from it.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    (mean, values.iter().map(|value| (value - mean) * (value - mean)).sum())
}
