//! Quantile functions: of the standard normal distribution, and as tables.
#![expect(clippy::excessive_precision, reason = "the coefficients stand as they were published")]

/// The quantile of the standard normal distribution at `p`, above 0 and below 1.
///
/// Wichura's AS 241 (PPND16, Applied Statistics 37, 1988): relative error about 1e-16, and in the middle 85 % nothing but
/// a quotient of two polynomials.
pub(crate) fn normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&MIDDLE.0, r) / polynomial(&MIDDLE.1, r);
    }
    let r = libm::sqrt(-libm::log(if q < 0.0 { p } else { 1.0 - p }));
    let (shift, (above, below)) = if r <= 5.0 { (1.6, &NEAR) } else { (5.0, &FAR) };
    let value = polynomial(above, r - shift) / polynomial(below, r - shift);
    if q < 0.0 { -value } else { value }
}

/// The distribution function of the standard normal distribution.
pub(crate) fn normal_share_below(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

type Ratio = ([f64; 8], [f64; 8]);

const MIDDLE: Ratio = (
    [
        3.387_132_872_796_366_608,
        1.331_416_678_917_843_774_5e2,
        1.971_590_950_306_551_442_7e3,
        1.373_169_376_550_946_112_5e4,
        4.592_195_393_154_987_145_7e4,
        6.726_577_092_700_870_085_3e4,
        3.343_057_558_358_812_810_5e4,
        2.509_080_928_730_122_672_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091_125_2e1,
        6.871_870_074_920_579_083e2,
        5.394_196_021_424_751_107_7e3,
        2.121_379_430_158_659_586_7e4,
        3.930_789_580_009_271_061e4,
        2.872_908_573_572_194_267_4e4,
        5.226_495_278_852_854_561e3,
    ],
);

const NEAR: Ratio = (
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_9,
        5.769_497_221_460_691_405_5,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        2.417_807_251_774_506_117_7e-1,
        2.272_384_498_926_918_458_33e-2,
        7.745_450_142_783_414_076_4e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_4,
        6.897_673_349_851_000_045_5e-1,
        1.481_039_764_274_800_745_9e-1,
        1.519_866_656_361_645_719_66e-2,
        5.475_938_084_995_344_946e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
);

const FAR: Ratio = (
    [
        6.657_904_643_501_103_777_2,
        5.463_784_911_164_114_369_9,
        1.784_826_539_917_291_335_8,
        2.965_605_718_285_048_912_3e-1,
        2.653_218_952_657_612_309_3e-2,
        1.242_660_947_388_078_438_6e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        5.998_322_065_558_879_376_9e-1,
        1.369_298_809_227_358_053_1e-1,
        1.487_536_129_085_061_485_25e-2,
        7.868_691_311_456_132_591e-4,
        1.846_318_317_510_054_681_8e-5,
        1.421_511_758_316_445_888_7e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
);

/// Makes a share of 53 bits; floats have no more.
pub(super) const PER_53_BITS: f64 = 1.0 / 9_007_199_254_740_992.0;

/// A quantile function by its values at equal distances of probability, linear in between.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuantileTable {
    values: Vec<f64>,
}

impl QuantileTable {
    /// The table of at least two values, from the quantile at 0 to the one at 1.
    pub(crate) fn new(values: Vec<f64>) -> Option<Self> {
        (values.len() >= 2).then_some(Self { values })
    }

    /// The value at 64 uniform bits, read as a fraction.
    #[inline]
    pub(crate) fn at(&self, bits: u64) -> f64 {
        let product = u128::from(bits) * (self.values.len() - 1) as u128;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the upper half is a cell's number, the lower one the rest"
        )]
        let (cell, within) = ((product >> 64) as usize, (product as u64) as f64 * (1.0 / 18_446_744_073_709_551_616.0));
        let low = self.values[cell];
        low + within * (self.values[cell + 1] - low)
    }

    /// The mean of the distribution that the table describes.
    pub(crate) fn mean(&self) -> f64 {
        let cells = self.values.len() - 1;
        let inner: f64 = self.values[1..cells].iter().sum();
        ((self.values[0] + self.values[cells]) / 2.0 + inner) / cells as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_inverts_the_distribution_function() {
        for p in [1e-300, 1e-20, 1e-9, 1e-4, 0.02, 0.074, 0.076, 0.3, 0.5, 0.7, 0.924, 0.926, 0.99, 0.999_999] {
            let back = normal_share_below(normal(p));
            assert!((back / p - 1.0).abs() < 1e-11, "{p} came back as {back}");
        }
        // Known to these digits from tables of the normal distribution.
        assert!((normal(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert_eq!(normal(0.5), 0.0);
        assert_eq!(normal(0.25), -normal(0.75));
    }

    #[test]
    fn a_table_is_linear_between_its_values() {
        let table = QuantileTable::new(vec![0.0, 10.0, 30.0]).unwrap();
        assert_eq!(table.at(0), 0.0);
        assert_eq!(table.at(1 << 62), 5.0);
        assert_eq!(table.at(1 << 63), 10.0);
        assert_eq!(table.at(3 << 62), 20.0);
        assert!((table.at(u64::MAX) - 30.0).abs() < 1e-13);
        assert_eq!(table.mean(), 12.5);
        assert_eq!(QuantileTable::new(vec![1.0]), None);
    }
}
