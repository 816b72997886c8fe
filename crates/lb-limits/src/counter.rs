use std::time::Duration;

use crate::{
    SECOND,
    header::HeaderValue,
    hint::{NEVER_NS, whole_seconds},
    limit::Limit,
    window::Unit,
};

/// What the headers tell of one window: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`.
///
/// ```
/// use lb_limits::{Counter, Limit, SECOND, Unit, Window};
///
/// let counter = Counter::of(&Limit::from(Window::new(Unit::Requests, 20, 10 * SECOND)), 0);
/// let headers: Vec<_> = counter.headers(Unit::Requests).map(|(name, value)| format!("{name}: {value}")).collect();
/// assert_eq!(headers[0], "x-ratelimit-limit-requests: 20");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data, one field per header, that services fill in themselves too")]
pub struct Counter {
    /// Units of the whole limit; `None`: not told.
    pub limit: Option<u64>,
    /// Units that are left.
    pub remaining: u64,
    /// Seconds until the limit is whole again.
    pub reset: u64,
}

impl Counter {
    /// What is documented: the limit, what is left at `now` (nanoseconds), and when all of it is back, in whole seconds,
    /// rounded up.
    pub fn of(limit: &Limit, now: u64) -> Self {
        let reset_ns = limit.resets_at(now).map_or(NEVER_NS, |moment| moment.saturating_sub(now));
        Self { limit: Some(limit.limit()), remaining: limit.remaining(now), reset: reset_ns.div_ceil(SECOND) }
    }

    /// The counter of a limit that refuses for as long as `wait`.
    pub fn exhausted(limit: Option<u64>, wait: Duration) -> Self {
        Self { limit, remaining: 0, reset: whole_seconds(wait) }
    }

    /// Names and values of the headers.
    pub fn headers(self, unit: Unit) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        let names = match unit {
            Unit::Requests => {
                ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
            }
            Unit::Tokens => ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
        };
        let values = [self.limit, Some(self.remaining), Some(self.reset)];
        names.into_iter().zip(values).filter_map(|(name, value)| Some((name, HeaderValue::Number(value?))))
    }
}

/// The header that tells how much of a PTU bucket is used, from [`Limit::used_per_mille`].
pub fn utilisation_header(used_per_mille: u64) -> (&'static str, HeaderValue) {
    ("azure-openai-deployment-utilization", HeaderValue::Percent(used_per_mille))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Demand, azure_standard};

    fn told(counter: Counter, unit: Unit) -> Vec<String> {
        counter.headers(unit).map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_window_tells_its_limit_what_is_left_and_when_all_of_it_is_back() {
        let mut chain = azure_standard(1_000, 60, 0);
        assert!(chain.admit(5 * SECOND, &Demand::tokens(400)).is_ok());
        let [tokens, requests] = chain.limits() else { panic!("two limits") };
        let expected =
            ["x-ratelimit-limit-tokens: 1000", "x-ratelimit-remaining-tokens: 600", "x-ratelimit-reset-tokens: 55"];
        assert_eq!(told(Counter::of(tokens, 5 * SECOND + 1), Unit::Tokens), expected);
        let expected =
            ["x-ratelimit-limit-requests: 10", "x-ratelimit-remaining-requests: 9", "x-ratelimit-reset-requests: 5"];
        assert_eq!(told(Counter::of(requests, 5 * SECOND), Unit::Requests), expected);
    }

    #[test]
    fn an_exhausted_limit_has_nothing_left_until_its_wait_is_over() {
        let counter = Counter::exhausted(None, Duration::from_millis(1_500));
        assert_eq!(told(counter, Unit::Tokens), ["x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 2"]);
    }

    #[test]
    fn utilisation_is_a_percentage_with_one_decimal() {
        let (name, value) = utilisation_header(40_010);
        assert_eq!(format!("{name}: {value}"), "azure-openai-deployment-utilization: 4001.0%");
    }
}
