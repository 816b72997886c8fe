//! Times as logs and traces write them: numbers, and dates in a few forms.

use std::time::UNIX_EPOCH;

use lb_limits::SECOND;

/// A time in nanoseconds: a number of `unit`s, or a date counted from 1970.
///
/// Dates are read in the form of RFC 3339 (`2023-11-16T18:17:03.97996Z`), with a space instead of the `T`, without an
/// offset, and as Azure's portal writes them (`11/16/2023, 6:17:03.979 PM`, month first). Those without an offset are of
/// clocks that are `ahead` of UTC by so many nanoseconds.
pub(crate) fn nanos(text: &str, unit: u64, ahead: i64) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text.as_bytes().get(digits) {
        _ if digits == 0 => None,
        None | Some(b'.' | b'e' | b'E') => number(text, unit),
        Some(b'-') => date(text, ahead),
        Some(b'/') => portal_date(text, ahead),
        Some(_) => None,
    }
}

/// The moment at which times that were read as [`nanos`] begin, if they are dates: numbers of less than 31 years count from
/// anywhere.
pub(crate) const fn moment(begin: u64) -> Option<u64> {
    const LEAST: u64 = 1_000_000_000 * SECOND;
    if begin >= LEAST { Some(begin) } else { None }
}

/// The time of a log that must not be misread: a decimal number of seconds, or a date in RFC 3339 with its offset.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    if !text.contains(':') {
        return decimal(text, SECOND);
    }
    let text = text.to_ascii_uppercase();
    has_offset(&text).then(|| date(&text, 0))?
}

/// The same number of nanoseconds as a decimal number of seconds.
pub(crate) fn to_seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / SECOND, nanos % SECOND)
}

fn number(text: &str, unit: u64) -> Option<u64> {
    if text.contains(['e', 'E']) {
        let value = text.parse::<f64>().ok()? * unit as f64;
        let fits = (0.0..=u64::MAX as f64).contains(&value);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was checked to fit")]
        return fits.then_some(value as u64);
    }
    decimal(text, unit)
}

/// Without a detour over floats, which have too few digits for nanoseconds since 1970.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // 18 digits fit, and no unit is so long that more would matter.
    let fraction = &fraction[..fraction.len().min(18)];
    let parts = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let below = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? * u128::from(unit) / parts };
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    whole.checked_add(u64::try_from(below).ok()?)
}

fn date(text: &str, ahead: i64) -> Option<u64> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (time, offset) = split_offset(text, ahead)?;
    // More digits than nanoseconds have are cut.
    let time = time.get(..29).unwrap_or(time);
    let since = humantime::parse_rfc3339_weak(time).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let nanos = i128::try_from(since.as_nanos()).ok()?;
    u64::try_from(nanos - offset).ok()
}

/// The time without its offset, and the offset in nanoseconds; `ahead` if it has none.
fn split_offset(text: &str, ahead: i64) -> Option<(&str, i128)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(sign) = text[19..].find(['+', '-']).map(|at| at + 19) else { return Some((text, ahead.into())) };
    let (hours, minutes) = text[sign + 1..].split_once(':').unwrap_or((&text[sign + 1..], "0"));
    let minutes = i128::from(hours.parse::<u8>().ok()?) * 60 + i128::from(minutes.parse::<u8>().ok()?);
    let offset = minutes * 60_000_000_000;
    Some((&text[..sign], if text.as_bytes()[sign] == b'-' { -offset } else { offset }))
}

/// Whether the date ends with an offset as RFC 3339 has it: `Z`, or hours and minutes.
fn has_offset(date: &str) -> bool {
    match date.as_bytes() {
        [.., b'Z'] => true,
        [.., b'+' | b'-', hours @ b'0'..=b'2', hour, b':', minutes, _] => {
            (*hours, *hour) < (b'2', b'4') && *minutes < b'6'
        }
        _ => false,
    }
}

