//! How sure a limit is met: one-sided 95 % upper bounds.
//!
//! Two kinds, and the larger one decides. Over replications: Student's t, because the replications are independent and
//! the requests of one are not. Over all requests: Clopper and Pearson (1934) for a share, the order statistic for a
//! quantile. It speaks when the replications agree by having seen nothing: no refusal in 100 requests is up to 3 %,
//! not zero.

use statrs::function::beta::beta_reg;

use super::student;

const CONFIDENCE: f64 = 0.95;

/// Of a mean, from one value per replication. One value has no bound but itself; an infinite one makes it infinite.
pub(crate) fn upper_mean(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (mean, squares) = student::moments(values);
    match student::quantile(CONFIDENCE, count - 1.0) {
        Some(t) if mean.is_finite() && squares > 0.0 => mean + t * libm::sqrt(squares / (count - 1.0) / count),
        _ => mean,
    }
}

/// Of a share, from counts. Without events it is close to `3 / trials`, without trials it is 1.
pub(crate) fn upper_share(events: u64, trials: u64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    // The share at which so few events have a chance of 5 %.
    let (a, b) = (events as f64 + 1.0, (trials - events) as f64);
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if beta_reg(a, b, middle) < CONFIDENCE { low = middle } else { high = middle }
    }
    high
}

/// Of the quantile `q`: the quantile of the sample that is the bound. `None` if the sample is too small for any: `q =
/// 0.95` needs 59 values, `q = 0.99` needs 299.
pub(crate) fn upper_quantile(q: f64, count: u64) -> Option<f64> {
    // The smallest rank that fewer values than it stay below the quantile with 95 % confidence. Binomial, by the beta
    // function: P(at most k of n) = I(1 - q; n - k, k + 1).
    let covers = |rank: u64| beta_reg((count - rank + 1) as f64, rank as f64, 1.0 - q) >= CONFIDENCE;
    if count == 0 || !covers(count) {
        return None;
    }
    let (mut low, mut high) = (1, count);
    while low < high {
        let middle = u64::midpoint(low, high);
        if covers(middle) { high = middle } else { low = middle + 1 }
    }
    Some(high as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-4 * expected.abs(), "{value}, not {expected}");
    }

    #[test]
    fn means_are_bounded_by_students_t() {
        // The tables give 1.8946 for 7 degrees of freedom and 6.3138 for 1; the variance of 1 to 8 is 6.
        assert_near(upper_mean(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), 4.5 + 1.8946 * (6.0_f64 / 8.0).sqrt());
        assert_near(upper_mean(&[0.0, 2.0]), 1.0 + 6.3138);
        assert_near(upper_mean(&[3.0, 3.0]), 3.0);
        assert_eq!(upper_mean(&[1.0, f64::INFINITY]), f64::INFINITY);
    }

    #[test]
    fn shares_are_bounded_as_clopper_and_pearson_do() {
        // 1 - 0.05^(1/n) without events; the 95 % quantile of the beta distribution of (2, 9) for one of ten.
        assert_near(upper_share(0, 10), 0.258_866);
        assert_near(upper_share(0, 100), 0.029_513);
        assert_near(upper_share(1, 10), 0.394_163);
        assert_near(upper_share(0, 10_000_000), 2.995_73e-7);
        assert_near(upper_share(10, 10), 1.0);
        assert_near(upper_share(0, 0), 1.0);
    }

    #[test]
    fn a_quantile_of_few_values_has_no_bound() {
        assert_eq!(upper_quantile(0.95, 58), None);
        assert_eq!(upper_quantile(0.95, 59), Some(1.0));
        assert_eq!(upper_quantile(0.99, 298), None);
        assert_eq!(upper_quantile(0.99, 299), Some(1.0));
        assert_eq!(upper_quantile(0.95, 0), None);
        // 1.645 standard errors of the rank above the quantile itself.
        let of_many = upper_quantile(0.95, 1_000_000).unwrap();
        assert!((of_many - (0.95 + 1.645 * (0.95 * 0.05 / 1e6_f64).sqrt())).abs() < 2e-6, "{of_many}");
    }
}
