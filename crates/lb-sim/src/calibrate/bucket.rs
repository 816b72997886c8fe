//! The level of the bucket at every decision, replayed from the accepted requests.

use lb_limits::{Chain, Demand, Ptu, Usage, azure_ptu};

use super::calibration::HintUnit;
use crate::log::{Attempt, Log};

/// What the service is taken to reserve when a request arrives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Charge {
    /// Multiplies the estimate.
    pub(super) bias: f64,
    /// The estimate's `max_tokens` where the request says nothing.
    pub(super) default_max_tokens: f64,
}

/// A log that is ready to be replayed.
#[derive(Debug)]
pub(super) struct BucketReplay<'l> {
    /// Ends before starts at the same moment, in order of time.
    steps: Vec<(u64, ReplayStep<'l>)>,
    /// The rules, with a depth that admits everything.
    ptu: Ptu,
    /// Tokens of an accepted request that does not say: prompt, completion.
    typical: (u64, u64),
}

#[derive(Debug, Clone, Copy)]
enum ReplayStep<'l> {
    End(&'l Attempt),
    Accepted(&'l Attempt),
    Refused(&'l Attempt),
}

/// One decision of the service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decision {
    /// The level when it was made, in seconds of drain.
    pub(super) level: f64,
    /// Whether it was a refusal.
    pub(super) refused: bool,
    /// What a usable hint said, in seconds.
    pub(super) hint: Option<f64>,
}

impl<'l> BucketReplay<'l> {
    pub(super) fn new(log: &'l Log, ptu: &Ptu) -> Self {
        let mut steps = Vec::with_capacity(2 * log.attempts().len());
        for attempt in log.attempts() {
            if attempt.is_accepted() {
                steps.push((attempt.start, ReplayStep::Accepted(attempt)));
                steps.push((attempt.end, ReplayStep::End(attempt)));
            } else if attempt.is_refused() {
                steps.push((attempt.start, ReplayStep::Refused(attempt)));
            }
        }
        // Stable: at one moment ends go first, then the order of the log.
        steps.sort_by_key(|(at, step)| (*at, !matches!(step, ReplayStep::End(_))));
        Self { steps, ptu: ptu.burst_ns(u64::MAX), typical: typical(log) }
    }

    /// The decisions in order of time, under this charge.
    pub(super) fn decisions(&self, charge: Charge, hints: &HintUnit) -> Vec<Decision> {
        let ptu = self.ptu.default_max_tokens(whole(charge.default_max_tokens));
        let mut chain = azure_ptu(ptu);
        let mut decisions = Vec::with_capacity(self.steps.len());
        for (at, step) in &self.steps {
            match step {
                ReplayStep::End(attempt) => {
                    let usage = self.usage(attempt);
                    chain.correct(*at, &self.demand(&ptu, attempt, charge), &usage);
                }
                ReplayStep::Accepted(attempt) => {
                    decisions.push(Decision { level: level(&chain, *at), refused: false, hint: None });
                    // It never refuses: the depth is 584 years.
                    let _ = chain.admit(*at, &self.demand(&ptu, attempt, charge));
                }
                ReplayStep::Refused(attempt) => decisions.push(Decision {
                    level: level(&chain, *at),
                    refused: true,
                    hint: attempt.hint_ms.filter(|hint| hints.is_usable(*hint)).map(|hint| hint as f64 / 1e3),
                }),
            }
        }
        decisions
    }

    /// A demand that is charged with the biased estimate: nothing but prompt tokens.
    fn demand(&self, ptu: &Ptu, attempt: &Attempt, charge: Charge) -> Demand {
        let usage = self.usage(attempt);
        let estimate = ptu.estimate(&Demand {
            tokens: 0,
            input_tokens: usage.input_tokens,
            cached_tokens: usage.cached_tokens,
            max_tokens: attempt.max_tokens,
        });
        Demand::tokens(whole(estimate as f64 * charge.bias))
    }

    fn usage(&self, attempt: &Attempt) -> Usage {
        Usage {
            input_tokens: attempt.prompt_tokens.unwrap_or(self.typical.0),
            cached_tokens: attempt.cached_tokens,
            output_tokens: attempt.completion_tokens.unwrap_or(self.typical.1),
        }
    }
}

/// The level in seconds of drain: how long until the bucket is empty.
fn level(chain: &Chain, now: u64) -> f64 {
    let empty_at = chain.limits().first().and_then(|limit| limit.resets_at(now));
    (empty_at.unwrap_or(u64::MAX) - now) as f64 / 1e9
}

/// The mean tokens of the accepted requests that say them.
fn typical(log: &Log) -> (u64, u64) {
    let mean = |of: fn(&Attempt) -> Option<u64>| {
        let accepted = log.attempts().iter().filter(|attempt| attempt.is_accepted());
        let (count, sum) = accepted.filter_map(of).fold((0_u64, 0_u64), |(n, sum), v| (n + 1, sum.saturating_add(v)));
        sum.checked_div(count).unwrap_or(0)
    };
    (mean(|attempt| attempt.prompt_tokens), mean(|attempt| attempt.completion_tokens))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
fn whole(value: f64) -> u64 {
    (value + 0.5) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_rises_by_the_estimate_and_is_corrected_at_the_end() {
        // 60,000 tokens a minute: 1,000 a second.
        let ptu = Ptu::new(20, 3_000).output_ratio(4);
        let log = Log::parse(
            "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms\n\
             0,2,2000,0,1000,100,200,\n\
             1,,,,,,429,1500\n\
             2,2,0,0,0,0,200,\n\
             3,,,,,,429,\n",
        )
        .unwrap();
        let replay = BucketReplay::new(&log, &ptu);
        let levels = |charge| -> Vec<f64> {
            replay.decisions(charge, &HintUnit::Milliseconds).iter().map(|decision| decision.level).collect()
        };
        // 6 s are charged; at 2 s the level is 4 s and falls by 3.6 s, to what the request did cost.
        assert_eq!(levels(Charge { bias: 1.0, default_max_tokens: 0.0 }), [0.0, 5.0, 0.4, 0.0]);
        assert_eq!(levels(Charge { bias: 2.0, default_max_tokens: 0.0 }), [0.0, 11.0, 0.4, 0.0]);
    }
}
