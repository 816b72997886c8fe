use serde::Serialize;

use super::{Distribution, Times};

/// The requests of a run, whole: each is in exactly one of these places at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Conservation {
    /// Arrived.
    pub offered: u64,
    /// Answered to their last token.
    pub succeeded: u64,
    /// Ended without success.
    pub given_up: u64,
    /// Neither, when the run ended.
    pub in_flight: u64,
    /// The time integral of the number of requests in the system, in request-nanoseconds.
    #[serde(skip)]
    pub integral: u128,
    /// The sum of the times that requests spent in the system, cut off at the end of the run. Little's law is that it
    /// equals the integral.
    #[serde(skip)]
    pub residence: u128,
}

impl Conservation {
    /// Whether every request is somewhere, and Little's law holds to the nanosecond.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.offered == self.succeeded + self.given_up + self.in_flight && self.integral == self.residence
    }
}

/// The requests of one workload that arrived after the warm-up: with each time that they took, or with what reports say of
/// them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ClassTally<T = Distribution> {
    /// Arrived.
    pub offered: u64,
    /// Answered to their last token.
    pub succeeded: u64,
    /// Neither succeeded nor given up when the run ended.
    pub in_flight: u64,
    /// Ended without success, by what the application saw last.
    pub given_up: GivenUp,
    /// Requests that backends got, the retries of the SDK included.
    pub attempts: u64,
    /// 429s that backends gave, and refusals inside a 200 that the balancer saw before the caller did.
    pub throttles: u64,
    /// Refusals inside a 200 that backends gave, and the caller saw.
    pub refusals_in_stream: u64,
    /// 5xx that backends gave.
    pub server_errors: u64,
    /// Attempts that brought no answer.
    pub faults: u64,
    /// Times that the SDK sent a request again.
    pub sdk_retries: u64,
    /// Succeeded at another backend than one of the best priority.
    pub spilled: u64,
    /// Those that have ended and had waited in their pool, each with how long in all: `None` if there were none.
    pub waits: Option<Box<T>>,
    /// From the arrival to the sending of the attempt that succeeded: zero for one that nobody refused.
    pub added_wait: T,
    /// From the arrival to the first token.
    pub first_token: T,
    /// From the arrival to the last token.
    pub total: T,
    /// Tokens of the prompts of requests that succeeded, cached ones included.
    pub input_tokens: u64,
    /// Those of them that came from a cache.
    pub cached_tokens: u64,
    /// Tokens of their completions.
    pub output_tokens: u64,
}

impl ClassTally {
    /// Counts how long a request that has ended had waited in its pool.
    pub(crate) fn count_wait(&mut self, nanos: u64) {
        if nanos > 0 {
            self.waits.get_or_insert_default().record(nanos);
        }
    }

    /// Both together.
    pub(crate) fn plus(self, other: &Self) -> Self {
        let Self { mut waits, mut added_wait, mut first_token, mut total, .. } = self;
        if let Some(more) = &other.waits {
            waits.get_or_insert_default().add(more);
        }
        added_wait.add(&other.added_wait);
        first_token.add(&other.first_token);
        total.add(&other.total);
        Self {
            offered: self.offered + other.offered,
            succeeded: self.succeeded + other.succeeded,
            in_flight: self.in_flight + other.in_flight,
            given_up: self.given_up.plus(other.given_up),
            attempts: self.attempts + other.attempts,
            throttles: self.throttles + other.throttles,
            refusals_in_stream: self.refusals_in_stream + other.refusals_in_stream,
            server_errors: self.server_errors + other.server_errors,
            faults: self.faults + other.faults,
            sdk_retries: self.sdk_retries + other.sdk_retries,
            spilled: self.spilled + other.spilled,
            waits,
            added_wait,
            first_token,
            total,
            input_tokens: self.input_tokens + other.input_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
        }
    }

