//! Scenarios: what is simulated, as a TOML file says it.
//!
//! [`Scenario::read`] gives a scenario that is consistent (names exist, numbers are in range), or an error with file, line
//! and key. The types of this module are the file, table by table; what their fields mean stands in `scenario/keys.md`,
//! for those who write scenarios and for those who read the code.
#![doc = include_str!("scenario/keys.md")]

mod backend;
mod check;
mod clients;
mod error;
mod fault;
mod model;
mod offset;
mod path;
mod plan;
mod program;
mod request_quota;
mod span;
mod wishes;
mod workload;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use lb_core::PoolOptions;
use serde::Deserialize;

pub(crate) use backend::{Backend, DeploymentType, HintPolicy, Hints, Phase, Preset, Remaining, Window};
pub(crate) use check::MOST_NANOS;
pub(crate) use clients::{Assignment, Client, Clients, PoolSharing, Sdk};
pub use error::ScenarioError;
pub(crate) use fault::{Fault, FaultKind};
pub(crate) use model::Model;
pub(crate) use offset::Offset;
pub use path::KeyPath;
pub(crate) use plan::{Limits, Plan, Quotas};
pub(crate) use program::Program;
pub(crate) use request_quota::RequestQuota;
pub use span::Span;
pub(crate) use wishes::{Keys, Wishes};
pub(crate) use workload::{
    Bursts, Columns, Factor, Interpolate, Kind, Law, Length, Lognormal, MaxTokens, NamedLength, NamedMaxTokens,
    RatePoint, Resampled, Retry, TraceFormat, Workload,
};

/// A scenario.
///
/// ```
/// # fn main() -> Result<(), lb_sim::scenario::ScenarioError> {
/// let scenario = lb_sim::Scenario::parse(
///     r#"
///     [run]
///     duration = "10m"
///
///     [[backend]]
///     name = "ptu"
///     model = "gpt-4.1"
///     preset = "azure-ptu"
///     ptus = 50
///
///     [[workload]]
///     name = "chat"
///     kind = "poisson"
///     rate = 5
///     input = 1000
///     output = 200
///     "#,
/// )?;
/// assert_eq!(scenario.document()["run"]["duration"].as_str(), Some("10m"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A line that says what the scenario is about; reports show it.
    #[serde(default)]
    pub title: String,
    pub(crate) run: Run,
    #[serde(default)]
    pub(crate) clients: Clients,
    #[serde(default)]
    pub(crate) pool: PoolOptions,
    #[serde(default, rename = "model")]
    pub(crate) models: Vec<Model>,
    #[serde(default, rename = "backend")]
    pub(crate) backends: Vec<Backend>,
    #[serde(default, rename = "workload")]
    pub(crate) workloads: Vec<Workload>,
    #[serde(default, rename = "fault")]
    pub(crate) faults: Vec<Fault>,
    #[serde(default)]
    pub(crate) sweep: BTreeMap<String, Vec<toml::Value>>,
    pub(crate) plan: Option<Plan>,
    /// Where relative file names start.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// The file as it was read, for variations of it.
    #[serde(skip)]
    document: toml::Table,
}

/// How long, from which seed, and what the run stands for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    #[serde(default = "one")]
    pub(crate) seed: u64,
    pub(crate) duration: Option<Span>,
    #[serde(default)]
    pub(crate) warmup: Span,
    #[serde(default = "one_run")]
    pub(crate) replications: u32,
    pub(crate) represents: Option<Span>,
    #[serde(default = "unit")]
    pub(crate) growth: f64,
    #[serde(default)]
    pub(crate) limits: Limits,
}

impl Scenario {
    /// The scenario in a TOML file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not TOML, has a key that does not exist, or says something that cannot be.
    pub fn read(file: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let file = file.as_ref();
        let text = fs::read_to_string(file).map_err(|error| ScenarioError::unreadable(file, &error))?;
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::parse_in(&text, folder).map_err(|error| error.in_file(file))
    }

