use crate::{
    Simulation, plan,
    profile::{Effort, Profile, requests_per_run},
    scenario::{KeyPath, Program, Scenario, ScenarioError},
    sweep::Grid,
};
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

/// Reads a scenario and its traces, and says what traffic that is; simulates nothing
///
/// Per workload and for all together: what was read, requests and tokens per minute (mean, 95th percentile and peak),
/// and the PTUs that these need by Azure's sizing formula; which backends share a quota; and about how long a run, a
/// sweep or a plan will take.
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
        let profile = Profile::of(&simulation);
        let mut lines = words(&scenario);
        lines.push(profile.to_string().trim_end().to_owned());
        lines.extend(self.efforts(&scenario, &profile).map_err(|error| self.input.wrong(&error))?);
        lines.extend(warnings(&scenario));
        lines.extend(simulation.notes().into_iter().map(|note| format!("read {note}")));
        output::print(&lines.join("\n"))?;
        Ok(Ending::Done)
    }

    /// How much each command simulates, and about how long that takes.
    fn efforts(&self, scenario: &Scenario, profile: &Profile) -> Result<Vec<String>, ScenarioError> {
        let (of_run, threads) = (profile.requests_per_run(), self.input.threads());
        let effort = |runs: u64, requests: f64| Effort { runs, requests, threads };
        let runs = u64::from(scenario.run.replications);
        let mut lines = vec![format!("run: {}", effort(runs, of_run * runs as f64))];
        let grid = Grid::of(scenario)?;
        if !grid.axes().is_empty() {
            let points = grid.points()?;
            let mut all = (0, 0.0);
            for changes in &points {
                let point = scenario.with(changes)?;
                let runs = u64::from(point.run.replications);
                all.0 += runs;
                all.1 += runs as f64 * if changes.iter().any(is_of_traffic) { of_point(&point)? } else { of_run };
            }
            lines.push(format!("sweep: {} points, {}", points.len(), effort(all.0, all.1)));
        }
        if let Some(plan) = &scenario.plan {
            let backend = scenario.backends.iter().find(|backend| backend.name == plan.backend);
            let model = backend.map_or("", |backend| backend.model.as_str());
            let ptus = profile.total().ptus.iter().find(|(name, _)| name == model);
            let most = plan::most_runs(scenario, ptus.map_or(0.0, |(_, ptus)| ptus.mean))?;
            let effort = effort(most, of_run * most as f64);
            lines.push(format!("plan: PTUs of {}, at most {effort}", plan.backend));
        }
        Ok(lines)
    }
}

/// Whether a change is one of the traffic, or of how long it lasts.
fn is_of_traffic((path, _): &(KeyPath, toml::Value)) -> bool {
    let path = path.to_string();
    path.starts_with("workload.") || path.starts_with("run.")
}

/// About how many requests a run of a sweep's point has.
fn of_point(point: &Scenario) -> Result<f64, ScenarioError> {
    Ok(requests_per_run(&Simulation::new(point)?))
}

fn words(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    if !scenario.title.is_empty() {
        lines.push(scenario.title.clone());
    }
    let run = &scenario.run;
    let duration = run.duration.map_or_else(|| "until the traces end".to_owned(), |span| span.to_string());
    lines.push(format!("runs: {} of {duration} after seed {}, warm-up {}", run.replications, run.seed, run.warmup));
    lines.extend(scenario.programs().iter().map(|program| workers(scenario, program)));
    for backend in &scenario.backends {
        let size = match (backend.ptus, backend.tpm) {
            (Some(0), _) => ", 0 PTUs: not there".to_owned(),
            (Some(ptus), _) => format!(", {ptus} PTUs"),
            (_, Some(tpm)) => format!(", {tpm} tokens per minute"),
            _ => String::new(),
        };
        lines.push(format!("backend {}: priority {}, {}{size}", backend.name, backend.priority, model(&backend.model)));
    }
    lines.extend(quotas(scenario));
    if !scenario.faults.is_empty() {
        lines.push(format!("faults: {}", scenario.faults.len()));
    }
    lines
}

/// Who sends, and where to if not to all.
fn workers(scenario: &Scenario, program: &Program<'_>) -> String {
    let count = program.clients.workers;
    let Some(owner) = program.owner else { return format!("workers: {count}") };
    let sends = scenario.backends.iter().zip(&program.sends_to).filter(|(_, sends)| **sends);
    let names: Vec<&str> = sends.map(|(backend, _)| backend.name.as_str()).collect();
    format!("workers of {}: {count}, to {}", owner.name, names.join(", "))
}

/// The quotas that backends share.
fn quotas(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    for backend in &scenario.backends {
        let Some(owner) = scenario.owner_of_quota(backend).filter(|owner| owner.name == backend.name) else { continue };
        let sharing = scenario.backends.iter().filter(|other| other.quota == owner.quota);
        let names: Vec<&str> = sharing.map(|other| other.name.as_str()).collect();
        let quota = owner.quota.as_deref().unwrap_or_default();
        lines.push(format!("quota {quota}: {} share the limits of {}", names.join(", "), owner.name));
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
