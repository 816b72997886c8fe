use serde::Serialize;

use super::{Estimate, measured_seconds, share};
use crate::{
    metrics::{BackendTally, RunSummary},
    scenario::{Backend, Preset, Program, Scenario},
};

/// What one backend got and gave after the warm-up. Counts are per run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BackendReport {
    /// The name.
    pub name: String,
    /// Lower goes first.
    pub priority: u32,
    /// What it is, in words: `100 PTU of gpt-4.1`.
    pub kind: String,
    /// What its token counts are: `tokens`, or `input tokens` on a PTU, where an output token counts as several.
    pub token_unit: &'static str,
    /// Its part of all successes.
    pub share: Estimate,
    /// Requests that came.
    pub attempts: Estimate,
    /// Let in.
    pub accepted: Estimate,
    /// Served to the last token for a caller who was still there.
    pub succeeded: Estimate,
    /// 429s.
    pub throttled: Estimate,
    /// The part of the attempts that got a 429.
    pub throttled_share: Estimate,
    /// Refusals inside a 200.
    pub refused_in_stream: Estimate,
    /// 5xx.
    pub server_errors: Estimate,
    /// Requests that found it gone, or got no answer.
    pub faults: Estimate,
    /// Tokens that admission reserved for what it let in.
    pub estimated_tokens: Estimate,
    /// Tokens that this turned out to need.
    pub used_tokens: Estimate,
    /// Tokens reserved and not needed.
    pub wasted_tokens: Estimate,
    /// The part of the reserved tokens that was not needed.
    pub wasted_share: Estimate,
    /// How full its fullest limit is, over time.
    pub utilisation: Utilisation,
    /// The part of its PTUs' work that was used: what Azure Monitor shows as the utilisation of a provisioned deployment.
    /// Nothing of other backends. The bucket is fuller or emptier than this: it holds reservations, and only for a while.
    pub capacity_used: Estimate,
    /// The part of the time that a pool had it out, over all pools; nothing without a balancer.
    pub cooling_share: Estimate,
    /// The part of the time that a pool suspected it, over all pools; nothing without a balancer.
    pub suspect_share: Estimate,
    /// How many pools it is in, and cools in each by itself; 0 without a balancer.
    #[serde(skip)]
    pub(crate) pools: u32,
}

/// How full the fullest limit of a backend is, over time; 1 is full.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Utilisation {
    /// The mean over time.
    pub mean: Estimate,
    /// Half of the time it is at most this.
    pub p50: Estimate,
    /// 95 % of the time it is at most this.
    pub p95: Estimate,
    /// The highest that was seen.
    pub max: Estimate,
}

impl BackendReport {
    pub(super) fn new(scenario: &Scenario, index: usize, backend: &Backend, runs: &[RunSummary]) -> Self {
        let tally = |run: &RunSummary| run.backends.get(index).copied().unwrap_or_default();
        let each = |value: &dyn Fn(&BackendTally) -> Option<f64>| Estimate::over(runs.iter().map(|r| value(&tally(r))));
        let count = |value: fn(&BackendTally) -> u64| each(&|tally| Some(value(tally) as f64));
        let limited = has_limit(scenario, backend);
        let full = |value: fn(&BackendTally) -> u64| {
            each(&|tally| (limited && tally.samples > 0).then(|| value(tally) as f64 / 1e3))
        };
        let programs = scenario.programs();
        let pools: u32 = programs.iter().filter(|program| program.sends_to[index]).map(Program::pools).sum();
        let of_time = |value: fn(&BackendTally) -> u128| {
            Estimate::over(runs.iter().map(|run| {
                let time = measured_seconds(run)? * f64::from(pools);
                (time > 0.0).then(|| value(&tally(run)) as f64 / 1e9 / time)
            }))
        };
        Self {
            name: backend.name.clone(),
            priority: backend.priority,
            kind: kind(backend),
            token_unit: if backend.preset == Preset::AzurePtu { "input tokens" } else { "tokens" },
            share: Estimate::over(
                runs.iter()
                    .map(|run| share(tally(run).succeeded, run.backends.iter().map(|backend| backend.succeeded).sum())),
            )
            .of_share(),
            attempts: count(|tally| tally.attempts),
            accepted: count(|tally| tally.accepted),
            succeeded: count(|tally| tally.succeeded),
            throttled: count(|tally| tally.throttles),
            throttled_share: each(&|tally| share(tally.throttles, tally.attempts)).of_share(),
            refused_in_stream: count(|tally| tally.refusals_in_stream),
            server_errors: count(|tally| tally.server_errors),
            faults: count(|tally| tally.faults),
            estimated_tokens: count(|tally| tally.estimated_tokens),
            used_tokens: count(|tally| tally.used_tokens),
            wasted_tokens: count(|tally| tally.wasted_tokens),
            wasted_share: each(&|tally| share(tally.wasted_tokens, tally.estimated_tokens)).of_share(),
            utilisation: Utilisation {
                mean: full(|tally| tally.mean_utilisation),
                p50: full(|tally| tally.utilisation[1]),
                p95: full(|tally| tally.utilisation[2]),
                max: full(|tally| tally.utilisation[3]),
            },
            capacity_used: Estimate::over(runs.iter().map(|run| {
                let capacity = capacity_per_second(scenario, backend)? * measured_seconds(run)?;
                (capacity > 0.0).then(|| tally(run).used_tokens as f64 / capacity)
            })),
            cooling_share: of_time(|tally| tally.cooling).of_share(),
            suspect_share: of_time(|tally| tally.suspect).of_share(),
            pools,
        }
    }
}

/// Input tokens that its PTUs work off in a second; `None` if it has none.
fn capacity_per_second(scenario: &Scenario, backend: &Backend) -> Option<f64> {
    let ptus = backend.ptus.filter(|_| backend.preset == Preset::AzurePtu)?;
    let per_ptu = scenario.model(&backend.model).input_tpm_per_ptu()?;
    Some(ptus as f64 * per_ptu as f64 / 60.0)
}

/// Whether something of it can be full.
fn has_limit(scenario: &Scenario, backend: &Backend) -> bool {
    let own = backend.preset != Preset::None || !backend.windows.is_empty() || backend.concurrency.is_some();
    let shared = |quota: &String| scenario.backends.iter().find(|other| other.quota.as_ref() == Some(quota));
    own || backend.quota.as_ref().and_then(shared).is_some_and(|first| first != backend && has_limit(scenario, first))
}

fn kind(backend: &Backend) -> String {
    let of_model = if backend.model.is_empty() { String::new() } else { format!(" of {}", backend.model) };
    match backend.preset {
        Preset::AzurePtu => format!("{} PTU{of_model}", backend.ptus.unwrap_or(0)),
        Preset::AzureStandard => match backend.tpm {
            Some(tpm) => format!("{} TPM{of_model}", crate::number::thousands(tpm as f64)),
            None => format!("standard{of_model}"),
        },
        Preset::None if backend.windows.is_empty() => match backend.concurrency {
            Some(limit) => format!("{} at once{of_model}", crate::number::thousands(limit.max_inflight as f64)),
            None => format!("no limit{of_model}"),
        },
        Preset::None => format!("windows{of_model}"),
    }
}
