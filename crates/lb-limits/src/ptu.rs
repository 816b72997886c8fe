use crate::{
    MINUTE, SECOND,
    bucket::Bucket,
    demand::{Demand, Usage},
};

/// The rules of a provisioned deployment: a leaky bucket of work.
///
/// From Microsoft Learn, "Provisioned throughput", "Utilization enforcement":
///
/// 1. above 100 % utilisation a request is refused, with the time until it is no longer above;
/// 2. otherwise it is accepted, whatever its size, and utilisation rises by an estimate;
/// 3. on completion the estimate is corrected to the actual cost, up or down;
/// 4. utilisation falls continuously, at a rate given by the number of PTUs.
///
/// Work is counted in input tokens. An output token counts as `output_ratio` of them, and the depth of the bucket,
/// which is not documented, is `burst_ns` of drain.
///
/// ```
/// use lb_limits::{Demand, Ptu, SECOND};
///
/// // 10 PTUs of a model with 3,000 input tokens per minute and PTU: 500 tokens drain per second.
/// let ptu = Ptu::new(10, 3_000).output_ratio(4).burst_ns(10 * SECOND);
/// let demand = Demand { input_tokens: 2_048, cached_tokens: 1_024, max_tokens: Some(100), ..Demand::default() };
/// assert_eq!(ptu.estimate(&demand), 1_024 + 4 * 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Ptu {
    /// Provisioned throughput units. Zero never drains.
    pub ptus: u64,
    /// Input tokens per minute that one PTU works off.
    pub input_tpm_per_ptu: u64,
    /// Input tokens that one output token counts as. Default: 4.
    pub output_ratio: u64,
    /// Depth of the bucket: 100 % utilisation is what drains in this time. Default: 10 s.
    pub burst_ns: u64,
    /// The estimate's output tokens if a request has no `max_tokens`. Default: 1,000.
    pub default_max_tokens: u64,
    /// Cached prompt tokens are deducted from this many on. Default: 1,024, as documented.
    pub cache_min: u64,
}

impl Ptu {
    /// Input tokens that one output token counts as, unless the model says otherwise.
    pub const DEFAULT_OUTPUT_RATIO: u64 = 4;

    /// Depth of the bucket, in nanoseconds of drain, unless somebody has measured it.
    pub const DEFAULT_BURST_NS: u64 = 10 * SECOND;

    /// `ptus` units of a model with `input_tpm_per_ptu`, and the documented or common values for the rest.
    pub fn new(ptus: u64, input_tpm_per_ptu: u64) -> Self {
        Self {
            ptus,
            input_tpm_per_ptu,
            output_ratio: Self::DEFAULT_OUTPUT_RATIO,
            burst_ns: Self::DEFAULT_BURST_NS,
            default_max_tokens: 1_000,
            cache_min: 1_024,
        }
    }

    /// Sets the input tokens that one output token counts as; default: 4.
    #[must_use]
    pub fn output_ratio(mut self, ratio: u64) -> Self {
        self.output_ratio = ratio;
        self
    }

    /// Sets the depth of the bucket in nanoseconds of drain; default: 10 s.
    #[must_use]
    pub fn burst_ns(mut self, burst_ns: u64) -> Self {
        self.burst_ns = burst_ns;
        self
    }

    /// Sets the output tokens assumed for a request without `max_tokens`; default: 1,000.
    #[must_use]
    pub fn default_max_tokens(mut self, tokens: u64) -> Self {
        self.default_max_tokens = tokens;
        self
    }

    /// Sets how many cached tokens a prompt needs for them to be deducted; default: 1,024.
    #[must_use]
    pub fn cache_min(mut self, tokens: u64) -> Self {
        self.cache_min = tokens;
        self
    }

    /// Input tokens that an arriving request is charged with: uncached input + `output_ratio` x `max_tokens`.
    /// Saturates.
    #[inline]
    pub fn estimate(&self, demand: &Demand) -> u64 {
        let output = demand.max_tokens.unwrap_or(self.default_max_tokens);
        self.work(demand.input_tokens, demand.cached_tokens, output)
    }

    /// Input tokens that a completed request did cost: uncached input + `output_ratio` x output. Saturates.
    #[inline]
    pub fn cost(&self, usage: &Usage) -> u64 {
        self.work(usage.input_tokens, usage.cached_tokens, usage.output_tokens)
    }

