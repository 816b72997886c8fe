use std::path::{Path, PathBuf};

use crate::{
    Report, Scenario, Simulation, backtest, log::Log, progress::Progress, scenario::KeyPath, sweep::replicate,
};
use clap::Args;

use super::{
    Ending, Failure,
    input::{Input, Setting, setting, single},
    output,
};

const EXAMPLES: &str = "\
Examples:
  lb-sim run two_workers.toml
  lb-sim run two_workers.toml --set clients.workers=8 --set 'model.\"gpt-4.1\".price_input=2'
  lb-sim run two_workers.toml --replications 20 --json - | jq .cost.per_month
  lb-sim run two_workers.toml --html report.html --csv series --trace-log decisions.csv
  lb-sim run mine.toml --against last_week.csv";

/// Simulates a scenario, and reports what happened
///
/// Exits with 1 if a limit of the scenario's [run.limits] is not met.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    #[command(flatten)]
    input: Input,

    /// Another value for a key of the scenario; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = setting)]
    settings: Vec<Setting>,

    /// Runs with other draws, for intervals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    replications: Option<u32>,

    /// Writes the report as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Writes the series over time as CSV into this folder
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,

    /// Writes the report as one HTML page; - for standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Writes every decision of the first replication as CSV; - for standard output
    #[arg(long, value_name = "FILE")]
    trace_log: Option<PathBuf>,

    /// Simulates the traffic of this log instead of the workloads, and prints what it observed beside it
    #[arg(long, value_name = "LOG", conflicts_with_all = ["csv", "html", "trace_log"])]
    against: Option<PathBuf>,
}

impl RunArgs {
    pub(super) fn execute(self) -> Result<Ending, Failure> {
        let files = [&self.json, &self.html, &self.trace_log];
        let is_claimed = output::claims_stdout(files.map(|file| file.as_deref()))?;
        let mut changes = single(&self.settings)?;
        if let Some(replications) = self.replications {
            changes.push((KeyPath::new(["run", "replications"]), i64::from(replications).into()));
        }
        let scenario = self.input.scenario(&changes)?;
        if let Some(log) = &self.against {
            return self.compare(&scenario, log, is_claimed);
        }
        if let Some(file) = &self.trace_log {
            let simulation = Simulation::new(&scenario).map_err(|error| self.input.wrong(&error))?;
            output::stream(file, |writer| simulation.run_logged(0, writer).map(|_| ()))?;
        }
        let runs = self.input.on_threads(&scenario, |bar| {
            bar.expect(u64::from(scenario.run.replications));
            replicate(&scenario, bar)
        })?;
        let runs = runs.map_err(|error| self.input.wrong(&error))?;
        let report = Report::over(&scenario, &runs).with_notes(self.input.notes(&scenario)?);
        if let Some(file) = &self.json {
            output::write(file, &report.to_json()?)?;
        }
        if let Some(file) = &self.html {
            output::write(file, &report.to_html())?;
        }
        if let Some(folder) = &self.csv {
            output::write(&folder.join("timeline.csv"), &report.to_csv()?)?;
        }
        if !is_claimed {
            output::print(&report.to_string())?;
        }
        Ok(if report.meets_limits() { Ending::Done } else { Ending::NoAnswer })
    }

    fn compare(&self, scenario: &Scenario, log: &Path, is_claimed: bool) -> Result<Ending, Failure> {
        let observed = Log::read(log).map_err(|error| Failure::Usage(error.to_string()))?;
        let against = self.input.on_threads(scenario, |_| backtest::compare(scenario, &observed))?;
        let against = against.map_err(|error| Failure::Usage(format!("{}: {error}", log.display())))?;
        if let Some(file) = &self.json {
            output::write(file, &serde_json::to_string_pretty(&against)?)?;
        }
        if !is_claimed {
            output::print(&against.to_string())?;
        }
        Ok(Ending::Done)
    }
}
