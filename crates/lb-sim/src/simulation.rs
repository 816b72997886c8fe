//! A scenario that is ready to run.

use std::io;

#[cfg(any(feature = "cli", test))]
use crate::scenario::Workload;
use crate::{
    engine::{Engine, Pools},
    journal::Journal,
    metrics::{Replications, RunResult},
    random::Draws,
    report::Report,
    scenario::{MOST_NANOS, Scenario, ScenarioError},
    traffic::{Loaded, Traffic},
};

/// A scenario, ready to run: its traces are loaded. It can be shared by threads that run replications of it.
#[derive(Debug)]
pub struct Simulation {
    scenario: Scenario,
    loaded: Loaded,
    end: u64,
}

impl Simulation {
    /// A simulation of this scenario.
    ///
    /// # Errors
    ///
    /// If a trace cannot be read, or lb-core refuses an option of the pool.
    pub fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        Self::with(scenario, Traffic::load(&scenario.workloads, &scenario.folder)?)
    }

    /// A simulation of this scenario, with traces that have been loaded already, or made.
    pub(crate) fn with(scenario: &Scenario, loaded: Loaded) -> Result<Self, ScenarioError> {
        Pools::new(scenario)?;
        let end = traffic(scenario, &loaded, Draws::new(0))?.until();
        if end > MOST_NANOS {
            let problem = "the traces are longer than a hundred years: is there a stray date in them?";
            return Err(ScenarioError::new("run.duration", problem));
        }
        if end <= scenario.run.warmup.as_nanos() {
            return Err(ScenarioError::new("run.warmup", "it must be shorter than the traces"));
        }
        Ok(Self { scenario: scenario.clone(), loaded, end })
    }

    /// What a reader of a report should know about how the files were read, each with the file's name.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.loaded.notes()
    }

    /// When the last request arrives at the latest, in nanoseconds.
    #[cfg(any(feature = "cli", test))]
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// What the file of a workload holds, in words; `None` if it has none.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn file_of(&self, workload: &Workload) -> Option<String> {
        self.loaded.contents(workload)
    }

    /// The requests of a replication.
    pub(crate) fn traffic(&self, replication: u64) -> Traffic {
        let draws = Draws::new(self.scenario.run.seed).replication(replication);
        // It was made once, when the simulation was, and that it can be does not depend on the draws.
        traffic(&self.scenario, &self.loaded, draws).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// The scenario.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Runs one replication. The same replication of the same scenario gives the same result, on every machine and
    /// beside any other threads.
    ///
    /// # Panics
    ///
    /// If more than 33 million requests are on their way at once, or the run has more than 2^36 events: neither fits into
    /// the memory or the patience that there is.
    #[must_use]
    pub fn run(&self, replication: u64) -> RunResult {
        let (result, hash) = self.run_with(replication, Journal::hash_only());
        // Without a writer nothing can fail.
        RunResult { hash: hash.unwrap_or_default(), ..result }
    }

    /// Runs one replication, and writes every decision as a CSV line.
    ///
    /// # Errors
    ///
    /// If the writer fails.
    pub fn run_logged(&self, replication: u64, writer: &mut dyn io::Write) -> io::Result<RunResult> {
        let (result, hash) = self.run_with(replication, Journal::with_lines(writer, &self.scenario));
        Ok(RunResult { hash: hash?, ..result })
    }

    fn run_with(&self, replication: u64, journal: Journal<'_>) -> (RunResult, io::Result<u64>) {
        let scenario = &self.scenario;
        let draws = Draws::new(scenario.run.seed).replication(replication);
        // They were made once, when the simulation was.
        let pools = Pools::new(scenario).unwrap_or_else(|error| unreachable!("{error}"));
        let traffic = self.traffic(replication);
        let (mut result, hash) = Engine::new(scenario, &pools, traffic, draws, self.end, journal).run(replication);
        result.timeline.begin = self.loaded.begin(&scenario.workloads);
        (result, hash)
    }
}

/// Runs all replications of a scenario, one after the other.
///
/// # Errors
///
/// See [`Simulation::new`].
pub fn simulate(scenario: &Scenario) -> Result<Vec<RunResult>, ScenarioError> {
    let simulation = Simulation::new(scenario)?;
    Ok((0..u64::from(scenario.run.replications)).map(|replication| simulation.run(replication)).collect())
}

/// Runs all replications of a scenario, and reports on them.
///
/// # Errors
///
/// See [`Simulation::new`].
pub fn run(scenario: &Scenario) -> Result<Report, ScenarioError> {
    let simulation = Simulation::new(scenario)?;
    let mut replications = Replications::default();
    (0..u64::from(scenario.run.replications)).for_each(|replication| replications.add(&simulation.run(replication)));
    Ok(Report::over(scenario, &replications))
}

fn traffic(scenario: &Scenario, loaded: &Loaded, draws: Draws) -> Result<Traffic, ScenarioError> {
    let until = scenario.run.duration.map(|span| span.as_nanos());
    Traffic::with(&scenario.workloads, loaded, scenario.run.growth, draws, until)
}