    /// The same with what reports say of the times.
    pub(crate) fn summary(&self) -> ClassTally<Times> {
        ClassTally {
            offered: self.offered,
            succeeded: self.succeeded,
            in_flight: self.in_flight,
            given_up: self.given_up,
            attempts: self.attempts,
            throttles: self.throttles,
            refusals_in_stream: self.refusals_in_stream,
            server_errors: self.server_errors,
            faults: self.faults,
            sdk_retries: self.sdk_retries,
            spilled: self.spilled,
            waits: self.waits.as_deref().map(|waits| Box::new(Times::of(waits))),
            added_wait: Times::of(&self.added_wait),
            first_token: Times::of(&self.first_token),
            total: Times::of(&self.total),
            input_tokens: self.input_tokens,
            cached_tokens: self.cached_tokens,
            output_tokens: self.output_tokens,
        }
    }
}

impl<T> ClassTally<T> {
    /// Requests whose end is known: one in flight may still go either way.
    pub(crate) const fn ended(&self) -> u64 {
        self.succeeded + self.given_up.total()
    }
}

/// Requests that ended without success, by what the application saw last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct GivenUp {
    /// A 429: the balancer's, or a backend's without one.
    pub throttled: u64,
    /// A 5xx.
    pub server_error: u64,
    /// No answer: a connection that failed, or a timeout.
    pub fault: u64,
    /// A 200 that held a refusal.
    pub refused_in_stream: u64,
    /// Nothing before the caller's deadline.
    pub deadline: u64,
}

impl GivenUp {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.throttled + self.server_error + self.fault + self.refused_in_stream + self.deadline
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            throttled: self.throttled + other.throttled,
            server_error: self.server_error + other.server_error,
            fault: self.fault + other.fault,
            refused_in_stream: self.refused_in_stream + other.refused_in_stream,
            deadline: self.deadline + other.deadline,
        }
    }
}

/// What one backend got and gave after the warm-up. Attempts are counted when they are sent, answers when they are
/// given, tokens when they are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BackendTally {
    /// Requests that came.
    pub attempts: u64,
    /// Let in.
    pub accepted: u64,
    /// 429s.
    pub throttles: u64,
    /// Refusals inside a 200.
    pub refusals_in_stream: u64,
    /// 5xx of a fault.
    pub server_errors: u64,
    /// Requests that found no backend, or got no answer.
    pub faults: u64,
    /// Served to the last token for a caller who was still there.
    pub succeeded: u64,
    /// Tokens that admission reserved for the accepted requests, in the limit's unit (on a PTU: input tokens).
    pub estimated_tokens: u64,
    /// What they turned out to need, in the same unit.
    pub used_tokens: u64,
    /// What was reserved and not needed, in the same unit.
    pub wasted_tokens: u64,
    /// Tokens of what was served, as pay as you go bills them (on a PTU they cost nothing): uncached prompts.
    pub billed_input: u64,
    /// Cached prompts.
    pub billed_cached: u64,
    /// Completions.
    pub billed_output: u64,
    /// Time during which a pool had this backend out, summed over the pools, in nanoseconds.
    pub cooling: u128,
    /// Time during which a pool suspected this backend, summed over the pools, in nanoseconds.
    pub suspect: u128,
    /// Samples at equal distances in time.
    pub samples: u64,
    /// Utilisation of the fullest limit, in thousandths, at 5 %, 50 %, 95 % and 100 % of the samples: filled in at the
    /// end.
    pub utilisation: [u64; 4],
    /// Mean utilisation of the fullest limit over the samples, in thousandths.
    pub mean_utilisation: u64,
    /// The time integral of requests being served, in request-nanoseconds.
    pub busy: u128,
}

/// What one worker's callers got after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WorkerTally {
    /// Requests that it took.
    pub offered: u64,
    /// Answered to the last token.
    pub succeeded: u64,
    /// Requests that backends got from it.
    pub attempts: u64,
    /// 429s that backends gave it.
    pub throttles: u64,
    /// Requests that ended with a 429 at the application.
    pub application_429s: u64,
}
