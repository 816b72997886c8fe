use serde::Serialize;

use super::{Estimate, measured_seconds, share};
use crate::metrics::{ClassTally, Distribution, GivenUp, Replications, RunSummary, Times};

/// What the requests of one class met, of those that arrived after the warm-up. Counts are per run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassReport {
    /// The workload's name; `all` for all of them together.
    pub name: String,
    /// Requests that arrived.
    pub offered: Estimate,
    /// Answered to their last token.
    pub succeeded: Estimate,
    /// Neither succeeded nor given up when the run ended.
    pub in_flight: Estimate,
    /// Ended without success, by what the application saw last.
    pub given_up: GivenUpReport,
    /// The part of the requests that ended that succeeded.
    pub success_share: Estimate,
    /// Requests that backends got for one that arrived.
    pub attempts_per_request: Estimate,
    /// 429s that backends gave, and refusals inside a 200 that the balancer saw first: what it and the SDK had to absorb.
    pub backend_429s: Estimate,
    /// The part of the attempts that a backend answered with a 429.
    pub backend_429_share: Estimate,
    /// Requests that ended with a 429 at the application, after the SDK's retries.
    pub application_429s: Estimate,
    /// The part of the requests that ended that ended with a 429 at the application.
    pub application_429_share: Estimate,
    /// 429s that backends gave for each request that succeeded.
    pub backend_429s_per_success: Estimate,
    /// Requests that have ended and had waited in their pool.
    pub waited: Estimate,
    /// How long these waited there, whatever they came to.
    pub wait: WaitTimes,
    /// Times that the SDK sent a request again.
    pub sdk_retries: Estimate,
    /// The part of the successes that came from a backend that is not of the best priority.
    pub spill_share: Estimate,
    /// From the arrival to the sending of the attempt that succeeded; infinite for a request that never did.
    pub added_wait: Quantiles,
    /// From the arrival to the first token.
    pub first_token: Quantiles,
    /// From the arrival to the last token.
    pub total: Quantiles,
    /// The part of the prompts of those that succeeded that came from a cache, in tokens.
    pub cached_share: Estimate,
    /// Requests whose caller's deadline passed.
    pub deadline_misses: Estimate,
    /// Successes per second.
    pub goodput: Estimate,
    /// Output tokens of successes per second.
    pub output_tokens_per_second: Estimate,
    /// How many requests waited longer than a time: pairs of a time in seconds and the share, over all replications.
    #[serde(rename = "added_wait_exceeded")]
    pub wait_curve: Vec<(f64, f64)>,
    /// The share of requests that never succeeded, over all replications: where the curve ends.
    pub never_share: f64,
}

/// Requests that ended without success, per run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GivenUpReport {
    /// All of them.
    pub total: Estimate,
    /// With a 429.
    pub throttled: Estimate,
    /// With a 5xx.
    pub server_error: Estimate,
    /// Without an answer.
    pub fault: Estimate,
    /// With a 200 that held a refusal.
    pub refused_in_stream: Estimate,
    /// At the caller's deadline.
    pub deadline: Estimate,
}

/// Three quantiles of a time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantiles {
    /// The median.
    pub p50: Estimate,
    /// 95 % are at most this.
    pub p95: Estimate,
    /// 99 % are at most this.
    pub p99: Estimate,
}

/// How long requests waited in their pool, in seconds: of those that waited.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WaitTimes {
    /// The mean.
    pub mean: Estimate,
    /// The median.
    pub p50: Estimate,
    /// 99 % are at most this.
    pub p99: Estimate,
}

