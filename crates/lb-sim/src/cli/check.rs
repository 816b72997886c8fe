use crate::{Simulation, scenario::Scenario, sweep::Grid};
use clap::Args;
use lb_limits::PtuModel;

use super::{
    Ending, Failure,
    input::{Input, Setting, setting, single},
    output,
};

const EXAMPLES: &str = "\
Examples:
  lb-sim check ptu_spillover.toml
  lb-sim check ptu_spillover.toml --set backend.ptu.ptus=115";

/// Reads a scenario and its traces, and says what it holds; simulates nothing
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    input: Input,

    /// Another value for a key of the scenario; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = setting)]
    settings: Vec<Setting>,
}

impl CheckArgs {
    pub(super) fn execute(self) -> Result<Ending, Failure> {
        let scenario = self.input.scenario(&single(&self.settings)?)?;
        let simulation = Simulation::new(&scenario).map_err(|error| self.input.wrong(&error))?;
        let points = match Grid::of(&scenario) {
            Ok(grid) if grid.axes().is_empty() => 0,
            Ok(grid) => {
                let points = grid.points().map_err(|error| self.input.wrong(&error))?;
                for changes in &points {
                    scenario.with(changes).map_err(|error| self.input.wrong(&error))?;
                }
                points.len()
            }
            Err(error) => return Err(self.input.wrong(&error)),
        };
        let mut lines = words(simulation.scenario(), points);
        lines.extend(warnings(&scenario));
        lines.extend(simulation.notes().into_iter().map(|note| format!("read {note}")));
        output::print(&lines.join("\n"))?;
        Ok(Ending::Done)
    }
}

fn words(scenario: &Scenario, points: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if !scenario.title.is_empty() {
        lines.push(scenario.title.clone());
    }
    let run = &scenario.run;
    let duration = run.duration.map_or_else(|| "until the traces end".to_owned(), |span| span.to_string());
    lines.push(format!("runs: {} of {duration} after seed {}, warm-up {}", run.replications, run.seed, run.warmup));
    lines.push(format!("workers: {}", scenario.clients.workers));
    for backend in &scenario.backends {
        let size = match (backend.ptus, backend.tpm) {
            (Some(0), _) => ", 0 PTUs: not there".to_owned(),
            (Some(ptus), _) => format!(", {ptus} PTUs"),
            (_, Some(tpm)) => format!(", {tpm} tokens per minute"),
            _ => String::new(),
        };
        lines.push(format!("backend {}: priority {}, {}{size}", backend.name, backend.priority, model(&backend.model)));
    }
    for workload in &scenario.workloads {
        let rate = workload.rate.map_or_else(String::new, |rate| format!(", {rate} requests per second"));
        lines.push(format!("workload {}: {:?}{rate}", workload.name, workload.kind));
    }
    if !scenario.faults.is_empty() {
        lines.push(format!("faults: {}", scenario.faults.len()));
    }
    if points > 0 {
        lines.push(format!("sweep: {points} points"));
    }
    if let Some(plan) = &scenario.plan {
        lines.push(format!("plan: PTUs of {}", plan.backend));
    }
    lines
}

/// What can be simulated, and is hardly meant.
fn warnings(scenario: &Scenario) -> Vec<String> {
    let mut warnings = Vec::new();
    for backend in &scenario.backends {
        let (name, model) = (&backend.name, scenario.model(&backend.model));
        let is_named = scenario.models.iter().any(|entry| entry.name == backend.model);
        if !backend.model.is_empty() && !is_named && PtuModel::named(&backend.model).is_none() {
            warnings.push(format!(
                "warning: backend.{name}.model: `{}` is in no table; its latency and quota are those of any model",
                backend.model
            ));
        }
        let sold = model.increment(backend.deployment_type);
        if let Some(ptus) = backend.ptus.filter(|&ptus| ptus > 0 && sold.round_up(ptus) != ptus) {
            warnings.push(format!(
                "warning: backend.{name}.ptus: {ptus} PTUs are not for sale, but {}",
                sold.round_up(ptus)
            ));
        }
    }
    warnings
}

fn model(name: &str) -> &str {
    if name.is_empty() { "no model" } else { name }
}
