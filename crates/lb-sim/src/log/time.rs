use chrono::DateTime;

/// A moment in nanoseconds: a decimal number of seconds, or a date in RFC 3339. `None` if it is neither, is before the
/// moment that is counted from, or is further than `u64` goes. Digits after the ninth are dropped.
pub(super) fn seconds(text: &str) -> Option<u64> {
    if text.contains(':') {
        let date = DateTime::parse_from_rfc3339(text).ok()?;
        return u64::try_from(date.timestamp_nanos_opt()?).ok();
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The same number of nanoseconds as a decimal number of seconds.
pub(super) fn to_seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_to_the_nanosecond_without_rounding() {
        assert_eq!(seconds("1795360935.123456789"), Some(1_795_360_935_123_456_789));
        assert_eq!(seconds("0.5"), Some(500_000_000));
        assert_eq!(seconds("7"), Some(7_000_000_000));
        assert_eq!(seconds(&to_seconds(1_000_000_001)), Some(1_000_000_001));
    }

    #[test]
    fn dates_with_an_offset_are_moments() {
        assert_eq!(seconds("1970-01-01T01:00:00.25+01:00"), Some(250_000_000));
        assert_eq!(seconds("1970-01-01T00:00:00.25Z"), Some(250_000_000));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in ["", "soon", "-1", "1.2.3", "1.x", "1e9", "1969-12-31T23:59:59Z", "99999999999999999999"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
