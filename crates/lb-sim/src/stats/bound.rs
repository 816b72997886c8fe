//! How sure a limit is met: one-sided 95 % upper bounds.
//!
//! The requests of one replication are not independent, the replications are. A share is bounded as Clopper and Pearson do,
//! from as many requests as would give the variance that is between the replications. A quantile has two bounds, and the
//! larger one decides: Student's t over replications, and over all requests the order statistic, which speaks when the
//! replications agree.

use statrs::function::beta::beta_reg;

use super::student;

const CONFIDENCE: f64 = 0.95;

/// The quantiles whose ratio says how many trials an estimated variance is worth: that of the normal distribution at this
/// probability, and Student's. Korn and Graubard's are those of a two-sided interval; one-sided ones end too low.
const WORTH: f64 = 0.975;
const NORMAL: f64 = 1.959_964;

/// So many events more than were seen are allowed for: by the rule of three, of clumps of three that count as one without it.
/// Hanley and Lippman-Hand, JAMA 249 (1983), 1743-1745; three is the mean clump where few runs have any.
const UNSEEN: f64 = 6.0;

/// Of a mean, from one value per replication. One value has no bound but itself; an infinite one makes it infinite.
pub(crate) fn upper_mean(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (mean, squares) = student::moments(values);
    match student::quantile(CONFIDENCE, count - 1.0) {
        Some(t) if mean.is_finite() && squares > 0.0 => mean + t * libm::sqrt(squares / (count - 1.0) / count),
        _ => mean,
    }
}

/// Of a share, from its events and trials in each replication. Without events it is close to `9 / trials`, without trials it
/// is 1.
///
/// Events come in clumps, such as the 429s of one burst: they tell less than as many that are independent. The trials that
/// count are those of Korn and Graubard, Survey Methodology 24 (1998), 193-201: as many as give the variance of the mean, fewer
/// for that being an estimate itself, and never more than there are. Student's t would end too low: where few events make the
/// mean too small, they make its error too small as well. Where no event or one is seen, nothing tells how large clumps are: to
/// every bound comes what no request showed, by the rule of three.
pub(crate) fn upper_share(runs: &[(u64, u64)]) -> f64 {
    let shares: Vec<f64> =
        runs.iter().filter(|run| run.1 > 0).map(|&(events, trials)| events as f64 / trials as f64).collect();
    if shares.is_empty() {
        return 1.0;
    }
    let trials = runs.iter().map(|run| run.1).sum::<u64>() as f64;
    let (mean, squares) = student::moments(&shares);
    let freedom = shares.len() as f64 - 1.0;
    let worth = match student::quantile(WORTH, freedom) {
        Some(t) if squares > 0.0 => {
            let variance = squares / freedom / (freedom + 1.0);
            (mean * (1.0 - mean) / variance * (NORMAL / t) * (NORMAL / t)).min(trials)
        }
        _ => trials,
    };
    (clopper_pearson(mean * worth, worth) + UNSEEN / trials).min(1.0)
}

/// The share at which so few events have a chance of 5 %.
fn clopper_pearson(events: f64, trials: f64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if beta_reg(events + 1.0, trials - events, middle) < CONFIDENCE { low = middle } else { high = middle }
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
    fn shares_of_one_run_are_bounded_as_clopper_and_pearson_do_and_by_the_rule_of_three() {
        // 1 - 0.05^(1/n) without events; the 95 % quantile of the beta distribution of (2, 9) for one of ten.
        assert_near(upper_share(&[(0, 10)]), 0.258_866 + 0.6);
        assert_near(upper_share(&[(0, 100)]), 0.029_513 + 0.06);
        assert_near(upper_share(&[(1, 10)]), 0.394_163 + 0.6);
        assert_near(upper_share(&[(0, 10_000_000)]), 2.995_73e-7 + 6e-7);
        assert_near(upper_share(&[(0, 2)]), 1.0);
        assert_near(upper_share(&[(10, 10)]), 1.0);
        assert_near(upper_share(&[(0, 0)]), 1.0);
    }

    #[test]
    fn clumped_events_count_as_fewer_trials() {
        // Each tenth request of one run in four: the variance of the mean is 0.025^2, as of 39 requests, and as of
        // 39 * (1.9600 / 3.1824)^2 = 14.79 for one that three degrees of freedom estimate.
        let clumped = upper_share(&[(100, 1_000), (0, 1_000), (0, 1_000), (0, 1_000)]);
        assert_near(clumped, clopper_pearson(0.025 * 14.7925, 14.7925) + 6.0 / 4_000.0);
        assert!(clumped > upper_mean(&[0.1, 0.0, 0.0, 0.0]), "{clumped}");
        // Runs that agree better than chance lets them tell no more than their requests.
        assert_near(
            upper_share(&[(25, 1_000), (25, 1_000), (25, 1_000), (26, 1_000)]),
            clopper_pearson(101.0, 4_000.0) + 6.0 / 4_000.0,
        );
        assert_near(upper_share(&[(3, 100), (0, 0)]), clopper_pearson(3.0, 100.0) + 0.06);
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
