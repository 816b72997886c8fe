//! Numbers and durations as headers carry them, in integers only: a float would round, and `1e309` or `NaN` would reach
//! a timer.

use std::time::Duration;

const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A fraction is read to 18 places, the most that fit an integer; what follows rounds it up.
const FRACTION: u64 = 1_000_000_000_000_000_000;

/// `[+]digits`; saturates.
pub(super) fn integer(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, |value, byte| Some(push(value, digit(*byte)?)))
}

/// `[+-]digits`; saturates.
pub(super) fn signed(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] if digits.first() != Some(&b'+') => (true, digits),
        _ => (false, text),
    };
    let size = i64::try_from(integer(digits)?).unwrap_or(i64::MAX);
    Some(if negative { size.saturating_neg() } else { size })
}

/// `[+]digits[.digits]` milliseconds.
pub(super) fn milliseconds(text: &[u8]) -> Option<Duration> {
    decimal(text, NANOS_PER_MILLI)
}

/// `[+]digits[.digits]` seconds.
pub(super) fn seconds(text: &[u8]) -> Option<Duration> {
    decimal(text, NANOS_PER_SECOND)
}

/// Go's `time.Duration`, such as `1h2m3.5s`, without minus; `d` for a day, which gateways add, is read too.
pub(super) fn go_duration(text: &[u8]) -> Option<Duration> {
    let mut rest = text.strip_prefix(b"+").unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let (number, tail) = Decimal::split(rest)?;
        let end = tail.iter().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        nanos = nanos.saturating_add(number.times(nanos_per(unit)?));
        rest = tail;
    }
    Some(Duration::from_nanos(nanos))
}

fn decimal(text: &[u8], unit: u64) -> Option<Duration> {
    let (number, rest) = Decimal::split(text.strip_prefix(b"+").unwrap_or(text))?;
    rest.is_empty().then(|| Duration::from_nanos(number.times(unit)))
}

/// ASCII only: Go writes a micro sign, but bytes above 127 have no meaning in a header (RFC 9110, 5.5).
fn nanos_per(unit: &[u8]) -> Option<u64> {
    Some(match unit {
        b"ns" => 1,
        b"us" => 1_000,
        b"ms" => NANOS_PER_MILLI,
        b"s" => NANOS_PER_SECOND,
        b"m" => 60 * NANOS_PER_SECOND,
        b"h" => 60 * 60 * NANOS_PER_SECOND,
        b"d" => 24 * 60 * 60 * NANOS_PER_SECOND,
        _ => return None,
    })
}

/// A decimal without sign: `5`, `5.`, `.5`, `5.25`.
struct Decimal {
    whole: u64,
    /// In units of one [`FRACTION`]th, from zero to exactly one.
    fraction: u64,
}

impl Decimal {
    /// Takes the decimal that `text` begins with, and gives what follows.
    fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let (whole, rest) = split_digits(text)?;
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => split_digits(rest)?,
            _ => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }

        let digits = |part: &[u8]| part.iter().filter_map(|byte| digit(*byte)).fold(0, push);
        let mut place = FRACTION;
        let mut value: u64 = 0;
        let mut beyond = false;
        for digit in fraction.iter().filter_map(|byte| digit(*byte)) {
            place /= 10;
            value = value.saturating_add(digit.saturating_mul(place));
            beyond |= place == 0 && digit != 0;
        }
        let decimal = Self { whole: digits(whole), fraction: value.saturating_add(u64::from(beyond)) };
        Some((decimal, rest))
    }

    /// That many `unit`s, rounded up; saturates.
    fn times(&self, unit: u64) -> u64 {
        let part = u128::from(self.fraction).saturating_mul(u128::from(unit)).div_ceil(u128::from(FRACTION));
        self.whole.saturating_mul(unit).saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

fn split_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end)
}

fn push(value: u64, digit: u64) -> u64 {
    value.saturating_mul(10).saturating_add(digit)
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(10).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_saturate_and_take_a_plus() {
        assert_eq!(integer(b"+007"), Some(7));
        assert_eq!(integer(b"18446744073709551616"), Some(u64::MAX));
        for text in ["", "+", "++1", "-1", "1.", "1 ", "\u{663}"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn signed_integers_take_one_sign() {
        assert_eq!(signed(b"-532"), Some(-532));
        assert_eq!(signed(b"+5"), Some(5));
        assert_eq!(signed(b"-99999999999999999999"), Some(-i64::MAX));
        for text in ["-", "-+1", "--1", "+-1", ""] {
            assert_eq!(signed(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn any_part_of_a_nanosecond_rounds_up() {
        let nanos = |text: &[u8]| seconds(text).map(|delay| delay.as_nanos());
        assert_eq!(nanos(b"1.000000001"), Some(1_000_000_001));
        assert_eq!(nanos(b"1.0000000011"), Some(1_000_000_002));
        assert_eq!(nanos(b"0.0000000000000000000000001"), Some(1));
        assert_eq!(nanos(b"0.9999999999999999999"), Some(1_000_000_000));
        assert_eq!(nanos(b"0.0000000000000000000000000"), Some(0));
    }

    #[test]
    fn a_decimal_has_a_digit_and_at_most_one_point() {
        assert_eq!(milliseconds(b".5"), Some(Duration::from_micros(500)));
        assert_eq!(milliseconds(b"5."), Some(Duration::from_millis(5)));
        for text in ["", ".", "+", "+.", "1..2", "1.2.3", "-1", "1e3", "1.+2", "1 "] {
            assert_eq!(milliseconds(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn every_unit_of_go_counts_and_a_day_too() {
        for (text, nanos) in [
            ("1ns", 1),
            ("1us", 1_000),
            ("1ms", 1_000_000),
            ("1s", 1_000_000_000),
            ("1m", 60_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("+1.5h.5m", 5_430_000_000_000),
            ("1s1s", 2_000_000_000),
        ] {
            assert_eq!(go_duration(text.as_bytes()), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["", "+", "5", "s", "1S", "1 s", "1w", "1sm", "1s+1s", "1s2", "1\u{b5}s"] {
            assert_eq!(go_duration(text.as_bytes()), None, "{text:?}");
        }
    }
}
