//! The same scenario with other values: a grid of points, each simulated with the same draws.
//!
//! All points have one seed, and draws are keyed by what they are for: the requests of one point are those of every
//! other, as far as the varied values leave them alone. Differences between points are therefore taken replication by
//! replication; what both share cancels, and far fewer runs tell two points apart.

mod difference;
mod files;
mod grid;

use std::{ops::Range, slice};

use rayon::prelude::*;

use crate::{
    metric::Metric,
    metrics::{Distribution, Replications, RunSummary},
    progress::Progress,
    report::{ClassReport, Estimate, Report, cost},
    scenario::{KeyPath, Scenario, ScenarioError},
    simulation::Simulation,
};

pub(crate) use grid::Parameter;
pub use grid::{Grid, list};

/// A grid, simulated.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepResult {
    /// What was varied.
    pub grid: Grid,
    /// Every combination of values, the last axis fastest.
    pub points: Vec<Point>,
}

/// One combination of values, simulated.
#[derive(Debug, Clone)]
pub struct Point {
    /// The values.
    pub changes: Vec<(KeyPath, toml::Value)>,
    /// What the runs say.
    pub report: Report,
    /// Per metric that is compared, per replication.
    values_per_run: Vec<Vec<Option<f64>>>,
}

/// Simulates every point of the grid.
///
/// Points and replications are spread over the threads of the current rayon pool; order and content of the result do
/// not depend on how many there are.
///
/// ```
/// use lb_sim::sweep::{Grid, list, sweep};
///
/// # fn main() -> Result<(), lb_sim::scenario::ScenarioError> {
/// let scenario = lb_sim::Scenario::parse(
///     r#"
///     run = { duration = "1m", replications = 2 }
///     backend = [{ name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 15 }]
///     workload = [{ name = "chat", kind = "poisson", rate = 2, input = 1_000, output = 50 }]
///     "#,
/// )?;
/// let mut grid = Grid::default();
/// grid.set("backend.ptu.burst".parse()?, list("1s,10s"));
/// let sweep = sweep(&scenario, grid, &())?;
/// println!("{:?}", sweep.differences(0));
/// assert_eq!(sweep.points[1].label(), "backend.ptu.burst = 10s");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If a point is no valid scenario, or a trace cannot be read.
pub fn sweep(scenario: &Scenario, grid: Grid, progress: &dyn Progress) -> Result<SweepResult, ScenarioError> {
    let points = grid.points()?;
    // Before the first run: a wrong value at the end of a list should not cost the runs before it.
    let scenarios: Vec<Scenario> = points.iter().map(|changes| scenario.with(changes)).collect::<Result<_, _>>()?;
    progress.expect(scenarios.iter().map(|scenario| u64::from(scenario.run.replications)).sum());
    let points = points
        .into_par_iter()
        .zip(scenarios)
        .map(|(changes, scenario)| {
            let runs = replicate(&scenario, progress)?;
            Ok(Point::new(changes, &scenario, &runs))
        })
        .collect::<Result<_, ScenarioError>>()?;
    Ok(SweepResult { grid, points })
}

/// All replications of a scenario, spread over the threads of the current rayon pool.
///
/// # Errors
///
/// If a trace cannot be read.
pub fn replicate(scenario: &Scenario, progress: &dyn Progress) -> Result<Replications, ScenarioError> {
    let simulation = Simulation::new(scenario)?;
    Ok(simulate(&simulation, 0..u64::from(scenario.run.replications), progress))
}

/// These replications, in order, each folded when it is done.
pub(crate) fn simulate(simulation: &Simulation, replications: Range<u64>, progress: &dyn Progress) -> Replications {
    let run = |mut all: Replications, replication| {
        all.add(&simulation.run(replication));
        progress.advance(1);
        all
    };
    replications.into_par_iter().fold(Replications::default, run).reduce(Replications::default, Replications::and)
}

impl Point {
    pub(crate) fn new(changes: Vec<(KeyPath, toml::Value)>, scenario: &Scenario, runs: &Replications) -> Self {
        let per_run = |metric| runs.runs.iter().map(|run| value(metric, scenario, run)).collect();
        let values_per_run = Metric::COMPARED.map(per_run).to_vec();
        Self { changes, report: Report::over(scenario, runs), values_per_run }
    }

