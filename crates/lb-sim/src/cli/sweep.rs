use std::path::PathBuf;

use crate::{
    scenario::KeyPath,
    sweep::{Grid, sweep},
};
use clap::Args;

use super::{
    Ending, Failure,
    input::{Input, Setting, setting},
    output,
};

const EXAMPLES: &str = "\
Examples:
  lb-sim sweep ptu_spillover.toml
  lb-sim sweep ptu_spillover.toml --set backend.ptu.ptus=15,50,100 --set backend.ptu.burst=1s,10s,60s
  lb-sim sweep uncoordinated.toml --set clients.workers=1,16,256 --threads 4 --html sweep.html

--set adds to the [sweep] of the scenario, or replaces what it says of the same key.
All points meet the same requests: differences from the base are taken run by run.";

/// Simulates every combination of some values, and compares
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    input: Input,

    /// The values of a key; repeat for more keys
    #[arg(long = "set", value_name = "PATH=A,B,..", value_parser = setting)]
    settings: Vec<Setting>,

    /// Runs with other draws at each point, for intervals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    replications: Option<u32>,

    /// The point to compare with, by its number in the table
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    base: u16,

    /// Writes the comparison as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Writes the comparison as CSV into this folder
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,

    /// Writes the comparison as one HTML page; - for standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl SweepArgs {
    pub(super) fn execute(self) -> Result<Ending, Failure> {
        let is_claimed = output::claims_stdout([self.json.as_deref(), self.html.as_deref()])?;
        let mut changes = Vec::new();
        if let Some(replications) = self.replications {
            changes.push((KeyPath::new(["run", "replications"]), i64::from(replications).into()));
        }
        let scenario = self.input.scenario(&changes)?;
        let mut grid = Grid::of(&scenario).map_err(|error| self.input.wrong(&error))?;
        for setting in self.settings {
            grid.set(setting.path, setting.values);
        }
        let base = usize::from(self.base) - 1;
        let points = grid.points().map_err(|error| self.input.wrong(&error))?.len();
        if base >= points {
            return Err(Failure::Usage(format!("--base {}: there are {points} points", self.base)));
        }
        let result = self.input.on_threads(&scenario, |bar| sweep(&scenario, grid, bar))?;
        let mut result = result.map_err(|error| self.input.wrong(&error))?;
        // Most points have the files of the one before.
        let mut read = (Vec::new(), Vec::new());
        for point in &mut result.points {
            let of_point = scenario.with(&point.changes).map_err(|error| self.input.wrong(&error))?;
            point.report.notes =
                if of_point.workloads == read.0 { read.1.clone() } else { self.input.notes(&of_point)? };
            read = (of_point.workloads, point.report.notes.clone());
        }
        if let Some(file) = &self.json {
            output::write(file, &result.to_json(base)?)?;
        }
        if let Some(folder) = &self.csv {
            output::write(&folder.join("points.csv"), &result.to_csv()?)?;
            output::write(&folder.join("differences.csv"), &result.differences_csv(base)?)?;
        }
        if let Some(file) = &self.html {
            output::write(file, &result.to_html(base))?;
        }
        if !is_claimed {
            output::print(&result.to_text(base))?;
        }
        Ok(Ending::Done)
    }
}
