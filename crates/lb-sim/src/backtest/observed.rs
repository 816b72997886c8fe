//! What the log observed, and the simulation beside it.

use std::collections::BTreeMap;

use lb_limits::MINUTE;

use super::{
    Against, Arriving, BackendAgainst, BackendCounts, Compared,
    arrivals::{LoggedArrivals, lines},
};
use crate::{
    log::{Attempt, Log},
    metrics::{BackendTally, RunResult},
    scenario::{Scenario, Span},
};

/// The periods of a comparison over time: minutes, hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Periods {
    span: u64,
    period: u64,
    /// Bins that the simulation's timeline has in a period.
    bins: u64,
}

const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Bins of a timeline.
const BINS: u64 = 1_024;

impl Periods {
    /// Periods for a log of this length, in nanoseconds.
    pub(super) const fn of(span: u64) -> Self {
        let period = if span <= HOUR {
            MINUTE
        } else if span <= 4 * DAY {
            HOUR
        } else {
            DAY
        };
        // As many bins as fit, so that bins and periods end together; one at least, of a very long log.
        let room = span + 2 * MINUTE;
        let bins = period * (BINS - 1) / room;
        Self { span, period, bins: if bins == 0 { 1 } else { bins } }
    }

    /// How long to simulate: longer than the log, by what makes the timeline's bins end where periods do.
    pub(super) const fn duration(&self) -> Span {
        Span::from_nanos((self.period / self.bins - 1) * BINS)
    }

    /// How many there are.
    fn count(&self) -> usize {
        usize::try_from(self.span / self.period).map_or(usize::MAX, |periods| periods + 1)
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at / self.period).unwrap_or(usize::MAX).min(self.count() - 1)
    }
}

/// What one backend was observed to do.
#[derive(Debug, Clone, Default)]
struct ObservedBackend {
    attempts: u64,
    accepted: u64,
    throttles: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// 429s per period.
    periods: Vec<u64>,
}

/// What was observed.
#[derive(Debug)]
pub(super) struct Observed {
    success_share: f64,
    backends: Vec<ObservedBackend>,
}

impl Observed {
    pub(super) fn of(scenario: &Scenario, log: &Log, arriving: Arriving, periods: &Periods) -> Self {
        let backend = |name: &str| {
            let is_its = |attempt: &&Attempt| attempt.backend.as_deref().is_none_or(|backend| backend == name);
            let begin = match arriving {
                Arriving::Requests => log.begin(),
                Arriving::Attempts => log.attempts().iter().find(is_its).map_or(0, |attempt| attempt.start),
            };
            let mut backend = ObservedBackend { periods: vec![0; periods.count()], ..ObservedBackend::default() };
            for attempt in log.attempts().iter().filter(is_its) {
                backend.attempts += 1;
                if attempt.is_accepted() {
                    backend.accepted += 1;
                    backend.prompt_tokens += attempt.prompt_tokens.unwrap_or(0);
                    backend.completion_tokens += attempt.completion_tokens.unwrap_or(0);
                } else if attempt.is_refused() {
                    backend.throttles += 1;
                    backend.periods[periods.index(attempt.start - begin)] += 1;
                }
            }
            backend
        };
        let backends = scenario.backends.iter().map(|entry| backend(&entry.name)).collect();
        Self { success_share: success_share(log, arriving), backends }
    }

