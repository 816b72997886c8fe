use std::io::Write as _;

use lb_core::Headers;
use lb_limits::{Chain, Unit};

use crate::scenario::{HintForm, HintPolicy, Hints, Remaining};

/// What a refusal tells about the time to wait, in whole units as the headers have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Advice {
    /// `retry-after-ms`.
    pub(crate) millis: Option<u64>,
    /// `retry-after`.
    pub(crate) seconds: Option<u64>,
    /// `x-ratelimit-remaining-requests` and `x-ratelimit-reset-requests`.
    pub(crate) requests: Option<Counter>,
    /// `x-ratelimit-remaining-tokens` and `x-ratelimit-reset-tokens`.
    pub(crate) tokens: Option<Counter>,
}

/// What the headers of one rate limit tell; numbers above 32 bits are told as the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Units that are left.
    pub(crate) remaining: u32,
    /// Seconds until all are.
    pub(crate) reset: u32,
}

/// What Azure OpenAI was seen to answer to a prompt that can never be let in.
const NEVER_SECONDS: u64 = 86_400;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

impl Advice {
    /// What a backend with these hints tells, if the wait really is `hint` nanoseconds (`None`: for ever).
    pub(crate) fn new(hints: &Hints, constant: u64, hint: Option<u64>) -> Self {
        let exact = hint.unwrap_or(NEVER_SECONDS * SECOND);
        let told = match hints.policy {
            HintPolicy::Exact => exact,
            HintPolicy::Ceiling => exact.div_ceil(SECOND).saturating_mul(SECOND),
            HintPolicy::Constant => constant,
            HintPolicy::Optimistic => exact.min(constant),
            HintPolicy::Zero => 0,
            HintPolicy::None => return Self::default(),
        };
        let millis = Some(told.div_ceil(MILLI)).filter(|_| hints.form != HintForm::Seconds);
        let seconds = Some(told.div_ceil(SECOND)).filter(|_| hints.form != HintForm::Ms);
        Self { millis, seconds, ..Self::default() }
    }

    /// With what the counters of these limits tell at `now`. A PTU's bucket has none.
    pub(crate) fn with_counters(mut self, meaning: Remaining, chain: &Chain, now: u64) -> Self {
        if meaning == Remaining::None {
            return self;
        }
        for limit in chain.limits().iter().filter(|limit| limit.window().is_some()) {
            let counter = match meaning {
                Remaining::Documented => Counter {
                    remaining: narrow(limit.remaining(now)),
                    reset: narrow(limit.resets_at(now).map_or(u64::MAX, |at| at.saturating_sub(now).div_ceil(SECOND))),
                },
                // What is quoted is a bucket of less than a second, which is full again before anybody reads it.
                Remaining::Observed | Remaining::None => Counter { remaining: narrow(limit.limit()), reset: 0 },
            };
            let slot = match limit.unit() {
                Unit::Requests => &mut self.requests,
                Unit::Tokens => &mut self.tokens,
            };
            // Of several limits on one unit the emptiest is told.
            if slot.is_none_or(|told| counter.remaining < told.remaining) {
                *slot = Some(counter);
            }
        }
        self
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The headers of a refusal, as bytes on the wire: they go through lb-core's parser like a real response's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderLines(Advice);

impl HeaderLines {
    /// The lines that tell this.
    pub(crate) const fn new(advice: Advice) -> Self {
        Self(advice)
    }
}

impl Headers for HeaderLines {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        let Self(advice) = self;
        let remaining = |counter: Option<Counter>| counter.map(|counter| u64::from(counter.remaining));
        let reset = |counter: Option<Counter>| counter.map(|counter| u64::from(counter.reset));
        let number = match name {
            "retry-after-ms" => advice.millis,
            "retry-after" => advice.seconds,
            "x-ratelimit-remaining-requests" => remaining(advice.requests),
            "x-ratelimit-reset-requests" => reset(advice.requests),
            "x-ratelimit-remaining-tokens" => remaining(advice.tokens),
            "x-ratelimit-reset-tokens" => reset(advice.tokens),
            _ => None,
        };
        if let Some(number) = number {
            let digits = Digits::new(number);
            visit(&digits.bytes[..digits.length]);
        }
    }
}

/// A number in decimal digits.
#[derive(Debug)]
struct Digits {
    bytes: [u8; 20],
    length: usize,
}

impl Digits {
    fn new(number: u64) -> Self {
        let mut bytes = [0; 20];
        let mut rest = &mut bytes[..];
        // 20 digits hold every number.
        let _ = write!(rest, "{number}");
        let length = 20 - rest.len();
        Self { bytes, length }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::scenario::Span;

    fn heard(policy: HintPolicy, form: HintForm, hint: Option<u64>) -> Option<Duration> {
        let hints = Hints { policy, form, constant: Some(Span::from_secs(2)), ..Hints::default() };
        let lines = HeaderLines::new(Advice::new(&hints, 2 * SECOND, hint));
        lb_core::hint(429, &lines, || SystemTime::UNIX_EPOCH).map(|hint| hint.delay())
    }

    #[test]
    fn the_balancer_hears_what_the_policy_tells() {
        let wait = Some(3 * SECOND + 1);
        assert_eq!(heard(HintPolicy::Exact, HintForm::Ms, wait), Some(Duration::from_millis(3_001)));
        assert_eq!(heard(HintPolicy::Exact, HintForm::Both, wait), Some(Duration::from_millis(3_001)));
        assert_eq!(heard(HintPolicy::Exact, HintForm::Seconds, wait), Some(Duration::from_secs(4)));
        assert_eq!(heard(HintPolicy::Ceiling, HintForm::Both, wait), Some(Duration::from_secs(4)));
        assert_eq!(heard(HintPolicy::Constant, HintForm::Both, wait), Some(Duration::from_secs(2)));
        assert_eq!(heard(HintPolicy::Optimistic, HintForm::Both, wait), Some(Duration::from_secs(2)));
        assert_eq!(heard(HintPolicy::Optimistic, HintForm::Both, Some(SECOND)), Some(Duration::from_secs(1)));
        assert_eq!(heard(HintPolicy::Zero, HintForm::Both, wait), Some(Duration::ZERO));
        assert_eq!(heard(HintPolicy::None, HintForm::Both, wait), None);
        assert_eq!(heard(HintPolicy::Exact, HintForm::Both, None), Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn without_a_hint_the_balancer_waits_for_the_counter_that_is_empty() {
        let minute = 60 * SECOND;
        let mut chain = lb_limits::azure_standard(1_000, 600, 0);
        let demand = lb_limits::Demand::tokens(1_000);
        assert!(chain.admit(5 * SECOND, &demand).is_ok());
        let heard = |meaning| {
            let advice = Advice::default().with_counters(meaning, &chain, 20 * SECOND);
            lb_core::hint(429, &HeaderLines::new(advice), || SystemTime::UNIX_EPOCH).map(|hint| hint.delay())
        };
        assert_eq!(heard(Remaining::Documented), Some(Duration::from_nanos(minute - 20 * SECOND)));
        // As measured on a live deployment they say nothing about the wait.
        assert_eq!(heard(Remaining::Observed), None);
        assert_eq!(heard(Remaining::None), None);
        let ptu = lb_limits::azure_ptu(lb_limits::Ptu::new(10, 3_000));
        assert_eq!(Advice::default().with_counters(Remaining::Documented, &ptu, 0), Advice::default());
    }
}
