//! A row of the validation table: what is simulated, what a closed form says of it, and how far apart they may be.

use lb_sim::{Scenario, Simulation, metrics::RunResult};
use rayon::prelude::*;

/// How many replications a figure comes from: its standard error is theirs.
pub(crate) const REPLICATIONS: u64 = 30;

/// A numerator and a denominator: a figure is the ratio of their sums.
pub(crate) type Ratio = (f64, f64);

/// A row, or one parameter set of a row.
pub(crate) struct Case {
    /// `V1`, `V2`, ...
    pub(crate) row: &'static str,
    /// What is simulated, with the client.
    pub(crate) name: String,
    /// What is compared.
    pub(crate) figures: Vec<Figure>,
    /// How many requests the long run takes, over all replications.
    pub(crate) long: u64,
    /// How many the short one takes.
    pub(crate) short: u64,
    /// The figures of each replication, if all together take so many requests.
    pub(crate) sample: Box<dyn Fn(u64) -> Vec<Vec<Ratio>> + Send + Sync>,
}

/// A figure and what it should be.
pub(crate) struct Figure {
    /// What it is.
    pub(crate) name: &'static str,
    /// The closed form's value.
    pub(crate) expected: f64,
    /// How near to it the simulation must come.
    pub(crate) rule: Rule,
}

/// How near a figure must come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// The form is exact: within four standard errors, and in the long run within this too.
    Exact(f64),
    /// The form is an approximation: within this; in the short run four standard errors are added.
    Approximation(f64),
    /// Nothing is random: within this.
    Fixed(f64),
    /// The form is a probability that must not be smaller than this.
    AtLeast(f64),
}

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// What the table says; for the release build.
    #[allow(dead_code, reason = "only the example runs it")]
    Long,
    /// Small enough for the tests.
    Short,
}

/// A figure as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) seen: f64,
    pub(crate) standard_error: f64,
    pub(crate) tolerance: f64,
    pub(crate) passed: bool,
}

impl Case {
    /// Simulates, and judges every figure.
    pub(crate) fn judge(&self, size: Size) -> Vec<Found> {
        let requests = if size == Size::Long { self.long } else { self.short };
        let sample = (self.sample)(requests);
        self.figures
            .iter()
            .enumerate()
            .map(|(index, figure)| {
                let ratios: Vec<Ratio> = sample.iter().map(|ratios| ratios[index]).collect();
                figure.judge(&ratios, size)
            })
            .collect()
    }
}

impl Figure {
    pub(crate) fn new(name: &'static str, expected: f64, rule: Rule) -> Self {
        Self { name, expected, rule }
    }

    fn judge(&self, ratios: &[Ratio], size: Size) -> Found {
        let (seen, standard_error) = estimate(ratios);
        // A figure that came out the same in every replication has no standard error, but the closed form has digits.
        let digits = 1e-6 * self.expected.abs();
        let four = (4.0 * standard_error).max(digits);
        let tolerance = match self.rule {
            Rule::Exact(bound) if size == Size::Long => four.min(bound),
            Rule::Exact(_) => four,
            Rule::Approximation(bound) if size == Size::Long => bound,
            Rule::Approximation(bound) => bound + four,
            Rule::Fixed(bound) | Rule::AtLeast(bound) => bound,
        };
        let passed = match self.rule {
            Rule::AtLeast(least) => seen >= least,
            _ => (seen - self.expected).abs() <= tolerance,
        };
        Found { seen, standard_error, tolerance, passed }
    }
}

/// The ratio of the sums, and its standard error from the spread of the replications around it.
fn estimate(ratios: &[Ratio]) -> (f64, f64) {
    let n = ratios.len() as f64;
    let above: f64 = ratios.iter().map(|(above, _)| above).sum();
    let below: f64 = ratios.iter().map(|(_, below)| below).sum();
    let ratio = above / below;
    if ratios.len() < 2 {
        return (ratio, 0.0);
    }
    let squares: f64 = ratios.iter().map(|(above, below)| (above - ratio * below).powi(2)).sum();
    (ratio, (squares / (n - 1.0) / n).sqrt() / (below / n))
}

/// Runs every replication of a scenario, and reads the figures off each.
pub(crate) fn replicate(scenario: &str, read: impl Fn(&RunResult) -> Vec<Ratio> + Sync) -> Vec<Vec<Ratio>> {
    let simulation = simulation(scenario);
    (0..REPLICATIONS).into_par_iter().map(|replication| read(&simulation.run(replication))).collect()
}

/// The simulation of a scenario's text.
pub(crate) fn simulation(scenario: &str) -> Simulation {
    let parsed = Scenario::parse(scenario).unwrap_or_else(|error| panic!("{error} in {scenario}"));
    Simulation::new(&parsed).unwrap_or_else(|error| panic!("{error} in {scenario}"))
}

/// How many seconds each replication lasts if all together take `requests` at `rate` per second: whole ones.
pub(crate) fn seconds(requests: u64, rate: f64) -> u64 {
    (requests as f64 / REPLICATIONS as f64 / rate).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_is_off_by_five_standard_errors_fails() {
        let ratios: Vec<Ratio> = (0..30).map(|i| (100.0 + f64::from(i % 2), 1_000.0)).collect();
        let (seen, error) = estimate(&ratios);
        assert!((seen - 0.1005).abs() < 1e-12);
        // The standard deviation of 15 zeros and 15 ones is 0.5085.
        assert!((error - 0.5085 / 30_f64.sqrt() / 1_000.0).abs() < 1e-8, "{error}");
        let passes = |expected, rule, size| Figure::new("", expected, rule).judge(&ratios, size).passed;
        assert!(passes(seen + 3.9 * error, Rule::Exact(1.0), Size::Short));
        assert!(!passes(seen + 4.1 * error, Rule::Exact(1.0), Size::Short));
        assert!(!passes(seen + 3.9 * error, Rule::Exact(error), Size::Long), "the bound holds in the long run");
        assert!(!passes(seen + 2.0 * error, Rule::Approximation(error), Size::Long));
        assert!(!passes(seen, Rule::AtLeast(0.2), Size::Long));
    }
}
