//! Numbers of tokens: the distributions a scenario can name, ready to be drawn from.

use std::sync::Arc;

use super::{
    Arrival, Size, Trace,
    exponential::exponential,
    quantile::{PER_53_BITS, QuantileTable, normal, normal_share_below},
};
use crate::{random, scenario};

/// A distribution of numbers of tokens.
#[derive(Debug, Clone)]
pub(super) enum LengthDraw {
    Constant(u64),
    Lognormal(LognormalDraw),
    /// Of this mean.
    Exponential(f64),
    Quantiles(QuantileTable),
    /// Input, output and cached tokens of a line of a trace.
    Resampled(Arc<Trace>),
}

/// A lognormal distribution behind a table.
///
/// The quantile function is tabulated at 4,097 points and linear in between; a draw in one of the 64 outer cells on
/// either side (3 % of all) is computed exactly. The error of a value is below 1e-4 of it for `sigma` up to 2, and
/// shrinks with it: it cannot be seen in a whole number of tokens below 5,000.
#[derive(Debug, Clone)]
pub(super) struct LognormalDraw {
    mu: f64,
    sigma: f64,
    max: f64,
    values: Vec<f64>,
}

/// Cells of the table; a power of two, so that the upper bits of a draw are its cell.
const CELLS: u64 = 1 << CELL_BITS;
const CELL_BITS: u32 = 12;
/// Cells on either side where the quantile function bends too much for a line.
const OUTER: u64 = 64;

impl LognormalDraw {
    pub(super) fn new(spec: scenario::Lognormal) -> Self {
        let mu = libm::log(spec.mean) - spec.sigma * spec.sigma / 2.0;
        let max = spec.max.map_or(f64::INFINITY, |max| max as f64);
        let mut built = Self { mu, sigma: spec.sigma, max, values: Vec::new() };
        // The first and the last value are infinite or zero, and never read.
        built.values = (0..=CELLS)
            .map(|at| if at == 0 || at == CELLS { 0.0 } else { built.quantile(at as f64 / CELLS as f64) })
            .collect();
        built
    }

    fn quantile(&self, p: f64) -> f64 {
        libm::exp(self.mu + self.sigma * normal(p))
    }

    #[inline]
    fn at(&self, bits: u64) -> f64 {
        let cell = bits >> (64 - CELL_BITS);
        let value = if cell.wrapping_sub(OUTER) < CELLS - 2 * OUTER {
            let within = (bits << CELL_BITS >> 11) as f64 * PER_53_BITS;
            let cell = cell as usize;
            let low = self.values[cell];
            low + within * (self.values[cell + 1] - low)
        } else {
            self.quantile(random::unit(bits))
        };
        value.min(self.max)
    }

    /// The mean, with all that lies above the largest value taken down to it.
    fn mean(&self) -> f64 {
        let mean = libm::exp(self.mu + self.sigma * self.sigma / 2.0);
        if self.max.is_infinite() || self.sigma == 0.0 {
            return mean.min(self.max);
        }
        let z = (libm::log(self.max) - self.mu) / self.sigma;
        mean * normal_share_below(z - self.sigma) + self.max * normal_share_below(-z)
    }
}

impl LengthDraw {
    /// The length at 64 uniform bits; of a trace's line its input.
    #[inline]
    pub(super) fn at(&self, bits: u64) -> u64 {
        match self {
            Self::Constant(length) => *length,
            // A lognormal length is never zero, so that rounding makes no empty prompts.
            Self::Lognormal(lognormal) => tokens(lognormal.at(bits)).max(1),
            Self::Exponential(mean) => tokens(mean * exponential(random::unit(bits))),
            Self::Quantiles(table) => tokens(table.at(bits)),
            Self::Resampled(trace) => u64::from(trace.row_at(bits).input),
        }
    }

    /// Gives each request the length at the bits of its number.
    pub(super) fn each(&self, requests: &mut [Arrival], bits: impl Fn(u64) -> u64, put: impl Fn(&mut Size, u64)) {
        /// One loop for each kind of length.
        #[inline(always)]
        fn all(requests: &mut [Arrival], put: impl Fn(&mut Size, u64), length: impl Fn(u64) -> u64) {
            requests.iter_mut().for_each(|request| put(&mut request.size, length(request.number)));
        }
        match self {
            Self::Constant(length) => all(requests, put, |_| *length),
            Self::Quantiles(table) => all(requests, put, |number| tokens(table.at(bits(number)))),
            _ => all(requests, put, |number| self.at(bits(number))),
        }
    }

