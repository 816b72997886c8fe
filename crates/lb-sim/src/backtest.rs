//! A past week, simulated: what a log observed beside what the scenario's backends would have done with its traffic.
//!
//! Arrivals and sizes come from the log, everything else from the scenario. If the log says which lines belong to
//! one request, a request arrives when its first line begins, and the scenario's clients send it; one that no backend got
//! arrives as well, and did not succeed. Otherwise each
//! attempt is an arrival at the backend that it went to, without a balancer: what is compared is then the backends
//! alone, not who sends to them.
//!
//! Refused attempts do not say how large they were. They get the sizes of an accepted attempt of their request, or of
//! one at the same backend, drawn at random.

mod arrivals;
mod error;
mod observed;

use rayon::prelude::*;
use serde::Serialize;

pub(crate) use crate::stats::Compared;
pub(crate) use error::AgainstError;

use self::{
    arrivals::LoggedArrivals,
    observed::{Observed, Periods},
};
use crate::{
    log::Log,
    metrics::RunResult,
    scenario::{KeyPath, Scenario},
    simulation::Simulation,
    traffic::Loaded,
};

/// What was observed, beside what was simulated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Against {
    /// What arrives: the log's requests, or its attempts.
    pub(crate) arriving: Arriving,
    /// How long the log is, in seconds.
    pub(crate) seconds: f64,
    /// Length of a period of the comparisons over time, in seconds.
    pub(crate) period: f64,
    /// Runs of the simulation.
    pub(crate) replications: u32,
    /// Share of the arrivals that succeeded.
    pub(crate) success_share: Compared,
    /// All backends together.
    pub(crate) total: BackendCounts,
    /// Per backend, in the scenario's order.
    pub(crate) backends: Vec<BackendAgainst>,
}

/// What arrives in a simulation of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arriving {
    /// Requests, at the scenario's clients.
    Requests,
    /// Attempts, at the backends that they went to.
    Attempts,
}

/// One backend, observed and simulated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BackendAgainst {
    /// Its name.
    pub(crate) name: String,
    /// In the whole log.
    pub(crate) counts: BackendCounts,
    /// 429s per period, from the first request on, or from the first attempt at this backend.
    pub(crate) throttles: Vec<Compared>,
}

/// What a backend got and gave, observed and simulated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct BackendCounts {
    /// Attempts.
    pub(crate) attempts: Compared,
    /// Attempts that were let in.
    pub(crate) accepted: Compared,
    /// 429s; refusals inside a 200 included.
    pub(crate) throttles: Compared,
    /// Tokens of prompts that were served, cached ones included.
    pub(crate) prompt_tokens: Compared,
    /// Tokens of their completions.
    pub(crate) completion_tokens: Compared,
}

/// Simulates the traffic of a log on a scenario, as often as the scenario has replications.
///
/// The scenario's workloads, duration, warm-up and growth do not matter; but its first workload says how many characters
/// a token has, whether answers are streamed, and the deadline.
pub(crate) fn compare(scenario: &Scenario, log: &Log) -> Result<Against, AgainstError> {
    let arrivals = LoggedArrivals::of(scenario, log)?;
    let periods = Periods::of(log.span());
    let observed = Observed::of(scenario, log, arrivals.arriving, &periods);
    // Per part (all requests, or one backend's attempts): the runs.
    let runs = arrivals.parts.iter().map(|part| {
        let scenario = prepared(scenario, part.direct_to.as_deref(), &periods)?;
        let mut loaded = Loaded::new(&scenario.folder);
        loaded.insert(&scenario.workloads[0], part.trace.clone());
        let simulation = Simulation::with(&scenario, loaded)?;
        let replications = 0..u64::from(scenario.run.replications);
        Ok(replications.into_par_iter().map(|replication| simulation.run(replication)).collect())
    });
    let runs: Vec<Vec<RunResult>> = runs.collect::<Result<_, AgainstError>>()?;
    Ok(observed.beside(scenario, &arrivals, &periods, &runs))
}

