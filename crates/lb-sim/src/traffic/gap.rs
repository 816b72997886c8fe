//! Gaps between arrivals, with a mean of 1.

use super::{exponential::exponential, quantile};
use crate::random::{self, Draws, Purpose};

/// The gaps of a renewal process with mean 1 and a given coefficient of variation.
///
/// A `cv` of 0 gives equal gaps, 1 exponential ones, anything else gamma-distributed ones with shape 1 / cv². Gamma
/// variates come from Marsaglia and Tsang's method (ACM TOMS 26, 2000), for a shape below 1 with their boost: it is exact
/// for every shape, where a table would miss the few long gaps that carry a bursty stream's mean. Each gap has
/// its own key, and inside it as many numbers as the method takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gaps {
    Equal,
    Exponential,
    Gamma { shape: f64 },
}

impl Gaps {
    pub(super) fn new(cv: f64) -> Self {
        if cv == 0.0 {
            Self::Equal
        } else if cv == 1.0 {
            Self::Exponential
        } else {
            Self::Gamma { shape: 1.0 / (cv * cv) }
        }
    }

    /// The gap before arrival `number`, if one arrived just before it.
    #[inline(always)]
    pub(super) fn draw(self, draws: Draws, workload: u64, number: u64) -> f64 {
        match self {
            Self::Equal => 1.0,
            Self::Exponential => exponential(random::unit(draws.bits(Purpose::Gap, workload, number))),
            Self::Gamma { shape } => gamma_gap(shape, draws.bits(Purpose::Gap, workload, number)),
        }
    }

    /// The time to the first arrival of a process that has always been running.
    ///
    /// Without this a bursty process would begin in a burst, and send (cv² - 1) / 2 requests too many. What is left of
    /// the gap that the start falls into is a uniform share of a gap that was met in proportion to its length; weighted
    /// by its length, a gamma variate is one of the next shape.
    pub(super) fn first(self, draws: Draws, workload: u64) -> f64 {
        match self {
            Self::Equal | Self::Exponential => self.draw(draws, workload, 0),
            Self::Gamma { shape } => {
                let mut numbers = numbers(draws.bits(Purpose::Gap, workload, 0));
                let share = numbers();
                share * gamma(shape + 1.0, &mut numbers) / shape
            }
        }
    }
}

/// As many uniform numbers as are asked for, from one key.
fn numbers(bits: u64) -> impl FnMut() -> f64 {
    let own = Draws::new(bits);
    let mut next = 0;
    move || {
        next += 1;
        own.uniform(Purpose::Gap, 0, next)
    }
}

/// Apart, so that the other gaps are drawn in place.
#[inline(never)]
fn gamma_gap(shape: f64, bits: u64) -> f64 {
    gamma(shape, &mut numbers(bits)) / shape
}

fn gamma(shape: f64, uniform: &mut impl FnMut() -> f64) -> f64 {
    if shape < 1.0 {
        let boost = libm::exp(-exponential(uniform()) / shape);
        return boost * gamma_from_one(shape + 1.0, uniform);
    }
    gamma_from_one(shape, uniform)
}

/// For a shape of at least 1.
fn gamma_from_one(shape: f64, uniform: &mut impl FnMut() -> f64) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = quantile::normal(uniform());
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        let (u, square) = (uniform(), x * x);
        // The first test spares the logarithms in nearly all cases.
        if u < 1.0 - 0.0331 * square * square || libm::log(u) < 0.5 * square + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(n: u32, draw: impl Fn(u64) -> f64) -> (f64, f64) {
        let draws = (0..u64::from(n)).map(draw);
        let n = f64::from(n);
        let (sum, squares) = draws.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        (sum / n, libm::sqrt(squares / n - (sum / n) * (sum / n)) / (sum / n))
    }

    #[test]
    fn gaps_have_mean_one_and_the_cv_that_was_asked_for() {
        for (cv, n, bound) in
            [(0.5, 300_000, 0.005), (1.0, 300_000, 0.01), (2.0, 500_000, 0.01), (10.0, 1_000_000, 0.02)]
        {
            let (mean, found) = moments(n, |i| Gaps::new(cv).draw(Draws::new(3), 0, i));
            let error = 4.0 * cv / f64::from(n).sqrt();
            assert!((mean - 1.0).abs() < error, "cv {cv}: mean {mean}");
            assert!((found / cv - 1.0).abs() < bound, "cv {cv}: {found}");
        }
        assert_eq!(Gaps::new(0.0).draw(Draws::new(3), 0, 9), 1.0);
    }

    #[test]
    fn the_first_gap_is_the_rest_of_one_that_had_begun() {
        // The mean of the rest is (1 + cv²) / 2.
        for cv in [0.5, 1.0, 3.0] {
            let n = 100_000_u32;
            let sum: f64 = (0..u64::from(n)).map(|workload| Gaps::new(cv).first(Draws::new(4), workload)).sum();
            let (mean, expected) = (sum / f64::from(n), f64::midpoint(1.0, cv * cv));
            assert!((mean / expected - 1.0).abs() < 0.02, "cv {cv}: {mean} instead of {expected}");
        }
    }
}
