//! The same scenario with other values: a grid of points, each simulated with the same draws.
//!
//! All points have one seed, and draws are keyed by what they are for: the requests of one point are those of every
//! other, as far as the varied values leave them alone. Differences between points are therefore taken replication by
//! replication; what both share cancels, and far fewer runs tell two points apart.

mod difference;
mod grid;
mod text;

use rayon::prelude::*;

use crate::{
    engine::Simulation,
    metrics::RunResult,
    progress::Progress,
    report::Report,
    scenario::{KeyPath, Scenario, ScenarioError},
};

pub use difference::{Difference, Figure};
pub use grid::{Axis, Grid, list};

/// A grid, simulated.
#[derive(Debug, Clone)]
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
    /// Per figure, per replication.
    figures: Vec<Vec<Option<f64>>>,
}

/// Simulates every point of the grid.
///
/// Points and replications are spread over the threads of the current rayon pool; order and content of the result do
/// not depend on how many there are.
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
            let figures = Figure::ALL.iter().map(|figure| figure.over(&scenario, &runs)).collect();
            Ok(Point { changes, report: Report::new(&scenario, &runs), figures })
        })
        .collect::<Result<_, ScenarioError>>()?;
    Ok(SweepResult { grid, points })
}

/// All replications of a scenario, spread over the threads of the current rayon pool.
///
/// # Errors
///
/// If a trace cannot be read.
pub fn replicate(scenario: &Scenario, progress: &dyn Progress) -> Result<Vec<RunResult>, ScenarioError> {
    let simulation = Simulation::new(scenario)?;
    let replications = u64::from(scenario.run.replications);
    Ok((0..replications)
        .into_par_iter()
        .map(|replication| {
            let run = simulation.run(replication);
            progress.advance(1);
            run
        })
        .collect())
}

impl Point {
    /// The values, as one would write them: `backend.ptu.ptus = 115, clients.workers = 4`.
    #[must_use]
    pub fn label(&self) -> String {
        let changes: Vec<String> = self.changes.iter().map(|(path, value)| format!("{path} = {value}")).collect();
        changes.join(", ")
    }
}