fn portal_date(text: &str, ahead: i64) -> Option<u64> {
    let (day, time) = text.split_once([',', ' '])?;
    let mut parts = day.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let mut words = time.split_whitespace();
    let (clock, half) = (words.next()?, words.next().unwrap_or(""));
    let (hour, rest) = clock.split_once(':')?;
    let hour: u8 = hour.parse().ok()?;
    let hour = match half {
        "" => hour,
        "AM" if (1..=12).contains(&hour) => hour % 12,
        "PM" if (1..=12).contains(&hour) => hour % 12 + 12,
        _ => return None,
    };
    let seconds = if rest.contains(':') { "" } else { ":00" };
    date(&format!("{year:0>4}-{month:0>2}-{day:0>2}T{hour:02}:{rest}{seconds}"), ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_units_to_the_nanosecond() {
        assert_eq!(nanos("0", SECOND, 0), Some(0));
        assert_eq!(nanos(" 1700158623.979960001 ", SECOND, 0), Some(1_700_158_623_979_960_001));
        assert_eq!(nanos("27", 1_000_000, 0), Some(27_000_000));
        assert_eq!(nanos("1.5e3", SECOND, 0), Some(1_500 * SECOND));
        assert_eq!(nanos("0.0000000019", SECOND, 0), Some(1));
    }

    #[test]
    fn dates_are_read_in_the_forms_that_logs_have() {
        let expected = Some(1_700_158_623_979_960_000);
        for text in [
            "2023-11-16 18:17:03.9799600",
            "2023-11-16T18:17:03.979960Z",
            "2023-11-16 18:17:03.97996+00:00",
            "2023-11-16T20:17:03.979960000000+02:00",
            "2023-11-16T13:17:03.97996-05:00",
        ] {
            assert_eq!(nanos(text, SECOND, 0), expected, "{text}");
        }
        assert_eq!(nanos("11/16/2023, 6:17:03.979 PM", SECOND, 0), Some(1_700_158_623_979_000_000));
        assert_eq!(nanos("1/2/2024, 12:05 AM", SECOND, 0), nanos("2024-01-02T00:05:00", SECOND, 0));
        assert_eq!(nanos("2/29/2024 18:17:03", SECOND, 0), nanos("2024-02-29T18:17:03Z", SECOND, 0));
    }

    #[test]
    fn dates_without_an_offset_are_of_the_zone_that_is_given() {
        let two_hours = 7_200 * SECOND.cast_signed();
        let noon = nanos("2023-11-16T12:00:00Z", SECOND, 0);
        for text in ["2023-11-16 14:00:00", "11/16/2023, 2:00 PM", "2023-11-16T12:00:00Z", "2023-11-16T07:00:00-05:00"]
        {
            assert_eq!(nanos(text, SECOND, two_hours), noon, "{text}");
        }
        assert_eq!(
            nanos("2023-11-16 06:30:00", SECOND, -5 * 3_600 * SECOND.cast_signed() - 1_800 * SECOND.cast_signed()),
            noon
        );
        assert_eq!(nanos("1700136000", SECOND, two_hours), noon, "a number of seconds since 1970 has no zone");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "-1",
            "abc",
            "1.2.3",
            "1,5",
            "99999999999999999999",
            "2023-13-01 00:00:00",
            "2023-11-16",
            "2023-11-16T25:00:00Z",
            "13/45/2023, 6:17 PM",
            "1/2/2024, 13:05 PM",
            "1e999",
            "NaN",
            "2023-11-16 18:17:03+é",
            "1/",
            "1/2/3,",
            "١٢",
            "2023-11-16 18:17:03.5-99:99x",
        ] {
            assert_eq!(nanos(text, SECOND, 0), None, "{text}");
        }
    }

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
        assert_eq!(seconds("1970-01-01t23:00:00z"), Some(82_800 * SECOND));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "soon",
            "-1",
            "1.2.3",
            "1.x",
            "1e9",
            "1969-12-31T23:59:59Z",
            "99999999999999999999",
            "2023-11-16T18:17:03",
            "2023-11-16T18:17:03+24:00",
            "2023-11-16T18:17:03+01:60",
            "2023-11-16T18:17:03+01",
            "11/16/2023, 6:17:03 PM",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
