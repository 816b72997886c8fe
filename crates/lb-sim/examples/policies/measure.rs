//! What a scenario gives, as figures of its report.

use std::{error::Error, fs, path::Path, process::Command};

use lb_sim::Scenario;
use serde_json::Value;

/// Changes to a scenario: key paths, and values as TOML writes them.
pub(crate) type Changes<'a> = &'a [(&'a str, &'a str)];

/// The report on a scenario, as JSON has it.
pub(crate) struct Measured(Value);

/// The text of a scenario that ships.
pub(crate) fn text(name: &str) -> Result<String, Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/policies").join(format!("{name}.toml"));
    fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// A scenario with these changes.
pub(crate) fn changed(text: &str, changes: Changes<'_>) -> Result<Scenario, Box<dyn Error>> {
    let all = changes.iter().map(|(path, value)| -> Result<_, Box<dyn Error>> {
        let table: toml::Table = toml::from_str(&format!("value = {value}"))?;
        Ok((path.parse()?, table["value"].clone()))
    });
    Ok(Scenario::parse(text)?.with(&all.collect::<Result<Vec<_>, _>>()?)?)
}

impl Measured {
    /// Runs a scenario that ships, with these changes.
    pub(crate) fn of(name: &str, changes: Changes<'_>) -> Result<Self, Box<dyn Error>> {
        Self::run(&changed(&text(name)?, changes)?)
    }

    /// Runs a scenario.
    pub(crate) fn run(scenario: &Scenario) -> Result<Self, Box<dyn Error>> {
        Ok(Self(serde_json::from_str(&lb_sim::run(scenario)?.to_json()?)?))
    }

    /// Has another version of the simulator run a scenario.
    pub(crate) fn by(binary: &Path, scenario: &Scenario) -> Result<Self, Box<dyn Error>> {
        let file = std::env::temp_dir().join(format!("lb-sim-policies-{}.toml", std::process::id()));
        fs::write(&file, toml::to_string(scenario.document())?)?;
        let output = Command::new(binary).arg("run").arg(&file).args(["--json", "-"]).output()?;
        fs::remove_file(&file)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(Self(serde_json::from_slice(&output.stdout)?))
    }

    /// The mean of a figure of all requests.
    pub(crate) fn all(&self, figure: &str) -> f64 {
        mean(&self.0["all"][figure])
    }

    /// The mean of a quantile, or of the mean, of a time of all requests, in seconds.
    pub(crate) fn time(&self, time: &str, quantile: &str) -> f64 {
        mean(&self.0["all"][time][quantile])
    }

    /// The mean of a figure of one workload.
    pub(crate) fn class(&self, index: usize, figure: &str) -> f64 {
        mean(&self.0["classes"][index][figure])
    }

    /// Requests that ended without success.
    pub(crate) fn failed(&self) -> f64 {
        mean(&self.0["all"]["given_up"]["total"])
    }

    /// The mean of a figure of one backend.
    pub(crate) fn backend(&self, index: usize, figure: &str) -> f64 {
        mean(&self.0["backends"][index][figure])
    }

    /// The sum of a figure over all backends.
    pub(crate) fn backends(&self, figure: &str) -> f64 {
        let backends = self.0["backends"].as_array().map_or(&[][..], Vec::as_slice);
        backends.iter().map(|backend| mean(&backend[figure])).sum()
    }
}

fn mean(estimate: &Value) -> f64 {
    match &estimate["mean"] {
        Value::String(never) if never == "never" => f64::INFINITY,
        mean => mean.as_f64().unwrap_or(f64::NAN),
    }
}
