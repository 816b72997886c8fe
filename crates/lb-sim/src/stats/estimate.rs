use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::student;

/// A figure over the replications of a scenario: the mean, and its 95 % interval by Student's t.
///
/// With one replication there is no interval. A time that requests never came to is infinite, and so is the mean if it
/// was infinite in one replication.
///
/// The interval of a share is Student's on the scale of log-odds, so that it never leaves 0 to 1. Around a rare event that
/// comes in clumps it reaches farther up than down, as the error does: where few events make the mean too small, they make
/// its error too small as well. Korn and Graubard, Survey Methodology 24 (1998), 193-201, on shares of few events.
///
/// In JSON: `{"mean": 1.5, "low": 1.2, "high": 1.8, "runs": 8}`, where `mean` is `"never"` if it is infinite and `null` if
/// there was nothing to measure, and the bounds are `null` if there are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    mean: f64,
    /// Half the width of Student's interval.
    students: Option<f64>,
    runs: u32,
    is_share: bool,
}

impl Estimate {
    /// There was nothing to measure in any run.
    pub const NOTHING: Self = Self { mean: f64::NAN, students: None, runs: 0, is_share: false };

    /// Over the runs that have a value.
    #[must_use]
    pub fn over(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = values.into_iter().flatten().collect();
        let runs = u32::try_from(values.len()).unwrap_or(u32::MAX);
        if runs == 0 {
            return Self::NOTHING;
        }
        let (mean, squares) = student::moments(&values);
        Self::of_moments(mean, squares, runs)
    }

    /// Over whole numbers, from their sum and that of their squares, each times `scale`.
    #[cfg(feature = "render")]
    pub(crate) fn of_counts(sum: u64, squares: u128, runs: u32, scale: f64) -> Self {
        if runs == 0 {
            return Self::NOTHING;
        }
        // The squares of the distances from the mean, times the number of runs: whole, and so exact.
        let distances = u128::from(runs) * squares - u128::from(sum) * u128::from(sum);
        let n = f64::from(runs);
        Self::of_moments(sum as f64 / n * scale, distances as f64 / n * scale * scale, runs)
    }

    /// From the mean, and the sum of the squares of the distances from it.
    fn of_moments(mean: f64, squares: f64, runs: u32) -> Self {
        let (n, freedom) = (f64::from(runs), f64::from(runs) - 1.0);
        let quantile = student::quantile(0.975, freedom).filter(|_| mean.is_finite());
        let students = quantile.map(|quantile| quantile * libm::sqrt(squares / freedom / n));
        // Equal values differ by rounding only: no interval of that width means anything.
        let students = students.map(|half| if half <= mean.abs() * 1e-12 { 0.0 } else { half });
        Self { mean, students, runs, is_share: false }
    }

    /// The same of values that are shares: the interval is that of their log-odds.
    pub(crate) const fn of_share(self) -> Self {
        Self { is_share: true, ..self }
    }

    /// The mean; infinite if it is infinite in one run, NaN if there was nothing to measure.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Half the width of the 95 % interval; `None` with fewer than two runs, or if the mean is infinite.
    #[must_use]
    pub fn half_width(&self) -> Option<f64> {
        self.interval().map(|(low, high)| (high - low) / 2.0)
    }

