//! What holds of every hint, whatever a backend sends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lb_core::{MAX_HINT, hint};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::FileFailurePersistence};

/// Every header that is read.
const NAMES: [&str; 16] = [
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "retry-after",
    "date",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-rate-limit-limit-requests",
    "x-rate-limit-limit-tokens",
    "x-rate-limit-remaining-requests",
    "x-rate-limit-remaining-tokens",
    "x-rate-limit-reset-requests",
    "x-rate-limit-reset-tokens",
];

/// The headers that hold a delay.
const HINTS: [&str; 7] = [
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "retry-after",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-rate-limit-reset-requests",
    "x-rate-limit-reset-tokens",
];

/// Seconds from the Unix epoch to the last that four digits of a year can tell.
const YEAR_9999: u64 = 253_402_300_799;

/// Seconds from the Unix epoch to 2070.
const YEAR_2070: u64 = 3_155_760_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The delay in a 429 that arrives at `wall`.
fn delay<V: AsRef<[u8]>>(headers: &[(&str, V)], wall: SystemTime) -> Option<Duration> {
    hint(429, headers, || wall).map(|hint| hint.delay())
}

/// Go's `time.Duration` as its `String` writes it, from a millisecond up.
fn go_string(delay: Duration) -> String {
    let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
    let fraction = match format!(".{nanos:09}").trim_end_matches('0') {
        "." => String::new(),
        digits => digits.to_owned(),
    };
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, 0) if nanos >= 1_000_000 => format!("{}ms", f64::from(nanos) / 1e6),
        (0, 0, _) => format!("{rest}{fraction}s"),
        (0, _, _) => format!("{minutes}m{rest}{fraction}s"),
        _ => format!("{hours}h{minutes}m{rest}{fraction}s"),
    }
}

/// `seconds` in the form of RFC 9110 with that number: IMF-fixdate, RFC 850, asctime.
fn http_date(seconds: u64, form: usize) -> String {
    let imf = httpdate::fmt_http_date(at(seconds));
    let (day, month, year, time) = (&imf[5..7], &imf[8..11], &imf[12..16], &imf[17..25]);
    let weekday = match &imf[..3] {
        "Tue" => "Tuesday".to_owned(),
        "Wed" => "Wednesday".to_owned(),
        "Thu" => "Thursday".to_owned(),
        "Sat" => "Saturday".to_owned(),
        short => format!("{short}day"),
    };
    match form {
        0 => imf,
        1 => format!("{weekday}, {day}-{month}-{} {time} GMT", &year[2..]),
        _ => format!("{} {month} {:>2} {time} {year}", &imf[..3], day.trim_start_matches('0')),
    }
}

/// Values that come close to a form, and values that do not.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..64),
        vec(select(b" \t0123456789+-.,:TZGMThmsnud".to_vec()), 0..24),
        "[ \t]?[+-]?[0-9]{0,30}(\\.[0-9]{0,30})?[ \t]?".prop_map(String::into_bytes),
        "([0-9]{1,22}(\\.[0-9]{1,3})?(ns|us|ms|s|m|h|d)){1,4}".prop_map(String::into_bytes),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,12})?(Z|[+-]0[0-9]:00)"
            .prop_map(String::into_bytes),
        (0..=YEAR_9999, 0_usize..3).prop_map(|(seconds, form)| http_date(seconds, form).into_bytes()),
        (0..=YEAR_9999, 0_usize..3, any::<prop::sample::Index>(), any::<u8>()).prop_map(
            |(seconds, form, index, byte)| {
                let mut text = http_date(seconds, form).into_bytes();
                let place = index.index(text.len());
                text[place] = byte;
                text
            }
        ),
    ]
}

