//! Numbers as people read them: sensible digits, thousands separators, always a unit.

use crate::stats::Estimate;

/// What stands where there was nothing to measure.
pub(crate) const NOTHING: &str = "-";

/// How a kind of number is written.
pub(crate) type Form = fn(f64) -> String;

/// The mean, and the interval if there is one: `99.93 % ± 0.02 %`, `0.1 % (0.03 % to 0.3 %)`.
pub(crate) fn with_interval(estimate: &Estimate, form: Form) -> String {
    let mean = mean(estimate, form);
    match interval(estimate, form) {
        Some(interval) if estimate.is_even() => format!("{mean} {interval}"),
        Some(interval) => format!("{mean} ({interval})"),
        None => mean,
    }
}

/// Half the interval's width, or its ends where the mean is not in the middle: `± 0.02 %`, `0.03 % to 0.3 %`.
pub(crate) fn interval(estimate: &Estimate, form: Form) -> Option<String> {
    let half = estimate.half_width().filter(|half| *half > 0.0)?;
    Some(if estimate.is_even() {
        format!("± {}", form(half))
    } else {
        format!("{} to {}", form(estimate.low()), form(estimate.high()))
    })
}

/// The mean alone.
pub(crate) fn mean(estimate: &Estimate, form: Form) -> String {
    if estimate.is_some() { form(estimate.mean()) } else { NOTHING.to_owned() }
}

/// A share from 0 to 1, in per cent. Near both ends it has more digits: 99.99 % and 100 % are different news.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let distance = percent.min(100.0 - percent).abs();
    let digits = match distance {
        0.0 => 0,
        d if d < 1e-4 && percent < 50.0 => return "< 0.0001 %".to_owned(),
        d if d < 0.01 => 4,
        d if d < 0.1 => 3,
        d if d < 1.0 => 2,
        _ => 1,
    };
    format!("{percent:.digits$} %")
}

/// How full something is, in per cent: near 100 % nothing special happens.
#[cfg(feature = "render")]
pub(crate) fn load(load: f64) -> String {
    format!("{:.1} %", load * 100.0)
}

/// A share on an axis: no more digits than it needs.
#[cfg(feature = "render")]
pub(crate) fn short_percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0))
}

/// A difference of shares, in percentage points.
#[cfg(feature = "render")]
pub(crate) fn points(difference: f64) -> String {
    format!("{} pt", significant(difference * 100.0))
}

/// A time in seconds, in the unit that suits it.
pub(crate) fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s.is_infinite() => return "never".to_owned(),
        0.0 => return "0 s".to_owned(),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s < 120.0 => (s, "s"),
        s if s < 7_200.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "days"),
    };
    format!("{} {unit}", significant(value))
}

/// A count: whole, with separators; from a million on with three digits.
pub(crate) fn count(count: f64) -> String {
    match count.abs() {
        c if c >= 999_500_000_000.0 => format!("{} T", significant(count / 1e12)),
        c if c >= 999_500_000.0 => format!("{} G", significant(count / 1e9)),
        c if c >= 1_000_000.0 => format!("{} M", significant(count / 1e6)),
        c if c > 0.0 && c < 10.0 && count.fract() != 0.0 => format!("{count:.1}"),
        _ => thousands(count),
    }
}

/// Whole, with separators.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0.0 && digits != "0" {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Dollars: cents below a hundred.
pub(crate) fn dollars(dollars: f64) -> String {
    let amount = match dollars.abs() {
        d if d >= 99.995 || d == 0.0 => thousands(d),
        d if d >= 0.01 => format!("{d:.2}"),
        d => format!("{d:.4}"),
    };
    let sign = if dollars < 0.0 { "-" } else { "" };
    format!("{sign}${amount}")
}

/// Requests, or tokens, per second.
#[cfg(feature = "render")]
pub(crate) fn per_second(rate: f64) -> String {
    format!("{}/s", ratio(rate))
}

/// A plain number with three digits that count.
pub(crate) fn ratio(number: f64) -> String {
    if number.abs() >= 1_000.0 { count(number) } else { significant(number) }
}

/// Three significant digits below a thousand, whole above, no zeros at the end of the fraction.
pub(crate) fn significant(number: f64) -> String {
    let digits = match number.abs() {
        0.0 => return "0".to_owned(),
        n if n >= 99.95 => return thousands(number),
        n if n >= 9.995 => 1,
        n if n >= 0.9995 => 2,
        n if n >= 0.09995 => 3,
        n if n >= 0.009_995 => 4,
        n if n >= 0.000_995 => 5,
        n if n >= 0.000_099_5 => 6,
        _ => return format!("{number:.1e}"),
    };
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_near_both_ends_keep_their_digits() {
        assert_eq!(percent(0.5), "50.0 %");
        assert_eq!(percent(0.999_93), "99.9930 %");
        assert_eq!(percent(0.000_12), "0.012 %");
        assert_eq!((percent(0.0), percent(1.0)), ("0 %".into(), "100 %".into()));
        assert_eq!(percent(1e-9), "< 0.0001 %");
    }

    #[test]
    fn an_interval_of_shares_that_is_uneven_has_its_ends() {
        let share = Estimate::over([0.0, 0.01, 0.2].map(Some)).of_share();
        assert_eq!(with_interval(&share, percent), "7.0 % (0.10 % to 84.7 %)");
        assert_eq!(with_interval(&Estimate::over([0.5, 0.52].map(Some)).of_share(), percent), "51.0 % ± 12.4 %");
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let texts = [0.0, 0.000_25, 0.03, 1.5, 119.0, 600.0, 7_200.0, 604_800.0, f64::INFINITY].map(seconds);
        assert_eq!(texts, ["0 s", "250 µs", "30 ms", "1.5 s", "119 s", "10 min", "2 h", "7 days", "never"]);
    }

    #[test]
    fn small_numbers_are_written_out() {
        assert_eq!([0.003_7, 0.000_42, 0.0].map(significant), ["0.0037", "0.00042", "0"]);
    }

    #[test]
    fn counts_and_dollars_have_separators() {
        assert_eq!([999.4, 12_345.0, 123_456_789.0, 2.5].map(count), ["999", "12,345", "123 M", "2.5"]);
        assert_eq!([1_234.5, -12.345, 0.004].map(dollars), ["$1,234", "-$12.35", "$0.0040"]);
    }
}
