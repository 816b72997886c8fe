use crate::{
    random::{Draws, Purpose},
    scenario::Model,
    traffic::{Size, quantile},
};

/// How long answers take.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    base: f64,
    per_input: f64,
    per_output: f64,
    first_noise: LatencyNoise,
    token_noise: LatencyNoise,
}

impl Latency {
    /// The latency of a model, at a deployment that takes `factor` times as long.
    pub(crate) fn new(model: &Model, factor: f64) -> Self {
        Self {
            base: model.ttft.base.as_nanos() as f64 * factor,
            per_input: model.ttft.per_1k_input.as_nanos() as f64 / 1_000.0 * factor,
            per_output: model.tpot.mean.as_nanos() as f64 * factor,
            first_noise: LatencyNoise::lognormal(model.ttft.sigma),
            token_noise: LatencyNoise::lognormal(model.tpot.sigma),
        }
    }

    /// When the first and the last token come, in nanoseconds from the start of the service.
    #[inline]
    pub(crate) fn draw(&self, size: &Size, (first, second): (u64, u64), slower: f64, draws: Draws) -> (u64, u64) {
        let uncached = size.input.saturating_sub(size.cached) as f64;
        let to_first = (self.base + self.per_input * uncached) * slower;
        let to_first = to_first * self.first_noise.factor(|| draws.bits(Purpose::FirstToken, first, second));
        let per_token = self.per_output * slower;
        let per_token = per_token * self.token_noise.factor(|| draws.bits(Purpose::PerToken, first, second));
        let to_last = to_first + per_token * size.output.saturating_sub(1) as f64;
        (nanos(to_first), nanos(to_last))
    }
}

/// By way of `i64`, whose conversion is one instruction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates at 292 years")]
#[inline]
fn nanos(time: f64) -> u64 {
    (time + 0.5) as i64 as u64
}

/// How many cells a table of noise has.
const CELLS: usize = 4_096;

/// Lognormal factors of mean 1, from a table: the middle of each of 4,096 equally likely cells, scaled so that the mean
/// is 1 to the last bit. The distribution ends at its 0.012 % and 99.988 % quantiles.
#[derive(Debug, Clone)]
enum LatencyNoise {
    None,
    Table(Box<[f64]>),
}

impl LatencyNoise {
    fn lognormal(sigma: f64) -> Self {
        if sigma == 0.0 {
            return Self::None;
        }
        let cells = CELLS as f64;
        let quantile = |cell: usize| libm::exp(sigma * quantile::normal((cell as f64 + 0.5) / cells));
        let raw: Vec<f64> = (0..CELLS).map(quantile).collect();
        let mean = raw.iter().sum::<f64>() / cells;
        Self::Table(raw.into_iter().map(|factor| factor / mean).collect())
    }

    #[inline]
    fn factor(&self, bits: impl FnOnce() -> u64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Table(table) => table[usize::try_from(bits() >> 52).unwrap_or(0) % CELLS],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_mean_one_and_the_spread_of_its_law() {
        let noise = LatencyNoise::lognormal(0.35);
        let LatencyNoise::Table(table) = &noise else { panic!("a table") };
        let mean = table.iter().sum::<f64>() / CELLS as f64;
        assert!((mean - 1.0).abs() < 1e-12);
        // The variance of a lognormal of mean 1 is exp(sigma^2) - 1 = 0.1303.
        let variance = table.iter().map(|factor| (factor - 1.0) * (factor - 1.0)).sum::<f64>() / CELLS as f64;
        assert!((variance - 0.1303).abs() < 0.001, "{variance}");
        assert!(noise.factor(|| 0) < 0.4 && noise.factor(|| u64::MAX) > 2.5);
    }

    #[test]
    fn without_noise_the_latency_is_the_formula() {
        let mut model = Model::built_in("gpt-4.1");
        (model.ttft.sigma, model.tpot.sigma) = (0.0, 0.0);
        let latency = Latency::new(&model, 2.0);
        let size = Size { input: 3_000, cached: 1_000, output: 11, max_tokens: None };
        let (first, last) = latency.draw(&size, (0, 0), 1.0, Draws::new(1));
        assert_eq!(first, 2 * (250_000_000 + 2 * 60_000_000));
        assert_eq!(last - first, 2 * 10 * 13_000_000);
    }
}