    /// The mean; of a trace's lines what `of` reads.
    pub(super) fn mean(&self, of: fn(&super::Row) -> u32) -> f64 {
        match self {
            Self::Constant(length) => *length as f64,
            Self::Lognormal(lognormal) => lognormal.mean(),
            Self::Exponential(mean) => *mean,
            Self::Quantiles(table) => table.mean(),
            Self::Resampled(trace) => {
                trace.rows().iter().map(|row| f64::from(of(row))).sum::<f64>() / trace.rows().len() as f64
            }
        }
    }
}

/// The nearest whole number of tokens; none if negative.
#[inline]
pub(super) fn tokens(value: f64) -> u64 {
    super::nanos(value + 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Purpose};

    fn lognormal(mean: f64, sigma: f64, max: Option<u64>) -> LognormalDraw {
        LognormalDraw::new(scenario::Lognormal { mean, sigma, max })
    }

    #[test]
    fn the_lognormal_table_is_within_a_ten_thousandth_of_the_quantile() {
        for sigma in [0.1, 0.5, 1.0, 2.0] {
            let table = lognormal(1_000.0, sigma, None);
            let worst = (0..60_000_u64)
                .map(|i| {
                    let bits = Draws::new(1).bits(Purpose::Sample, 0, i);
                    (table.at(bits) / table.quantile(random::unit(bits)) - 1.0).abs()
                })
                .fold(0.0, f64::max);
            assert!(worst < 1e-4, "sigma {sigma}: {worst}");
            assert!(worst > 0.0, "nothing was interpolated");
        }
    }

    #[test]
    fn a_lognormal_length_has_its_mean_with_and_without_a_cap() {
        for (sigma, max) in [(0.5, None), (1.0, None), (1.0, Some(1_500)), (1.5, Some(300))] {
            let length = lognormal(800.0, sigma, max);
            let n = 150_000_u32;
            let sum: f64 = (0..u64::from(n)).map(|i| length.at(Draws::new(2).bits(Purpose::Sample, 1, i))).sum();
            let mean = sum / f64::from(n);
            // Four standard errors of the uncapped mean.
            let bound = 4.0 * libm::sqrt((libm::exp(sigma * sigma) - 1.0) / f64::from(n));
            assert!((mean / length.mean() - 1.0).abs() < bound, "{mean} beside {}", length.mean());
        }
        assert!(lognormal(800.0, 1.0, None).mean() > 799.99);
        assert_eq!(lognormal(800.0, 0.0, Some(500)).mean(), 500.0);
    }

    #[test]
    fn an_exponential_length_has_the_mean_and_the_spread_of_its_law() {
        let length = LengthDraw::Exponential(10_000.0);
        let n = 400_000_u32;
        let lengths = (0..u64::from(n)).map(|i| length.at(Draws::new(3).bits(Purpose::Sample, 2, i)) as f64);
        let (sum, squares) = lengths.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        let mean = sum / f64::from(n);
        let cv = libm::sqrt(squares / f64::from(n) - mean * mean) / mean;
        // Four standard errors: 1 / sqrt n of the mean, sqrt 2 times that of the cv.
        assert!((mean / 10_000.0 - 1.0).abs() < 4.0 / f64::from(n).sqrt(), "{mean}");
        assert!((cv - 1.0).abs() < 4.0 * (2.0 / f64::from(n)).sqrt(), "{cv}");
    }

    #[test]
    fn a_length_rounds_to_the_nearest_token_and_is_never_negative() {
        assert_eq!(tokens(0.49), 0);
        assert_eq!(tokens(0.5), 1);
        assert_eq!(tokens(-7.0), 0);
        assert_eq!(tokens(f64::INFINITY), i64::MAX.cast_unsigned());
        assert_eq!(LengthDraw::Lognormal(lognormal(0.01, 0.1, None)).at(7), 1);
    }
}
