use std::{
    io::Write as _,
    time::{Duration, SystemTime},
};

use lb_core::Headers;
use lb_limits::{Chain, Counter, HeaderValue, Hint, NEVER_NS, SECOND, Unit};

use crate::scenario::{HintPolicy, Hints, Remaining};

/// What the headers of a refusal tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Advice {
    /// How long to wait.
    pub(crate) hint: Hint,
    /// What is left of the requests.
    pub(crate) requests: Option<Counter>,
    /// What is left of the tokens.
    pub(crate) tokens: Option<Counter>,
}

impl Advice {
    /// What a backend with these hints tells, if the wait really is `hint` nanoseconds (`None`: for ever).
    pub(crate) fn new(hints: &Hints, constant: u64, hint: Option<u64>) -> Self {
        let exact = hint.unwrap_or(NEVER_NS);
        let told = match hints.policy {
            HintPolicy::Exact => exact,
            HintPolicy::Ceiling => exact.div_ceil(SECOND).saturating_mul(SECOND),
            HintPolicy::Constant => constant,
            HintPolicy::Optimistic => exact.min(constant),
            HintPolicy::Zero => 0,
            HintPolicy::None => return Self::default(),
        };
        Self::saying(hints, Duration::from_nanos(told))
    }

    /// What a backend with these hints tells of exactly this wait.
    pub(crate) fn saying(hints: &Hints, wait: Duration) -> Self {
        Self { hint: Hint::new(hints.form, wait, SystemTime::UNIX_EPOCH), ..Self::default() }
    }

    /// With what the counters of these limits tell at `now`. A PTU's bucket has none.
    pub(crate) fn with_counters(mut self, meaning: Remaining, chain: &Chain, now: u64) -> Self {
        if meaning == Remaining::None {
            return self;
        }
        for limit in chain.limits().iter().filter(|limit| limit.window().is_some()) {
            let counter = match meaning {
                Remaining::Documented => Counter { limit: None, ..Counter::of(limit, now) },
                // What is quoted is a bucket of less than a second, which is full again before anybody reads it.
                Remaining::Observed | Remaining::None => Counter { limit: None, remaining: limit.limit(), reset: 0 },
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

    /// Whether the balancer looks into a stream whose head tells this.
    pub(crate) fn announces_refusal(self) -> bool {
        lb_core::announces_refusal(200, &StreamLines(HeaderLines(self)))
    }

    /// Names and values of the headers.
    fn headers(self) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        let of = |counter: Option<Counter>, unit| counter.into_iter().flat_map(move |counter| counter.headers(unit));
        self.hint.headers().chain(of(self.requests, Unit::Requests)).chain(of(self.tokens, Unit::Tokens))
    }
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

/// The same at the head of a stream.
struct StreamLines(HeaderLines);

impl Headers for StreamLines {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        match name {
            "content-type" => visit(b"text/event-stream"),
            _ => self.0.visit(name, visit),
        }
    }
}

/// The length of the longest value, a date.
const LONGEST_VALUE: usize = 29;

impl Headers for HeaderLines {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if let Some((_, value)) = self.0.headers().find(|(told, _)| *told == name) {
            let mut bytes = [0; LONGEST_VALUE];
            let mut rest = &mut bytes[..];
            // Every value fits.
            let _ = write!(rest, "{value}");
            let length = LONGEST_VALUE - rest.len();
            visit(&bytes[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use lb_limits::HintForm;

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
        assert_eq!(heard(HintPolicy::Exact, HintForm::MillisAlone, wait), Some(Duration::from_millis(3_001)));
        assert_eq!(heard(HintPolicy::Exact, HintForm::Millis, wait), Some(Duration::from_millis(3_001)));
        assert_eq!(heard(HintPolicy::Exact, HintForm::Seconds, wait), Some(Duration::from_secs(4)));
        assert_eq!(heard(HintPolicy::Ceiling, HintForm::Millis, wait), Some(Duration::from_secs(4)));
        assert_eq!(heard(HintPolicy::Constant, HintForm::Millis, wait), Some(Duration::from_secs(2)));
        assert_eq!(heard(HintPolicy::Optimistic, HintForm::Millis, wait), Some(Duration::from_secs(2)));
        assert_eq!(heard(HintPolicy::Optimistic, HintForm::Millis, Some(SECOND)), Some(Duration::from_secs(1)));
        assert_eq!(heard(HintPolicy::Zero, HintForm::Millis, wait), Some(Duration::ZERO));
        assert_eq!(heard(HintPolicy::None, HintForm::Millis, wait), None);
        assert_eq!(heard(HintPolicy::Exact, HintForm::Millis, None), Some(Duration::from_secs(86_400)));
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