/// Any wall clock that the platform can tell.
fn wall() -> impl Strategy<Value = SystemTime> {
    (any::<i64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| {
        let distance = Duration::new(seconds.unsigned_abs(), nanos);
        let wall = if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        wall.unwrap_or(UNIX_EPOCH)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_in_any_header_give_whole_milliseconds_in_bounds_or_nothing(
        status in prop_oneof![Just(429), 500_u16..600, any::<u16>()],
        headers in vec((select(&NAMES[..]), value()), 0..8),
        wall in wall(),
    ) {
        let mut reads = 0;
        let hint = hint(status, &headers[..], || {
            reads += 1;
            wall
        });
        prop_assert!(reads <= 1);
        if let Some(hint) = hint {
            prop_assert!(status == 429 || status >= 500);
            prop_assert!(hint.delay() <= MAX_HINT);
            prop_assert_eq!(hint.delay().subsec_nanos() % 1_000_000, 0);
        }
    }

    #[test]
    fn milliseconds_are_read_as_they_are_written(
        millis in any::<u64>(),
        name in select(&HINTS[..2]),
    ) {
        let expected = Duration::from_millis(millis).min(MAX_HINT);
        prop_assert_eq!(delay(&[(name, millis.to_string())], UNIX_EPOCH), Some(expected));
    }

    #[test]
    fn seconds_are_read_as_they_are_written(
        seconds in prop_oneof![0..40_000_000_u64, any::<u64>()],
    ) {
        let expected = Duration::from_secs(seconds).min(MAX_HINT);
        prop_assert_eq!(delay(&[("retry-after", seconds.to_string())], UNIX_EPOCH), Some(expected));
    }

    #[test]
    fn a_fraction_of_a_second_rounds_up(whole in 0..1_000_000_u64, nanos in 0..1_000_000_000_u32) {
        let millis = whole * 1_000 + u64::from(nanos.div_ceil(1_000_000));
        let found = delay(&[("retry-after", format!("{whole}.{nanos:09}"))], UNIX_EPOCH);
        prop_assert_eq!(found, Some(Duration::from_millis(millis)));
    }

    #[test]
    fn go_durations_are_read_as_go_writes_them(
        // From 1 ms on: a reset of zero is none.
        millis in 1..31_536_000_000_u64,
        name in select(&HINTS[2..]),
    ) {
        let expected = Duration::from_millis(millis);
        prop_assert_eq!(delay(&[(name, go_string(expected))], UNIX_EPOCH), Some(expected));
    }

    #[test]
    fn dates_are_read_as_they_are_written(
        seconds in 31_536_000..=YEAR_9999,
        form in 0_usize..3,
        ahead in 0..31_536_000_u64,
    ) {
        let date = http_date(seconds, form);
        let sent = http_date(seconds - ahead, 0);
        let expected = Some(Duration::from_secs(ahead));
        prop_assert_eq!(delay(&[("retry-after", &date), ("date", &sent)], UNIX_EPOCH), expected);
        let ahead_of_wall = expected.filter(|ahead| !ahead.is_zero());
        prop_assert_eq!(delay(&[("retry-after", &date)], at(seconds - ahead)), ahead_of_wall);
    }

    #[test]
    fn moments_of_a_reset_are_read_as_they_are_written(
        // From 2001 on, where a number is a time and not a delay.
        seconds in 1_000_000_000..=YEAR_9999,
        ahead in 1..31_536_000_u64,
        name in select(&HINTS[3..]),
    ) {
        let time = chrono::DateTime::from_timestamp(seconds.try_into().unwrap(), 0).unwrap();
        let iso = time.to_rfc3339();
        for value in [seconds.to_string(), (seconds * 1_000).to_string(), iso] {
            let found = delay(&[(name, value)], at(seconds - ahead));
            prop_assert_eq!(found, Some(Duration::from_secs(ahead)));
        }
    }

    #[test]
    fn of_repeated_lines_the_larger_decides(
        values in vec(value(), 0..6),
        name in select(&HINTS[..]),
        wall in wall(),
    ) {
        let alone = values.iter().filter_map(|value| delay(&[(name, value)], wall)).max();
        let lines: Vec<_> = values.iter().map(|value| (name, value)).collect();
        prop_assert_eq!(delay(&lines, wall), alone);
    }

    /// `httpdate` is the oracle, but for three things: it knows no second 60 and no year before 1970, and it takes any
    /// byte between the year and the hour of an RFC 850 date.
    #[test]
    fn dates_mean_what_they_mean_to_httpdate(
        seconds in 0..=YEAR_9999,
        form in 0_usize..3,
        place in any::<prop::sample::Index>(),
        byte in proptest::option::of(select(b" :,-0123456789GMTSaunFerb".to_vec())),
    ) {
        let two_digits = form == 1;
        let seconds = if two_digits { seconds % YEAR_2070 } else { seconds };
        let mut text = http_date(seconds, form).into_bytes();
        if let Some(byte) = byte {
            let place = place.index(text.len());
            text[place] = byte;
        }
        prop_assume!(!two_digits || text[text.len() - 13] == b' ');
        let text = String::from_utf8(text).unwrap();

        // Seen from the end of 2019, the years within fifty are those that httpdate takes two digits for. It is the
        // response's own date, so that an earlier one counts too.
        let sent = http_date(1_577_836_799, 0);
        let found = delay(&[("retry-after", &text), ("date", &sent)], UNIX_EPOCH);
        match httpdate::parse_http_date(&text) {
            Ok(date) => {
                let ahead = Duration::from_secs(100);
                prop_assert!(found.is_some(), "{text}");
                let found = delay(&[("retry-after", &text)], date - ahead);
                prop_assert_eq!(found, Some(ahead), "{}", text);
            }
            Err(_) if found.is_some() => {
                let year = if form == 0 { &text[12..16] } else { &text[text.len() - 4..] };
                prop_assert!(text.contains(":60") || (!two_digits && year < "1970"), "{text}");
            }
            Err(_) => {}
        }
    }
}