/// The scenario with the log as its only workload.
fn prepared(scenario: &Scenario, direct_to: Option<&str>, periods: &Periods) -> Result<Scenario, AgainstError> {
    let mut workload = toml::Table::new();
    let first = scenario.document().get("workload").and_then(|workloads| workloads.get(0));
    for key in ["chars_per_token", "stream", "deadline"] {
        if let Some(value) = first.and_then(|first| first.get(key)) {
            workload.insert(key.to_owned(), value.clone());
        }
    }
    for (key, value) in [("name", "log"), ("kind", "trace"), ("file", "log"), ("max_tokens", "trace")] {
        workload.insert(key.to_owned(), value.into());
    }
    let mut changes = vec![
        (KeyPath::new(["workload"]), toml::Value::Array(vec![workload.into()])),
        (KeyPath::new(["run", "duration"]), periods.duration().to_string().into()),
        (KeyPath::new(["run", "warmup"]), "0s".into()),
        (KeyPath::new(["run", "growth"]), 1.0.into()),
    ];
    if let Some(name) = direct_to {
        changes.push((KeyPath::new(["clients", "client"]), "direct".into()));
        changes.push((KeyPath::new(["clients", "direct_to"]), name.into()));
        changes.push((KeyPath::new(["clients", "sdk"]), "none".into()));
    }
    Ok(scenario.with(&changes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let scenario = Scenario::parse(
            r#"
            run = { duration = "1m", replications = 4 }
            backend = [{ name = "ptu", preset = "azure-ptu", model = "gpt-4.1", ptus = 15, burst = "1s" }]
            workload = [{ name = "chat", kind = "poisson", rate = 1, input = 1, output = 1 }]
            "#,
        );
        scenario.unwrap()
    }

    #[test]
    fn requests_that_no_backend_got_arrive_and_did_not_succeed() {
        // The PTU serves the first, refuses the second, and is cooling for eighteen more, which the pool refuses.
        let begin = "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms,backend,request\n\
                     0.0,1.2,4000,0,100,80,200,,ptu,1\n0.1,0.13,,,,,429,4767,ptu,2\n0.13,0.13,,,,,429,4767,,2\n";
        let refused = (3..=20).map(|number| format!("0.{},,,,,,429,4000,,{number}\n", 20 + number));
        let text = begin.to_owned() + &refused.collect::<String>();
        let log = Log::parse(&text).unwrap();
        assert_eq!((log.attempts().len(), log.unsent().len()), (2, 19));
        let against = compare(&scenario(), &log).unwrap();
        assert_eq!((against.success_share.observed, against.success_share.simulated), (0.05, 0.05));
        assert_eq!((against.total.attempts.observed, against.total.attempts.simulated), (2.0, 2.0));
        assert_eq!((against.total.throttles.observed, against.total.throttles.simulated), (1.0, 1.0));
        // Without numbers a request that failed over cannot be told from one that failed.
        let unnumbered = Log::parse(&text.replace(",3\n", ",\n")).unwrap();
        assert_eq!(compare(&scenario(), &unnumbered), Err(AgainstError::UnnumberedRequests));
        // A success was at some backend, which must be named.
        let log = Log::parse(&text.replace("200,,ptu,1", "200,,,1")).unwrap();
        assert_eq!((log.attempts().len(), log.unsent().len()), (2, 19));
    }

    #[test]
    fn a_log_of_one_refusal_is_simulated_with_one() {
        let log = Log::parse(
            "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms\n\
             0.0,1.2,4000,0,100,80,200,\n\
             0.1,,,,,,429,4767\n",
        );
        let against = compare(&scenario(), &log.unwrap()).unwrap();
        assert_eq!((against.total.throttles.observed, against.total.throttles.simulated), (1.0, 1.0));
        // What PTUs serve is counted, though nobody bills it by the token.
        assert_eq!((against.total.prompt_tokens.observed, against.total.prompt_tokens.simulated), (4_000.0, 4_000.0));
        assert_eq!((against.total.completion_tokens.observed, against.total.completion_tokens.simulated), (80.0, 80.0));
    }
}
