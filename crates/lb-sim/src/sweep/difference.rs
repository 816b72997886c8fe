use super::SweepResult;
use crate::{metric::Metric, report::Estimate};

impl SweepResult {
    /// How each point differs from the one with the number `base`, replication by replication, in the order of the points
    /// and of [`Metric::COMPARED`]: the point's figures minus the base's; nothing measured if one of them is infinite or
    /// missing. Empty if there is no such point.
    #[must_use]
    pub fn differences(&self, base: usize) -> Vec<Vec<(Metric, Estimate)>> {
        let Some(base) = self.points.get(base) else { return Vec::new() };
        let of_point = |values: &[Vec<Option<f64>>]| {
            let pairs = values.iter().zip(&base.values_per_run).map(|(values, base)| paired(values, base));
            Metric::COMPARED.into_iter().zip(pairs).collect()
        };
        self.points.iter().map(|point| of_point(&point.values_per_run)).collect()
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