    /// The runs, per part of the arrivals, beside what was observed.
    pub(super) fn beside(
        &self,
        scenario: &Scenario,
        arrivals: &LoggedArrivals,
        periods: &Periods,
        runs: &[Vec<RunResult>],
    ) -> Against {
        // A backend is simulated in the part that is all of the traffic, or all of its own.
        let part = |name: &str| {
            let is_its = |to: &Option<String>| to.as_deref().is_none_or(|to| to == name);
            arrivals.parts.iter().zip(runs).find(|(part, _)| is_its(&part.direct_to)).map(|(_, runs)| runs.as_slice())
        };
        let backend = |(index, entry): (usize, &crate::scenario::Backend)| {
            let (observed, runs) = (&self.backends[index], part(&entry.name).unwrap_or_default());
            let counted = |observed: u64, of: fn(&BackendTally) -> u64| {
                let simulated: Vec<f64> = runs.iter().map(|run| of(&run.backends[index]) as f64).collect();
                Compared::new(observed as f64, &simulated)
            };
            let counts = counts(|seen, of| counted(seen(observed), of));
            let simulated: Vec<Vec<u64>> = runs.iter().map(|run| refusals(run, index, periods)).collect();
            let throttles = observed.periods.iter().enumerate().map(|(period, &observed)| {
                let simulated: Vec<f64> = simulated.iter().map(|run| run[period] as f64).collect();
                Compared::new(observed as f64, &simulated)
            });
            BackendAgainst { name: entry.name.clone(), counts, throttles: throttles.collect() }
        };
        let replications = scenario.run.replications as usize;
        // Of every replication: all backends together.
        let total = |observed: fn(&ObservedBackend) -> u64, of: fn(&BackendTally) -> u64| {
            let sum = |replication: usize| {
                let backends = scenario.backends.iter().enumerate();
                let tallies = backends.filter_map(|(index, entry)| {
                    Some(of(&part(&entry.name)?.get(replication)?.backends[index]) as f64)
                });
                tallies.sum()
            };
            let simulated: Vec<f64> = (0..replications).map(sum).collect();
            Compared::new(self.backends.iter().map(|backend| observed(backend) as f64).sum(), &simulated)
        };
        let share = |replication: usize| {
            let classes = || runs.iter().filter_map(move |part| part.get(replication)?.classes.first());
            let offered: u64 = classes().map(|class| class.offered).sum();
            classes().map(|class| class.succeeded).sum::<u64>() as f64 / (offered.max(1)) as f64
        };
        let shares: Vec<f64> = (0..replications).map(share).collect();
        Against {
            arriving: arrivals.arriving,
            seconds: periods.span as f64 / 1e9,
            period: periods.period as f64 / 1e9,
            replications: scenario.run.replications,
            success_share: Compared::new(self.success_share, &shares),
            total: counts(total),
            backends: scenario.backends.iter().enumerate().map(backend).collect(),
        }
    }
}

/// All counts, each compared by `compared`.
fn counts(compared: impl Fn(fn(&ObservedBackend) -> u64, fn(&BackendTally) -> u64) -> Compared) -> BackendCounts {
    BackendCounts {
        attempts: compared(|backend| backend.attempts, |tally| tally.attempts),
        accepted: compared(|backend| backend.accepted, |tally| tally.accepted),
        throttles: compared(|backend| backend.throttles, refused),
        prompt_tokens: compared(|backend| backend.prompt_tokens, |tally| tally.billed_input + tally.billed_cached),
        completion_tokens: compared(|backend| backend.completion_tokens, |tally| tally.billed_output),
    }
}

/// The share of the log's arrivals that succeeded.
fn success_share(log: &Log, arriving: Arriving) -> f64 {
    match arriving {
        Arriving::Attempts => {
            let attempts = log.attempts();
            attempts.iter().filter(|attempt| attempt.is_accepted()).count() as f64 / attempts.len().max(1) as f64
        }
        Arriving::Requests => {
            let mut requests = BTreeMap::new();
            for line in lines(log) {
                *requests.entry(&line.request).or_insert(false) |= line.is_accepted();
            }
            requests.values().filter(|succeeded| **succeeded).count() as f64 / requests.len().max(1) as f64
        }
    }
}

const fn refused(tally: &BackendTally) -> u64 {
    tally.throttles + tally.refusals_in_stream
}

/// A backend's refusals in one run, per period.
fn refusals(run: &RunResult, backend: usize, periods: &Periods) -> Vec<u64> {
    let mut refusals = vec![0; periods.count()];
    for (bin, number) in run.timeline.backends[backend].iter().zip(0..) {
        refusals[periods.index(run.timeline.bin * number)] += bin.refused;
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Timeline;

    #[test]
    fn bins_of_the_timeline_end_where_periods_do() {
        for span in [1, 10 * MINUTE, HOUR, 5 * HOUR, DAY, 7 * DAY, 60 * DAY, 400 * DAY] {
            let periods = Periods::of(span);
            let bin = Timeline::new(1, periods.duration().as_nanos()).bin;
            assert_eq!(bin, periods.period / periods.bins, "{span}");
            assert!(periods.period % bin < periods.bins, "{span}: {bin}");
            assert!(periods.duration().as_nanos() > span, "{span}");
            assert!(periods.count() <= 500, "{span}");
        }
    }
}
