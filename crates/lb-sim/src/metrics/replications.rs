use super::{BackendTally, ClassTally, Conservation, Distribution, RunResult, Timeline, WorkerTally};

/// The replications of a scenario, folded as they come: a few kilobytes each, whatever the runs held.
#[derive(Debug, Clone, Default)]
pub struct Replications {
    /// What each run came to, in order.
    pub runs: Vec<RunSummary>,
    /// The first run over time; `None` without a run.
    pub first: Option<Timeline>,
    /// All runs over time.
    #[cfg(feature = "render")]
    pub(crate) over_time: super::OverTime,
    /// Per workload: the times of all runs together.
    pooled: Vec<PooledTimes>,
}

/// What one run came to, without its histograms and its timeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunSummary {
    /// Which replication, from 0.
    pub replication: u64,
    /// The hash over every event of the run, in order.
    pub hash: u64,
    /// When the last request arrived at the latest, in nanoseconds.
    pub end: u64,
    /// Requests that arrived before this do not count in the tallies.
    pub warmup: u64,
    /// Events that the engine worked off.
    pub events: u64,
    /// All requests, the warm-up's included.
    pub conservation: Conservation,
    /// All workloads together.
    pub all: ClassTally<Times>,
    /// Per workload, in the scenario's order.
    pub classes: Vec<ClassTally<Times>>,
    /// Per backend, in the scenario's order.
    pub backends: Vec<BackendTally>,
    /// Per worker.
    pub workers: Vec<WorkerTally>,
}

/// What reports say of a [`Distribution`], in seconds; a quantile of nothing is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Times {
    /// How many were counted.
    pub count: u64,
    /// The mean of those that are finite.
    pub mean: f64,
    /// The median.
    pub p50: Option<f64>,
    /// 95 % are at most this.
    pub p95: Option<f64>,
    /// 99 % are at most this.
    pub p99: Option<f64>,
}

/// The times of one workload in many runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct PooledTimes {
    pub(crate) added_wait: Distribution,
    pub(crate) first_token: Distribution,
}

impl Replications {
    /// Of runs that are there already.
    #[must_use]
    pub fn of(runs: &[RunResult]) -> Self {
        runs.iter().fold(Self::default(), |mut all, run| {
            all.add(run);
            all
        })
    }

    /// Adds a run after those that are there.
    pub fn add(&mut self, run: &RunResult) {
        if self.first.is_none() {
            self.first = Some(run.timeline.clone());
        }
        self.pooled.resize_with(self.pooled.len().max(run.classes.len()), PooledTimes::default);
        for (pooled, class) in self.pooled.iter_mut().zip(&run.classes) {
            pooled.added_wait.add(&class.added_wait);
            pooled.first_token.add(&class.first_token);
        }
        #[cfg(feature = "render")]
        self.over_time.add(run);
        self.runs.push(RunSummary::of(run));
    }

    /// These, and then those of another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.first = self.first.or(other.first);
        self.runs.extend(other.runs);
        #[cfg(feature = "render")]
        {
            self.over_time = self.over_time.and(other.over_time);
        }
        self.pooled.resize_with(self.pooled.len().max(other.pooled.len()), PooledTimes::default);
        self.pooled.iter_mut().zip(&other.pooled).for_each(|(pooled, other)| pooled.add(other));
        self
    }

    /// The times of one workload in all runs.
    pub(crate) fn pooled(&self, class: usize) -> Option<&PooledTimes> {
        self.pooled.get(class)
    }

    /// The times of all workloads in all runs.
    pub(crate) fn pooled_all(&self) -> PooledTimes {
        self.pooled.iter().fold(PooledTimes::default(), |mut all, class| {
            all.add(class);
            all
        })
    }
}

impl PooledTimes {
    fn add(&mut self, other: &Self) {
        self.added_wait.add(&other.added_wait);
        self.first_token.add(&other.first_token);
    }
}

impl RunSummary {
    fn of(run: &RunResult) -> Self {
        let classes: Vec<ClassTally<Times>> = run.classes.iter().map(ClassTally::summary).collect();
        let all = match run.classes.as_slice() {
            [_] => classes[0].clone(),
            classes => classes.iter().fold(ClassTally::default(), ClassTally::plus).summary(),
        };
        Self {
            replication: run.replication,
            hash: run.hash,
            end: run.end,
            warmup: run.warmup,
            events: run.events,
            conservation: run.conservation,
            all,
            classes,
            backends: run.backends.clone(),
            workers: run.workers.clone(),
        }
    }
}

impl Times {
    /// What is said of these.
    #[must_use]
    pub fn of(times: &Distribution) -> Self {
        let [p50, p95, p99] = [0.50, 0.95, 0.99].map(|q| times.quantile(q));
        Self { count: times.count(), mean: times.mean(), p50, p95, p99 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        Report,
        testing::{run, scenario_with},
    };

    #[test]
    fn it_does_not_matter_where_the_runs_were_folded() {
        let second = "[[workload]]\nname = 'batch'\nkind = 'poisson'\nrate = 1.0\ninput = 1\noutput = 1";
        let runs = [0, 1, 2, 3].map(|replication| {
            let mut run = run(replication);
            run.classes.push(run.classes[0].clone());
            run.classes[1].added_wait.record(replication * 1_000_000_000);
            run.timeline.requests_at(0, 0).offered += replication;
            run
        });
        let scenario = scenario_with(second);
        let report = |runs: &Replications| {
            let report = Report::over(&scenario, runs);
            (report.to_json().unwrap(), report.to_csv().unwrap())
        };
        let apart = Replications::of(&runs[..1]).and(Replications::of(&runs[1..3])).and(Replications::of(&runs[3..]));
        let together = report(&Replications::of(&runs));
        assert!(report(&apart) == together, "the reports differ");
        assert!(report(&Replications::default().and(apart)) == together, "the reports differ");
        assert_ne!(report(&Replications::of(&runs[1..])).1, together.1, "the timeline is the first run's");
    }
}
