use libm::sqrt;
use serde::Serialize;

use super::student;

/// A number that was observed once, beside its distribution in the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Compared {
    /// As the log has it.
    pub(crate) observed: f64,
    /// The mean over the simulation's runs.
    pub(crate) simulated: f64,
    /// Where one more run would be with 95 % probability; `None` from a single run.
    pub(crate) interval: Option<(f64, f64)>,
}

impl Compared {
    /// The number beside its values in the runs.
    pub(crate) fn new(observed: f64, runs: &[f64]) -> Self {
        let n = runs.len() as f64;
        let (simulated, squares) = student::moments(runs);
        let interval = student::quantile(0.975, n - 1.0).map(|quantile| {
            let half = quantile * sqrt(squares / (n - 1.0) * (1.0 + 1.0 / n));
            // Counts and shares are never negative.
            ((simulated - half).max(0.0), simulated + half)
        });
        Self { observed, simulated, interval }
    }

    /// Whether the observed number could be one of the simulation's; `None` if one run cannot tell.
    pub(crate) fn agrees(&self) -> Option<bool> {
        self.interval.map(|(low, high)| (low..=high).contains(&self.observed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_one_more_run() {
        // Mean 10, standard deviation 2; t of 2 degrees of freedom is 4.3027.
        let compared = Compared::new(19.0, &[8.0, 10.0, 12.0]);
        let (low, high) = compared.interval.unwrap();
        assert!((high - (10.0 + 4.3027 * 2.0 * (4.0_f64 / 3.0).sqrt())).abs() < 1e-3, "{high}");
        assert!((low - (20.0 - high)).abs() < 1e-9);
        assert_eq!(compared.agrees(), Some(true));
        assert_eq!(Compared::new(21.0, &[8.0, 10.0, 12.0]).agrees(), Some(false));
    }

    #[test]
    fn one_run_tells_no_interval() {
        assert_eq!(Compared::new(1.0, &[2.0]), Compared { observed: 1.0, simulated: 2.0, interval: None });
        assert_eq!(Compared::new(1.0, &[2.0]).agrees(), None);
    }
}