    /// The scenario in a text. File names in it are relative to the working directory.
    ///
    /// # Errors
    ///
    /// As [`read`](Scenario::read).
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Self::parse_in(text, PathBuf::new())
    }

    fn parse_in(text: &str, folder: PathBuf) -> Result<Self, ScenarioError> {
        let document: toml::Table = toml::from_str(text).map_err(|error| ScenarioError::syntax(text, &error))?;
        let mut scenario: Self = toml::from_str(text).map_err(|error| ScenarioError::syntax(text, &error))?;
        scenario.document = document;
        scenario.folder = folder;
        scenario.inherit().map_err(|error| error.at_line_of(text))?;
        scenario.check().map_err(|error| error.at_line_of(text))?;
        Ok(scenario)
    }

    /// The same scenario with other values at some key paths, such as `backend.ptu.ptus`.
    ///
    /// # Errors
    ///
    /// If a path names nothing that a value can stand at, or the scenario with these values is wrong.
    pub fn with(&self, changes: &[(KeyPath, toml::Value)]) -> Result<Self, ScenarioError> {
        let mut document = self.document.clone();
        for (path, value) in changes {
            path.set(&mut document, value.clone())?;
        }
        let text = toml::to_string(&document).map_err(|error| ScenarioError::new("", error.to_string()))?;
        // Lines of a text that nobody wrote would mislead.
        Self::parse_in(&text, self.folder.clone()).map_err(ScenarioError::without_line)
    }

    /// The model of this name: the entry, or the built-in table's.
    pub(crate) fn model(&self, name: &str) -> Model {
        self.models.iter().find(|model| model.name == name).cloned().unwrap_or_else(|| Model::built_in(name))
    }

    /// Time until a refusal of this backend is back: its own, else that of all, else what is usual.
    pub(crate) fn refusal_latency(&self, backend: &Backend) -> Span {
        backend.refusal_latency.or(self.clients.refusal_latency).unwrap_or(Span::from_millis(30))
    }

    /// The file's values, as they were read.
    #[must_use]
    pub const fn document(&self) -> &toml::Table {
        &self.document
    }
}

pub(crate) const fn one() -> u64 {
    1
}

const fn one_run() -> u32 {
    1
}

pub(crate) const fn unit() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that a table can have, as its reader lists them.
    fn keys<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = toml::from_str::<T>("\"?\" = 1").err().unwrap().to_string();
        let (_, list) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_is_described() {
        let text = include_str!("scenario/keys.md");
        let described = |section: &str, keys: Vec<String>| {
            let (_, rest) = text.split_once(&format!("## {section}\n")).unwrap_or_else(|| panic!("no {section}"));
            let section = rest.split("\n## ").next().unwrap();
            assert!(!keys.is_empty());
            for key in keys {
                assert!(section.contains(&format!("| `{key}` |")), "{key} is not described: {section}");
            }
        };
        described("The top level", keys::<Scenario>());
        described("`[run]`", keys::<Run>());
        described("`[clients]`", keys::<Clients>());
        described("`[pool]`", keys::<PoolOptions>());
        described("`[[model]]`", keys::<Model>());
        described("`ttft` of a model", keys::<model::FirstToken>());
        described("`tpot` of a model", keys::<model::PerToken>());
        described("`[[backend]]`", keys::<Backend>());
        described("`[[backend.window]]`", keys::<Window>());
        described("`concurrency` of a backend", keys::<backend::Concurrency>());
        described("`foreign` of a backend", keys::<backend::Foreign>());
        described("`hints` of a backend", keys::<Hints>());
        described("`[[workload]]`", keys::<Workload>());
        described("`bursts` of a workload", keys::<Bursts>());
        described("`keys` of a workload", keys::<Keys>());
        described("`wishes` of a workload", keys::<Wishes>());
        described("`retry` of a workload", keys::<Retry>());
        described("`rates` of a workload, a list", keys::<RatePoint>());
        described("`columns` of a workload", keys::<Columns>());
        described("`[[fault]]`", keys::<Fault>());
        described("`[plan]`", keys::<Plan>());
        described("`quotas` of `[plan]`", keys::<Quotas>());
        described("`[plan.limits]` and `[run.limits]`", keys::<Limits>());
    }
}
