use std::path::PathBuf;

use crate::{
    progress::Progress,
    scenario::{KeyPath, Scenario, ScenarioError},
    sweep::list,
    traffic::Traffic,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;

/// What every command on a scenario takes.
#[derive(Debug, Args)]
pub(super) struct Input {
    /// The scenario, a TOML file
    #[arg(value_name = "SCENARIO")]
    pub(super) file: PathBuf,

    /// Another seed for every draw
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX.unsigned_abs()))]
    pub(super) seed: Option<u64>,

    /// Threads; the result does not depend on them [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

/// `PATH=VALUE` or `PATH=A,B,C`.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) path: KeyPath,
    pub(super) values: Vec<toml::Value>,
}

/// The setting in a text.
pub(super) fn setting(text: &str) -> Result<Setting, String> {
    // Names in quotes may hold the sign.
    let is_outside = |(index, _): &(usize, &str)| text[..*index].matches('"').count() & 1 == 0;
    let Some((index, _)) = text.match_indices('=').find(is_outside) else {
        return Err("there is no `=`; write PATH=VALUE".to_owned());
    };
    let path = text[..index].trim().parse().map_err(|error: ScenarioError| error.to_string())?;
    Ok(Setting { path, values: list(&text[index + 1..]) })
}

impl Input {
    /// The scenario with `--seed` and these changes.
    pub(super) fn scenario(&self, changes: &[(KeyPath, toml::Value)]) -> Result<Scenario, Failure> {
        let scenario = Scenario::read(&self.file).map_err(|error| Failure::Usage(error.to_string()))?;
        let mut changes = changes.to_vec();
        if let Some(seed) = self.seed.and_then(|seed| i64::try_from(seed).ok()) {
            changes.push((KeyPath::new(["run", "seed"]), seed.into()));
        }
        if changes.is_empty() { Ok(scenario) } else { scenario.with(&changes).map_err(|error| self.wrong(&error)) }
    }

    /// What to know about how the scenario's files were read.
    pub(super) fn notes(&self, scenario: &Scenario) -> Result<Vec<String>, Failure> {
        let loaded = Traffic::load(&scenario.workloads, &scenario.folder);
        Ok(loaded.map_err(|error| self.wrong(&error))?.notes())
    }

    /// A problem with the scenario that was found after it was read.
    pub(super) fn wrong(&self, error: &ScenarioError) -> Failure {
        Failure::Usage(format!("{}: {error}", self.file.display()))
    }

    /// Calls this with a bar on standard error, on as many threads as were asked for.
    pub(super) fn on_threads<T: Send>(&self, work: impl FnOnce(&Bar) -> T + Send) -> Result<T, Failure> {
        let threads = usize::from(self.threads.unwrap_or(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Failure::Failed(format!("threads cannot be started: {error}")))?;
        let bar = Bar::new();
        let result = pool.install(|| work(&bar));
        bar.0.finish_and_clear();
        Ok(result)
    }
}

/// A bar on standard error; nothing if that is no terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn expect(&self, runs: u64) {
        self.0.inc_length(runs);
    }

    fn advance(&self, runs: u64) {
        self.0.inc(runs);
    }
}

/// One value for a key, as `run` and `plan` take it.
pub(super) fn single(settings: &[Setting]) -> Result<Vec<(KeyPath, toml::Value)>, Failure> {
    settings
        .iter()
        .map(|setting| match setting.values.as_slice() {
            [value] => Ok((setting.path.clone(), value.clone())),
            values => Err(Failure::Usage(format!(
                "--set {}: these are {} values; `lb-sim sweep` takes lists",
                setting.path,
                values.len()
            ))),
        })
        .collect()
}