    /// The lower end of the 95 % interval; the mean if there is no interval.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.interval().map_or(self.mean, |(low, _)| low)
    }

    /// The upper end of the 95 % interval; the mean if there is no interval.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.interval().map_or(self.mean, |(_, high)| high)
    }

    fn interval(&self) -> Option<(f64, f64)> {
        let half = self.students?;
        let variance = self.mean * (1.0 - self.mean);
        if !self.is_share || half == 0.0 || variance <= 0.0 {
            return Some((self.mean - half, self.mean + half));
        }
        // The slope of the log-odds is one over the variance.
        let (odds, factor) = (self.mean / (1.0 - self.mean), libm::exp(half / variance));
        Some((1.0 / (1.0 + factor / odds), 1.0 / (1.0 + 1.0 / (odds * factor))))
    }

    /// Where one run more would lie, with a probability of 95 %: Student's prediction interval, which the spread of the runs
    /// makes, and no number of them narrow. `None` where there is no interval.
    #[must_use]
    pub fn one_run(&self) -> Option<(f64, f64)> {
        // The interval of the mean has s/sqrt(n), this one s*sqrt(1 + 1/n).
        let half = self.students? * libm::sqrt(f64::from(self.runs) + 1.0);
        Some((self.bounded(self.mean - half), self.bounded(self.mean + half)))
    }

    /// Whether half the width says where the interval ends, to a tenth of it.
    pub(crate) fn is_even(&self) -> bool {
        self.interval().is_none_or(|(low, high)| ((high - self.mean) - (self.mean - low)).abs() <= 0.1 * (high - low))
    }

    const fn bounded(&self, value: f64) -> f64 {
        if self.is_share { value.clamp(0.0, 1.0) } else { value }
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
        match self.half_width() {
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
        fields.serialize_field("low", &self.interval().map(|(low, _)| low))?;
        fields.serialize_field("high", &self.interval().map(|(_, high)| high))?;
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

    #[test]
    fn the_interval_of_a_share_is_that_of_its_log_odds() {
        let plain = Estimate::over([0.0, 0.01, 0.2].map(Some));
        let share = plain.of_share();
        assert!(plain.low() < 0.0 && share.low() > 0.0 && share.high() > plain.high() && share.high() < 1.0);
        // The sum of squares is 0.0254, t(0.975; 2) = 4.30265; an error of 0.07 is 1 / (0.07 * 0.93) of it in log-odds.
        let half = 4.302_65 * (0.0254_f64 / 6.0).sqrt() / (0.07 * 0.93);
        let log_odds = |share: f64| (share / (1.0 - share)).ln();
        for (end, expected) in [(share.low(), log_odds(0.07) - half), (share.high(), log_odds(0.07) + half)] {
            assert!((log_odds(end) - expected).abs() < 1e-4, "{end}");
        }
        let rest = share.complement();
        assert!((rest.low() - (1.0 - share.high())).abs() < 1e-12 && (rest.high() - (1.0 - share.low())).abs() < 1e-12);
        assert_eq!(serde_json::to_value(share).unwrap()["low"], share.low());
        assert!(!share.is_even() && plain.is_even() && Estimate::over([Some(0.5), Some(0.51)]).of_share().is_even());
        for same in [0.0, 0.3, 1.0] {
            let always = Estimate::over([Some(same); 3]).of_share();
            assert_eq!((always.low(), always.high()), (always.mean(), always.mean()));
        }
    }

    #[test]
    fn one_run_more_lies_in_students_prediction_interval() {
        // 2.5 -+ t(0.975; 3) * s * sqrt(1 + 1/4).
        let (low, high) = Estimate::over([1.0, 2.0, 3.0, 4.0].map(Some)).one_run().unwrap();
        let half = 3.182_446 * 1.290_994 * 1.25_f64.sqrt();
        assert!((low - (2.5 - half)).abs() < 1e-5 && (high - (2.5 + half)).abs() < 1e-5, "{low} {high}");
        assert_eq!(Estimate::over([Some(1.0)]).one_run(), None);
        assert_eq!(Estimate::over([0.0, 0.01, 0.2].map(Some)).of_share().one_run().unwrap().0, 0.0);
    }

    #[cfg(feature = "render")]
    #[test]
    fn sums_of_whole_numbers_say_the_same_as_the_numbers() {
        let (one, other) = (Estimate::of_counts(12, 56, 3, 0.5), Estimate::over([1.0, 2.0, 3.0].map(Some)));
        assert!((one.mean() - other.mean()).abs() < 1e-12 && (one.high() - other.high()).abs() < 1e-9, "{one}");
        assert!(!Estimate::of_counts(0, 0, 0, 1.0).is_some());
    }
}
