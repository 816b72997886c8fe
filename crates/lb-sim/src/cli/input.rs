use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    Simulation,
    profile::{Effort, requests_per_run},
    progress::Progress,
    scenario::{KeyPath, Scenario, ScenarioError},
    sweep::list,
    traffic::Traffic,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, output};

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

    /// How many threads will work.
    pub(super) fn threads(&self) -> usize {
        self.threads.map_or_else(rayon::current_num_threads, usize::from)
    }

    /// Calls this with a bar on standard error for runs of a scenario, on as many threads as were asked for.
    pub(super) fn on_threads<T: Send>(
        &self,
        scenario: &Scenario,
        work: impl FnOnce(&Bar<'_>) -> T + Send,
    ) -> Result<T, Failure> {
        let threads = usize::from(self.threads.unwrap_or(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Failure::Failed(format!("threads cannot be started: {error}")))?;
        let bar = Bar::new(scenario, pool.current_num_threads());
        let result = pool.install(|| work(&bar));
        bar.bar.finish_and_clear();
        Ok(result)
    }
}

/// A bar on standard error, or a line now and then if that is no terminal; and a word before what takes minutes.
#[derive(Debug)]
pub(super) struct Bar<'s> {
    bar: ProgressBar,
    scenario: &'s Scenario,
    threads: usize,
    /// About how many requests a run has.
    of_run: OnceLock<f64>,
    /// Runs that are expected, and those that were told of.
    expected: AtomicU64,
    told: AtomicU64,
    /// When the last line was written, in seconds.
    said: AtomicU64,
}

/// Seconds between two lines.
const EVERY: u64 = 5;

/// From this many seconds on it is told before it begins.
const LONG: f64 = 120.0;

impl<'s> Bar<'s> {
    fn new(scenario: &'s Scenario, threads: usize) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {eta} left") {
            bar.set_style(style);
        }
        Self {
            bar,
            scenario,
            threads,
            of_run: OnceLock::new(),
            expected: AtomicU64::new(0),
            told: AtomicU64::new(0),
            said: AtomicU64::new(0),
        }
    }

    /// What so many runs take.
    fn effort(&self, runs: u64) -> Effort {
        // A scenario that cannot be run says why itself, when it is.
        let count = || Simulation::new(self.scenario).map_or(0.0, |simulation| requests_per_run(&simulation));
        Effort { runs, requests: self.of_run.get_or_init(count) * runs as f64, threads: self.threads }
    }

    /// The line to write so long after the start, if it is time for one.
    fn line(&self, elapsed: Duration) -> Option<String> {
        let (now, said) = (elapsed.as_secs(), self.said.load(Ordering::Relaxed));
        // Of threads that come at the same time one speaks.
        let speaks =
            now >= said + EVERY && self.said.compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        speaks.then(|| format!("{} of {} runs", self.bar.position(), self.bar.length().unwrap_or(0)))
    }
}

impl Progress for Bar<'_> {
    fn expect(&self, runs: u64) {
        self.bar.inc_length(runs);
        let runs = self.expected.fetch_add(runs, Ordering::Relaxed) + runs;
        // A plan expects more as it goes on: once is enough, unless it is twice as much.
        if runs / 2 < self.told.load(Ordering::Relaxed) {
            return;
        }
        let effort = self.effort(runs);
        if effort.seconds() >= LONG {
            self.told.store(runs, Ordering::Relaxed);
            output::note_line(&effort.to_string());
        }
    }

    fn advance(&self, runs: u64) {
        self.bar.inc(runs);
        if let Some(line) = self.bar.is_hidden().then(|| self.line(self.bar.elapsed())).flatten() {
            output::note_line(&line);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_every_few_seconds_and_once() {
        let scenario = Scenario::parse("backend = [{ name = 'a' }]\nrun = { duration = '1s' }\nworkload = [{ name = 'w', kind = 'poisson', rate = 1, input = 1, output = 1 }]").unwrap();
        let bar = Bar::new(&scenario, 1);
        bar.expect(40);
        bar.advance(7);
        let line = |millis| bar.line(Duration::from_millis(millis));
        assert_eq!(line(4_900), None);
        assert_eq!(line(5_100).as_deref(), Some("7 of 40 runs"));
        assert_eq!(line(5_100), None);
        assert_eq!(line(9_900), None);
        assert_eq!(line(12_000).as_deref(), Some("7 of 40 runs"));
    }
}