    /// The values, as one would write them: `backend.ptu.ptus = 115, backend.ptu.burst = 10s`.
    #[must_use]
    pub fn label(&self) -> String {
        let pairs = self.changes.iter().zip(self.values()).map(|((path, _), value)| format!("{path} = {value}"));
        pairs.collect::<Vec<_>>().join(", ")
    }

    /// What runs are compared by.
    fn figures(&self) -> Vec<(Metric, Estimate)> {
        Metric::COMPARED.map(|metric| (metric, metric.of(&self.report))).to_vec()
    }

    /// The values alone, in the order of the axes; words without quotes.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.changes.iter().map(|(_, value)| text(value)).collect()
    }
}

/// The metric of one run; `None` if there is nothing to measure.
fn value(metric: Metric, scenario: &Scenario, run: &RunSummary) -> Option<f64> {
    let of_requests = || {
        let all = ClassReport::new("all", slice::from_ref(run), |run| Some(&run.all), &Distribution::default());
        Some(metric.of_requests(&all).mean()).filter(|mean| !mean.is_nan())
    };
    if metric == Metric::CostPerMonth { cost::per_month(scenario, run) } else { of_requests() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIO: &str = r#"
        [run]
        duration = "2m"
        replications = 3
        [clients]
        workers = 2
        [[backend]]
        name = "ptu"
        model = "gpt-4.1"
        preset = "azure-ptu"
        ptus = 15
        [[backend]]
        name = "eu"
        priority = 2
        preset = "azure-standard"
        tpm = 100_000
        [[workload]]
        name = "chat"
        kind = "poisson"
        rate = 4
        input = 1000
        output = { mean = 200, sigma = 0.5 }
        [sweep]
        "backend.ptu.ptus" = [0, 15, 50]
        "clients.workers" = [1, 2]
    "#;

    fn swept(threads: usize) -> SweepResult {
        let scenario = Scenario::parse(SCENARIO).unwrap();
        let grid = Grid::of(&scenario).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| sweep(&scenario, grid, &())).unwrap()
    }

    #[test]
    fn one_thread_and_two_give_the_same_hashes_in_the_same_order() {
        let [one, two] = [1, 2].map(swept);
        let outline = |sweep: &SweepResult| -> Vec<(String, String)> {
            sweep.points.iter().map(|point| (point.label(), point.report.hash().to_owned())).collect()
        };
        assert_eq!(outline(&one), outline(&two));
        assert_eq!(one.points[3].label(), "backend.ptu.ptus = 15, clients.workers = 2");
        // The points are really different runs.
        let mut hashes: Vec<&str> = one.points.iter().map(|point| point.report.hash()).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
        let content = |sweep: SweepResult| -> Vec<String> {
            let report = |point: Point| point.report.to_json().unwrap() + &point.report.to_csv().unwrap();
            sweep.points.into_iter().map(report).collect()
        };
        assert!(content(one) == content(two), "the reports differ");
    }

    #[test]
    fn all_points_meet_the_same_requests() {
        let sweep = swept(2);
        let offered: Vec<u64> = sweep.points.iter().map(|point| point.report.conservation.offered).collect();
        assert!(offered[0] > 1_000);
        assert_eq!(offered, [offered[0]; 6]);
        let base = &sweep.differences(2)[2];
        assert!(base.iter().filter(|(_, d)| d.is_some()).all(|(_, d)| d.mean() == 0.0));
        assert!(sweep.differences(6).is_empty());
    }

    #[test]
    fn a_wrong_value_stops_the_sweep_before_its_first_run() {
        let scenario = Scenario::parse(SCENARIO).unwrap();
        let mut grid = Grid::default();
        grid.set("clients.workers".parse().unwrap(), list("1,0"));
        let error = sweep(&scenario, grid, &()).unwrap_err();
        assert!(error.to_string().starts_with("clients.workers: it must be at least 1"), "{error}");
    }
}
