//! Exponential variates at a few nanoseconds each: the logarithm behind them, by a table.

/// An exponential variate with mean 1, from a uniform number above 0 and below 1: its logarithm, with an absolute error
/// below 2e-15.
///
/// The number's mantissa is divided by the nearest of 128 values whose logarithms stand in a table, and a short series
/// gives the logarithm of the rest. It takes half of the time of a logarithm for all numbers, and nothing but products
/// and sums: the same bits on every platform.
#[inline]
pub(crate) fn exponential(uniform: f64) -> f64 {
    let bits = uniform.to_bits();
    let halvings = 1023 - (bits >> 52).cast_signed();
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let (inverse, logarithm) = TABLE[(bits >> (52 - INDEX_BITS)) as usize & (SIZE - 1)];
    let r = mantissa * inverse - 1.0;
    // |r| is below 1/256, so the next term would be below 6e-16.
    let series = r * (1.0 - r * (0.5 - r * (1.0 / 3.0 - r * (0.25 - r * 0.2))));
    // max: next to 1 the error can be larger than the value.
    (halvings as f64 * std::f64::consts::LN_2 - logarithm - series).max(0.0)
}

const INDEX_BITS: u32 = 7;
const SIZE: usize = 1 << INDEX_BITS;

/// Of each stretch of the mantissas, one over its middle, and the logarithm of the middle.
static TABLE: [(f64, f64); SIZE] = table();

const fn table() -> [(f64, f64); SIZE] {
    let mut table = [(0.0, 0.0); SIZE];
    let mut at = 0;
    while at < SIZE {
        let middle = 1.0 + (at as f64 + 0.5) / SIZE as f64;
        table[at] = (1.0 / middle, logarithm(middle));
        at += 1;
    }
    table
}

/// The logarithm of a number from 1 to 2: 2 atanh((x - 1) / (x + 1)), by its series.
const fn logarithm(x: f64) -> f64 {
    let z = (x - 1.0) / (x + 1.0);
    // z is below 1/3, so 20 terms are more than a float has digits for; the smallest are added first.
    let (mut sum, mut term) = (0.0, 20);
    while term > 0 {
        term -= 1;
        sum = sum * z * z + 1.0 / (2 * term + 1) as f64;
    }
    2.0 * z * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{self, Draws, Purpose};

    #[test]
    fn it_is_the_logarithm() {
        let uniform = (0..200_000).map(|i| Draws::new(1).uniform(Purpose::Sample, 0, i));
        let small = (1..200).map(|halvings| libm::exp(-f64::from(halvings) / 6.0));
        for u in uniform.chain(small).chain([random::unit(0), random::unit(u64::MAX), 0.5, 0.999_999, 1.0 / 3.0]) {
            let (found, expected) = (exponential(u), -libm::log(u));
            assert!((found - expected).abs() < 2e-15 * expected.max(1.0), "{u}: {found} instead of {expected}");
            assert!(found >= 0.0);
        }
    }
}
