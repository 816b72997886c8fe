//! Which prompts are in the service's cache, where only the share of their tokens is known.

use super::length::LengthDraw;

/// A prompt has to be this long for any of it to be cached.
///
/// Source: Microsoft Learn, "Prompt caching with Azure OpenAI": a minimum of 1,024 tokens.
const LEAST: u64 = 1_024;

/// Lengths that stand for all of a distribution.
const SAMPLES: u64 = 1 << SAMPLE_BITS;
const SAMPLE_BITS: u32 = 13;

/// Draws which prompts hit the cache, each as a whole, so that a given share of all prompts' tokens is cached.
///
/// A share that was spread over all prompts would leave each of them with too few cached tokens for a PTU to deduct.
/// Prompts that are long enough for a cache hit first; shorter ones only if the others do not suffice, which a service
/// would not do, but the share is what was given.
#[derive(Debug, Clone)]
pub(super) struct CacheHits {
    /// Lengths, rising.
    lengths: Vec<u64>,
    /// The sum of the lengths from each place on, over that of all.
    above: Vec<f64>,
}

impl CacheHits {
    /// For prompts of these lengths, each as often as it stands there.
    pub(super) fn among(mut lengths: Vec<u64>) -> Self {
        lengths.sort_unstable();
        let total = lengths.iter().map(|&length| length as f64).sum::<f64>().max(1.0);
        let mut sum = 0.0;
        let mut above: Vec<f64> = lengths
            .iter()
            .rev()
            .map(|&length| {
                sum += length as f64;
                sum / total
            })
            .collect();
        above.reverse();
        Self { lengths, above }
    }

    /// For prompts that are drawn so.
    pub(super) fn of(length: &LengthDraw) -> Self {
        // In the middle of equal parts.
        Self::among((0..SAMPLES).map(|n| length.at((2 * n + 1) << (63 - SAMPLE_BITS))).collect())
    }

    /// How many tokens are cached of a prompt of `input` tokens, if `share` of all prompts' tokens are, and prompts are
    /// `scale` times as long as the lengths; `uniform` decides.
    pub(super) fn cached(&self, input: u64, share: f64, scale: f64, uniform: f64) -> u64 {
        let least = LEAST as f64 / scale;
        let place = self.lengths.partition_point(|&length| (length as f64) < least);
        let long = self.above.get(place).copied().unwrap_or(0.0);
        let chance = if input >= LEAST { share / long } else { (share - long) / (1.0 - long) };
        if uniform < chance { input } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::length::tokens, *};
    use crate::random::{Draws, Purpose};

    fn cached_share(lengths: &[u64], share: f64, scale: f64) -> (f64, f64) {
        let hits = CacheHits::among(lengths.to_vec());
        let (mut all, mut cached, mut short) = (0.0, 0.0, 0.0);
        for number in 0..200_000_u64 {
            let length = lengths[usize::try_from(number).unwrap() % lengths.len()];
            let input = tokens(length as f64 * scale);
            let found = hits.cached(input, share, scale, Draws::new(1).uniform(Purpose::Cached, 0, number));
            assert!(found == 0 || found == input, "a hit is whole");
            all += input as f64;
            cached += found as f64;
            short += if input < LEAST { found as f64 } else { 0.0 };
        }
        (cached / all, short / all)
    }

    #[test]
    fn long_prompts_hit_until_the_share_is_cached() {
        let (share, short) = cached_share(&[100, 500, 1_024, 4_000], 0.3, 1.0);
        assert!((share - 0.3).abs() < 0.01 && short == 0.0, "{share}, {short}");
        // At half the length only the longest is long enough: 4,000 of 5,624.
        let (share, short) = cached_share(&[100, 500, 1_024, 4_000], 0.7, 0.5);
        assert!((share - 0.7).abs() < 0.01 && short == 0.0, "{share}, {short}");
    }

    #[test]
    fn where_long_prompts_do_not_suffice_short_ones_hit_too() {
        let (share, short) = cached_share(&[100, 500, 1_024, 4_000], 0.95, 1.0);
        assert!((share - 0.95).abs() < 0.01 && short > 0.0, "{share}, {short}");
        let (share, _) = cached_share(&[200], 0.3, 1.0);
        assert!((share - 0.3).abs() < 0.01, "{share}");
        assert_eq!(cached_share(&[200, 5_000], 0.0, 1.0).0, 0.0);
        assert_eq!(cached_share(&[200, 5_000], 1.0, 1.0).0, 1.0);
    }
}
