use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::student;

/// A figure over the replications of a scenario: the mean, and its 95 % interval by Student's t.
///
/// With one replication there is no interval. A time that requests never came to is infinite, and so is the mean if it
/// was infinite in one replication. In JSON: `{"mean": 1.5, "low": 1.2, "high": 1.8, "runs": 8}`, where `mean` is
/// `"never"` if it is infinite and `null` if there was nothing to measure, and the bounds are `null` if there are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    mean: f64,
    half_width: Option<f64>,
    runs: u32,
}

impl Estimate {
    /// There was nothing to measure in any run.
    pub const NOTHING: Self = Self { mean: f64::NAN, half_width: None, runs: 0 };

    /// Over the runs that have a value.
    #[must_use]
    pub fn over(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = values.into_iter().flatten().collect();
        let runs = u32::try_from(values.len()).unwrap_or(u32::MAX);
        if runs == 0 {
            return Self::NOTHING;
        }
        let (mean, squares) = student::moments(&values);
        let (n, freedom) = (f64::from(runs), f64::from(runs) - 1.0);
        let quantile = student::quantile(0.975, freedom).filter(|_| mean.is_finite());
        let half_width = quantile.map(|quantile| quantile * libm::sqrt(squares / freedom / n));
        // Equal values differ by rounding only: no interval of that width means anything.
        let half_width = half_width.map(|half| if half <= mean.abs() * 1e-12 { 0.0 } else { half });
        Self { mean, half_width, runs }
    }

    /// The mean; infinite if it is infinite in one run, NaN if there was nothing to measure.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Half the width of the 95 % interval; `None` with fewer than two runs, or if the mean is infinite.
    #[must_use]
    pub const fn half_width(&self) -> Option<f64> {
        self.half_width
    }

    /// The lower end of the 95 % interval; the mean if there is no interval.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.mean - self.half_width.unwrap_or(0.0)
    }

    /// The upper end of the 95 % interval; the mean if there is no interval.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.mean + self.half_width.unwrap_or(0.0)
    }

    /// Of a share: that of the rest.
    pub(crate) fn complement(self) -> Self {
        Self { mean: 1.0 - self.mean, ..self }
    }

    /// How many runs had a value.
    #[must_use]
    pub const fn runs(&self) -> u32 {
        self.runs
    }

    /// Whether there was something to measure.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        self.runs > 0
    }
}

/// The plain mean, for tests and logs; the report's own tables choose units.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.half_width {
            _ if !self.is_some() => f.write_str("-"),
            Some(half) => write!(f, "{} ± {half}", self.mean),
            None => self.mean.fmt(f),
        }
    }
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Estimate", 4)?;
        if self.mean.is_infinite() {
            fields.serialize_field("mean", "never")?;
        } else {
            fields.serialize_field("mean", &self.is_some().then_some(self.mean))?;
        }
        fields.serialize_field("low", &self.half_width.map(|half| self.mean - half))?;
        fields.serialize_field("high", &self.half_width.map(|half| self.mean + half))?;
        fields.serialize_field("runs", &self.runs)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // t(0.975; 3) = 3.18245; the values' standard deviation is 1.29099.
        let estimate = Estimate::over([1.0, 2.0, 3.0, 4.0].map(Some));
        assert!((estimate.mean() - 2.5).abs() < 1e-12);
        let half = estimate.half_width().unwrap();
        assert!((half - 3.182_446 * 1.290_994 / 2.0).abs() < 1e-5, "{half}");
        assert!((estimate.high() - estimate.low() - 2.0 * half).abs() < 1e-12);
    }

    #[test]
    fn one_run_has_no_interval() {
        let estimate = Estimate::over([Some(7.0)]);
        assert_eq!((estimate.mean(), estimate.half_width(), estimate.high()), (7.0, None, 7.0));
    }

    #[test]
    fn one_infinite_run_makes_the_mean_infinite() {
        let estimate = Estimate::over([Some(1.0), Some(f64::INFINITY)]);
        assert_eq!((estimate.mean(), estimate.half_width()), (f64::INFINITY, None));
        assert_eq!(serde_json::to_value(estimate).unwrap()["mean"], "never");
    }

    #[test]
    fn runs_without_a_value_do_not_count() {
        assert_eq!(Estimate::over([None, Some(4.0), None]), Estimate::over([Some(4.0)]));
        let nothing = Estimate::over([None]);
        assert!(!nothing.is_some());
        assert!(serde_json::to_value(nothing).unwrap()["mean"].is_null());
    }
}