impl ClassReport {
    /// Of one class: `tally` gives its own in each run, and `waits` are the added waits of all of them.
    pub(crate) fn new(
        name: &str,
        runs: &[RunSummary],
        tally: impl Fn(&RunSummary) -> Option<&ClassTally<Times>>,
        waits: &Distribution,
    ) -> Self {
        let tallies: Vec<&ClassTally<Times>> = runs.iter().filter_map(&tally).collect();
        let each = |value: &dyn Fn(&ClassTally<Times>) -> Option<f64>| {
            Estimate::over(tallies.iter().map(|tally| value(tally)))
        };
        let count = |value: fn(&ClassTally<Times>) -> u64| each(&|tally| Some(value(tally) as f64));
        let given_up = |value: fn(&GivenUp) -> u64| each(&|tally| Some(value(&tally.given_up) as f64));
        let of_ended =
            |value: fn(&ClassTally<Times>) -> u64| each(&|tally| share(value(tally), tally.ended())).of_share();
        let rate = |value: fn(&ClassTally<Times>) -> u64| {
            Estimate::over(runs.iter().map(|run| Some(value(tally(run)?) as f64 / measured_seconds(run)?)))
        };
        let times = |value: fn(&ClassTally<Times>) -> &Times| Quantiles::over(tallies.iter().map(|tally| value(tally)));
        Self {
            name: name.to_owned(),
            offered: count(|tally| tally.offered),
            succeeded: count(|tally| tally.succeeded),
            in_flight: count(|tally| tally.in_flight),
            given_up: GivenUpReport {
                total: given_up(GivenUp::total),
                throttled: given_up(|reasons| reasons.throttled),
                server_error: given_up(|reasons| reasons.server_error),
                fault: given_up(|reasons| reasons.fault),
                refused_in_stream: given_up(|reasons| reasons.refused_in_stream),
                deadline: given_up(|reasons| reasons.deadline),
            },
            success_share: of_ended(|tally| tally.succeeded),
            attempts_per_request: each(&|tally| share(tally.attempts, tally.offered)),
            backend_429s: count(|tally| tally.throttles),
            backend_429_share: each(&|tally| share(tally.throttles, tally.attempts)).of_share(),
            application_429s: given_up(|reasons| reasons.throttled),
            application_429_share: of_ended(|tally| tally.given_up.throttled),
            backend_429s_per_success: each(&|tally| share(tally.throttles, tally.succeeded)),
            waited: count(|tally| tally.waits.as_ref().map_or(0, |waits| waits.count)),
            wait: WaitTimes::over(&tallies),
            sdk_retries: count(|tally| tally.sdk_retries),
            spill_share: each(&|tally| share(tally.spilled, tally.succeeded)).of_share(),
            added_wait: times(|tally| &tally.added_wait),
            first_token: times(|tally| &tally.first_token),
            total: times(|tally| &tally.total),
            cached_share: each(&|tally| share(tally.cached_tokens, tally.input_tokens)).of_share(),
            deadline_misses: given_up(|reasons| reasons.deadline),
            goodput: rate(|tally| tally.succeeded),
            output_tokens_per_second: rate(|tally| tally.output_tokens),
            wait_curve: exceedance(waits),
            never_share: share(waits.never(), waits.count()).unwrap_or(0.0),
        }
    }

    /// Of all classes together.
    pub(super) fn all(runs: &Replications) -> Self {
        Self::new("all", &runs.runs, |run| Some(&run.all), &runs.pooled_all().added_wait)
    }
}

impl Quantiles {
    fn over<'a>(times: impl Iterator<Item = &'a Times> + Clone) -> Self {
        let quantile = |of: fn(&Times) -> Option<f64>| Estimate::over(times.clone().map(of));
        Self { p50: quantile(|times| times.p50), p95: quantile(|times| times.p95), p99: quantile(|times| times.p99) }
    }
}

impl WaitTimes {
    fn over(tallies: &[&ClassTally<Times>]) -> Self {
        let each = |of: fn(&Times) -> Option<f64>| {
            Estimate::over(tallies.iter().map(|tally| tally.waits.as_deref().and_then(of)))
        };
        Self { mean: each(|times| Some(times.mean)), p50: each(|times| times.p50), p99: each(|times| times.p99) }
    }
}

/// Steps per factor of ten in the share: enough for a smooth line.
const STEPS: u32 = 40;

/// Times with the share of requests that took longer, from all of them down to the last one.
fn exceedance(waits: &Distribution) -> Vec<(f64, f64)> {
    let count = waits.count() as f64;
    let shares = (0..=STEPS * 9).map(|step| 10_f64.powf(-f64::from(step) / f64::from(STEPS)));
    let mut curve: Vec<(f64, f64)> = shares
        .take_while(|share| share * count >= 1.0)
        .filter_map(|share| Some((waits.quantile(1.0 - share)?, share)))
        .filter(|(wait, _)| wait.is_finite())
        .collect();
    // Of equal times the last counts: the smallest share.
    curve.reverse();
    curve.dedup_by(|later, kept| later.0 == kept.0);
    curve.reverse();
    curve
}