    #[inline]
    fn work(&self, input: u64, cached: u64, output: u64) -> u64 {
        let deducted = if cached >= self.cache_min { cached } else { 0 };
        input.saturating_sub(deducted).saturating_add(self.output_ratio.saturating_mul(output))
    }

    /// Input tokens that drain in a minute.
    #[inline]
    fn tokens_per_minute(&self) -> u64 {
        self.ptus.saturating_mul(self.input_tpm_per_ptu)
    }
}

/// A [`Ptu`] with its bucket. A part is a token divided by the nanoseconds of a minute, so that a nanosecond drains
/// `tokens_per_minute` of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PtuMeter {
    rules: Ptu,
    /// How much is let in at once, in parts.
    depth: u128,
    bucket: Bucket,
}

impl PtuMeter {
    pub(crate) fn new(rules: Ptu) -> Self {
        let drain = rules.tokens_per_minute();
        Self { rules, depth: u128::from(drain) * u128::from(rules.burst_ns), bucket: Bucket::new(drain) }
    }

    pub(crate) fn rules(&self) -> &Ptu {
        &self.rules
    }

    #[inline]
    pub(crate) fn admits_at(&self, now: u64) -> Option<u64> {
        self.bucket.falls_to(self.depth, now)
    }

    #[inline]
    pub(crate) fn charge(&mut self, now: u64, demand: &Demand) {
        self.bucket.raise(now, parts(self.rules.estimate(demand)));
    }

    #[inline]
    pub(crate) fn correct(&mut self, now: u64, demand: &Demand, usage: &Usage) {
        let (estimate, cost) = (self.rules.estimate(demand), self.rules.cost(usage));
        if cost > estimate {
            self.bucket.raise(now, parts(cost - estimate));
        } else {
            self.bucket.lower(now, parts(estimate - cost));
        }
    }

    /// Tokens at 100 % utilisation, rounded down.
    pub(crate) fn limit(&self) -> u64 {
        tokens(self.depth)
    }

    /// Tokens until 100 %, rounded down.
    pub(crate) fn remaining(&self, now: u64) -> u64 {
        tokens(self.depth.saturating_sub(self.bucket.level(now)))
    }

    pub(crate) fn resets_at(&self, now: u64) -> Option<u64> {
        self.bucket.falls_to(0, now)
    }

    pub(crate) fn used_per_mille(&self, now: u64) -> u64 {
        let (level, depth) = (self.bucket.level(now), self.depth);
        if level == 0 {
            return 0;
        }
        let used = match level.checked_mul(1_000) {
            Some(scaled) => scaled.checked_div(depth),
            None => level.checked_div(depth / 1_000),
        };
        used.and_then(|used| u64::try_from(used).ok()).unwrap_or(u64::MAX)
    }
}

fn parts(tokens: u64) -> u128 {
    u128::from(tokens) * u128::from(MINUTE)
}

fn tokens(parts: u128) -> u64 {
    u64::try_from(parts / u128::from(MINUTE)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_deducted_from_1024_on_and_never_below_zero() {
        let ptu = Ptu::new(1, 1);
        let demand =
            |cached_tokens| Demand { input_tokens: 2_000, cached_tokens, max_tokens: Some(10), ..Demand::default() };
        assert_eq!(ptu.estimate(&demand(1_023)), 2_040);
        assert_eq!(ptu.estimate(&demand(1_024)), 976 + 40);
        assert_eq!(ptu.estimate(&demand(9_999)), 40);
    }

    #[test]
    fn without_max_tokens_the_default_is_estimated() {
        let ptu = Ptu::new(1, 1).default_max_tokens(50).output_ratio(8);
        let demand = Demand { max_tokens: None, ..Demand::tokens(100) };
        assert_eq!(ptu.estimate(&demand), 500);
    }

    #[test]
    fn utilisation_is_the_level_over_the_depth() {
        // 60,000 tokens a minute are 1,000 a second; a depth of 10 s is 10,000 tokens.
        let mut meter = PtuMeter::new(Ptu::new(20, 3_000).burst_ns(10 * SECOND));
        assert_eq!((meter.limit(), meter.used_per_mille(0)), (10_000, 0));
        meter.charge(0, &Demand::tokens(1_230));
        assert_eq!(meter.used_per_mille(0), 123);
        assert_eq!(meter.remaining(0), 8_770);
        assert_eq!(meter.resets_at(0), Some(1_230_000_000));
    }
}
