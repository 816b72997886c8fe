//! When a backend says it may be asked again: every header form in use, read into one delay.
//!
//! A 429 or a 5xx may carry a *hint*, in one of several headers and in several forms. The headers are asked in the
//! order of this table, and the first that holds something usable decides:
//!
//! | header | forms | delay | source |
//! | --- | --- | --- | --- |
//! | `retry-after-ms` | `23`, `12.7` | milliseconds | Azure OpenAI, provisioned throughput (MicrosoftDocs/azure-ai-docs, `provisioned-throughput.md`) |
//! | `x-ms-retry-after-ms` | `1500` | milliseconds | older Azure spelling (Azure/azure-sdk-for-rust, azure_core `headers.rs`) |
//! | `Retry-After` | `6` | seconds | RFC 9110, 10.2.3 |
//! | | `0.1`, `+5` | seconds | outside that grammar, yet read so by the official OpenAI SDKs |
//! | | `5, 10` | the largest, in seconds | lines merged by an intermediary (RFC 9110, 5.3) |
//! | | `20ms`, `6m0s` | the sum of its parts | Go's `time.Duration` |
//! | | `Sun, 22 Nov 2026 12:00:30 GMT` | until then | RFC 9110, 5.6.7 (IMF-fixdate) |
//! | | `Sunday, 22-Nov-26 12:00:30 GMT` | until then | RFC 9110, 5.6.7 (RFC 850) |
//! | | `Sun Nov 22 12:00:30 2026` | until then | RFC 9110, 5.6.7 (asctime) |
//! | `x-ratelimit-reset-requests`, `x-ratelimit-reset-tokens` | `12ms`, `6m0s`, `1h23m31s` | the sum of its parts | OpenAI's guide to rate limits |
//! | | `55` | seconds | Azure OpenAI (Azure-Samples/openai-apim-lb) |
//! | | `1795348830`, `1795348830000` | until that Unix time, in s from 10⁹ and in ms from 10¹² | gateways |
//! | | `2026-11-22T12:00:30Z` | until then | RFC 3339 |
//!
//! A reset header tells when its bucket is *full* again, so it counts only if the bucket may be empty: not when its
//! `x-ratelimit-remaining-*` is above zero, and not in Azure's "unknown" (limit and remaining both `-1`,
//! openai/openai-dotnet#838). A reset of zero explains no refusal, so it counts only if the bucket *is* empty by its
//! `x-ratelimit-remaining-*`. Of two buckets that count, the later decides. All of these are also read in the spelling
//! `x-rate-limit-*` (openai/openai-python#937).
//!
//! The rules that hold for all of them:
//!
//! - A value that fits no form is ignored, and so is one above 1 KiB or a header's 129th line. Of a header's usable
//!   lines the largest decides.
//! - A delay is rounded up to whole milliseconds, and ends at [`MAX_HINT`].
//! - A moment is measured against the response's own `Date`, so that a wrong clock on either side does no harm: one that
//!   has passed by then is a delay of zero. Only without a valid `Date` it is measured against the caller's wall clock,
//!   and one that has passed by that is ignored, because nobody confirmed that clock, and it may be fast.
//! - Any bytes may arrive: nothing here fails, panics, allocates or recurses.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use lb_core::{HintSource, hint};
//!
//! let mut headers = http::HeaderMap::new();
//! headers.insert("retry-after", "1".parse()?);
//! headers.insert("retry-after-ms", "23".parse()?);
//!
//! let hint = hint(429, &headers, SystemTime::now).expect("both headers are usable");
//! assert_eq!(hint.delay(), Duration::from_millis(23));
//! assert_eq!(hint.source(), HintSource::RetryAfterMs);
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```

mod bucket;
mod date;
mod headers;
mod moment;
mod number;
mod source;

use std::{
    cell::LazyCell,
    time::{Duration, SystemTime},
};

use date::HttpDate;
use headers::{longest, trimmed};
use moment::Moment;

pub(crate) use bucket::is_any_empty;
pub use headers::Headers;
pub use source::HintSource;

/// The longest delay that [`hint`] answers: 365 days.
///
/// Numbers beyond it mean "very long", not "nothing" (RFC 9111, 1.2.2, has the same rule for delta-seconds). Whether so
/// long a delay is credible is for the pool to say.
pub const MAX_HINT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a backend said about when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    delay: Duration,
    source: HintSource,
}

impl Hint {
    /// A hint of `delay`, found in `source`.
    #[must_use]
    pub const fn new(delay: Duration, source: HintSource) -> Self {
        Self { delay, source }
    }

    /// How long to stay away, from the moment the response arrived.
    ///
    /// From [`hint`] this is a whole number of milliseconds from zero to [`MAX_HINT`]. Zero means "at once".
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// What said so.
    #[must_use]
    pub const fn source(&self) -> HintSource {
        self.source
    }
}

/// Reads the hint from a response head; `None` means that the default cooldown applies.
///
/// Only a 429 and statuses from 500 on have one; a status above 599 is read as a 5xx (RFC 9110, 15). `wall` tells the
/// time of day: it is called at most once, and only if a date has to be measured and the response has no valid `Date`.
#[must_use]
pub fn hint(status: u16, headers: &(impl Headers + ?Sized), wall: impl FnOnce() -> SystemTime) -> Option<Hint> {
    if status == 429 || status >= 500 { hint_in(headers, wall) } else { None }
}

/// Reads the hint from a response's headers whatever its status, for a status that a pool treats as a refusal.
///
/// `wall` is read as by [`hint`].
pub(crate) fn hint_in(headers: &(impl Headers + ?Sized), wall: impl FnOnce() -> SystemTime) -> Option<Hint> {
    let reference = LazyCell::new(|| Reference::new(headers, wall));
    let until = |moment: Moment| reference.until(moment);

    let read = |source: HintSource| {
        let delay = match source {
            HintSource::RetryAfterMs | HintSource::XMsRetryAfterMs => {
                longest(headers, &[source.as_str()], number::milliseconds)
            }
            HintSource::RetryAfter => longest(headers, &[source.as_str()], |text| {
                seconds_list(text)
                    .or_else(|| number::seconds(text))
                    .or_else(|| number::go_duration(text))
                    .or_else(|| HttpDate::parse(text)?.near(|| reference.moment).and_then(until))
            }),
            HintSource::RateLimitReset => bucket::longest_reset(headers, until),
            // No header says it.
            HintSource::Event => None,
        }?;
        Some(Hint::new(whole_millis(delay), source))
    };
    HintSource::PRECEDENCE.into_iter().find_map(read)
}

/// The moment that a response's other moments are measured against.
struct Reference {
    moment: Moment,
    /// Whether it is the sender's own, by the same clock as the others.
    is_the_senders: bool,
}

impl Reference {
    fn new(headers: &(impl Headers + ?Sized), wall: impl FnOnce() -> SystemTime) -> Self {
        match sent_at(headers) {
            Some(sent) => Self { moment: sent, is_the_senders: true },
            None => Self { moment: Moment::from(wall()), is_the_senders: false },
        }
    }

    /// How long it is until `moment`; `None` if it has passed by a clock that may be fast.
    fn until(&self, moment: Moment) -> Option<Duration> {
        let delay = moment.since(self.moment);
        (self.is_the_senders || !delay.is_zero()).then_some(delay)
    }
}

/// When the response was sent, by its own `Date`: the first line that is one.
fn sent_at(headers: &(impl Headers + ?Sized)) -> Option<Moment> {
    let mut sent = None;
    headers::usable(headers, "date", |text| {
        sent = sent.or_else(|| HttpDate::parse(text)?.in_this_century());
    });
    sent
}

/// The largest of a comma list of whole seconds; RFC 9110, 5.6.1.2, lets a list have empty elements.
fn seconds_list(text: &[u8]) -> Option<Duration> {
    let mut largest = None;
    for element in text.split(|byte| *byte == b',').map(trimmed).filter(|element| !element.is_empty()) {
        largest = largest.max(Some(number::integer(element)?));
    }
    largest.map(Duration::from_secs)
}

/// Up to whole milliseconds, because earlier than asked is too early, and at most [`MAX_HINT`].
pub(crate) fn whole_millis(delay: Duration) -> Duration {
    let millis = delay.min(MAX_HINT).as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).map_or(MAX_HINT, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// 2026-11-22T12:00:00Z, a Sunday.
    const NOON: Duration = Duration::from_secs(1_795_348_800);

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + NOON
    }

    fn millis(headers: &[(&str, &str)]) -> Option<u128> {
        hint(429, headers, noon).map(|hint| hint.delay().as_millis())
    }

    fn wall_reads(headers: &[(&str, &str)]) -> u32 {
        let reads = Cell::new(0);
        let _ = hint(429, headers, || {
            reads.set(reads.get() + 1);
            noon()
        });
        reads.get()
    }

    #[test]
    fn each_http_date_form_is_read() {
        for date in ["Sun, 22 Nov 2026 12:00:30 GMT", "Sunday, 22-Nov-26 12:00:30 GMT", "Sun Nov 22 12:00:30 2026"] {
            assert_eq!(millis(&[("retry-after", date)]), Some(30_000), "{date}");
        }
    }

    #[test]
    fn each_http_date_form_serves_as_date() {
        for date in ["Sun, 22 Nov 2026 11:00:00 GMT", "Sunday, 22-Nov-26 11:00:00 GMT", "Sun Nov 22 11:00:00 2026"] {
            let headers = [("date", date), ("retry-after", "Sun, 22 Nov 2026 11:00:30 GMT")];
            assert_eq!(millis(&headers), Some(30_000), "{date}");
            assert_eq!(wall_reads(&headers), 0, "{date}");
        }
    }

    #[test]
    fn the_first_valid_date_line_is_the_reference() {
        let headers = [
            ("date", "yesterday"),
            ("date", "Sun, 22 Nov 2026 12:00:10 GMT"),
            ("date", "Sun, 22 Nov 2026 12:00:20 GMT"),
            ("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT"),
        ];
        assert_eq!(millis(&headers), Some(20_000));
    }

    #[test]
    fn the_wall_clock_is_left_alone_unless_a_date_needs_it() {
        let date = ("date", "Sun, 22 Nov 2026 12:00:00 GMT");
        let moment = "Sun, 22 Nov 2026 12:00:30 GMT";
        assert_eq!(wall_reads(&[]), 0);
        assert_eq!(wall_reads(&[("retry-after", "30")]), 0);
        assert_eq!(wall_reads(&[("retry-after", "Mon, 22 Nov 2026 12:00:30 GMT")]), 0);
        assert_eq!(wall_reads(&[("x-ratelimit-reset-tokens", "55")]), 0);
        assert_eq!(wall_reads(&[("retry-after-ms", "1"), ("retry-after", moment)]), 0);
        assert_eq!(wall_reads(&[date, ("retry-after", moment)]), 0);
        assert_eq!(wall_reads(&[date, ("x-ratelimit-reset-tokens", "1795348830")]), 0);
    }

    #[test]
    fn the_wall_clock_is_read_once_for_any_number_of_dates() {
        let moment = "Sun, 22 Nov 2026 12:00:30 GMT";
        assert_eq!(wall_reads(&[("retry-after", moment)]), 1);
        assert_eq!(wall_reads(&[("date", "yesterday"), ("retry-after", moment)]), 1);
        let passed = ("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT");
        assert_eq!(wall_reads(&[passed, ("x-ratelimit-reset-tokens", "1795348830")]), 1);
        assert_eq!(wall_reads(&[("retry-after", moment), ("retry-after", "Sunday, 22-Nov-26 12:00:30 GMT")]), 1);
        assert_eq!(
            wall_reads(&[
                ("x-ratelimit-reset-requests", "1795348830"),
                ("x-ratelimit-reset-tokens", "2026-11-22T12:00:30Z")
            ]),
            1
        );
    }

    #[test]
    fn a_part_of_a_millisecond_on_the_wall_clock_rounds_up() {
        let wall = || noon() + Duration::from_nanos(999_999_999);
        let hint = hint(429, &[("retry-after", "Sun, 22 Nov 2026 12:00:01 GMT")][..], wall);
        assert_eq!(hint.map(|hint| hint.delay()), Some(Duration::from_millis(1)));
    }

    #[test]
    fn a_wall_clock_at_either_end_of_time_is_only_far_away() {
        let (mut early, mut late) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
        for step in (0..64).rev().map(|power| Duration::from_secs(1 << power)) {
            early = early.checked_sub(step).unwrap_or(early);
            late = late.checked_add(step).unwrap_or(late);
        }
        let full = [("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT")];
        let two_digits = [("retry-after", "Sunday, 22-Nov-26 12:00:30 GMT")];
        let delay = |headers: &[(&str, &str)], wall| hint(429, headers, || wall).map(|hint| hint.delay());
        assert_eq!(delay(&full, early), Some(MAX_HINT));
        assert_eq!(delay(&full, late), None);
        assert_eq!(delay(&two_digits, early), None);
        assert_eq!(delay(&two_digits, late), None);
    }

    #[test]
    fn a_date_that_has_passed_counts_only_by_the_senders_own() {
        let dated = ("date", "Sun, 22 Nov 2026 12:00:30 GMT");
        let dates = ["Sun, 22 Nov 2026 12:00:00 GMT", "Saturday, 21-Nov-26 12:00:00 GMT", "Sun Nov 22 11:59:59 2026"];
        for passed in dates {
            let passed = ("retry-after", passed);
            assert_eq!(millis(&[passed]), None, "{passed:?}");
            assert_eq!(millis(&[("date", "yesterday"), passed]), None, "{passed:?}");
            assert_eq!(millis(&[dated, passed]), Some(0), "{passed:?}");
        }
        for passed in ["1795348800", "1795348800000", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00+01:00"] {
            let empty = ("x-ratelimit-remaining-tokens", "0");
            let passed = ("x-ratelimit-reset-tokens", passed);
            assert_eq!(millis(&[empty, passed]), None, "{passed:?}");
            assert_eq!(millis(&[dated, empty, passed]), Some(0), "{passed:?}");
        }
    }

    #[test]
    fn what_is_ignored_leaves_the_word_to_the_next() {
        let passed = "Sun, 22 Nov 2026 11:00:00 GMT";
        assert_eq!(millis(&[("retry-after", passed), ("x-ratelimit-reset-tokens", "7")]), Some(7_000));
        assert_eq!(millis(&[("retry-after", passed), ("retry-after", "7")]), Some(7_000));
        assert_eq!(millis(&[("retry-after", passed), ("retry-after", "0")]), Some(0));
        let reset = [("x-ratelimit-reset-requests", "1795348000"), ("x-ratelimit-reset-tokens", "7")];
        assert_eq!(millis(&reset), Some(7_000));
    }

    #[test]
    fn a_zero_that_is_said_outright_is_a_hint() {
        for (name, value) in [
            ("retry-after-ms", "0"),
            ("x-ms-retry-after-ms", "0"),
            ("retry-after", "0"),
            ("retry-after", "0.0"),
            ("retry-after", "0s"),
        ] {
            assert_eq!(millis(&[(name, value), ("x-ratelimit-reset-tokens", "7")]), Some(0), "{name}: {value}");
        }
    }

    #[test]
    fn any_status_has_a_hint_for_who_asks_whatever_it_is() {
        let headers = [("retry-after", "300")];
        assert_eq!(hint(403, &headers[..], noon), None);
        assert_eq!(hint_in(&headers[..], noon), Some(Hint::new(Duration::from_secs(300), HintSource::RetryAfter)));
    }

    #[test]
    fn empty_elements_of_a_list_do_not_count() {
        assert_eq!(millis(&[("retry-after", "5,")]), Some(5_000));
        assert_eq!(millis(&[("retry-after", ", ,7 ,\t+6")]), Some(7_000));
        assert_eq!(millis(&[("retry-after", ",")]), None);
        assert_eq!(millis(&[("retry-after", "5, soon")]), None);
        assert_eq!(millis(&[("retry-after", "5, 1.5")]), None);
    }

    #[test]
    fn statuses_without_a_hint_have_none() {
        let read = |status| hint(status, &[("retry-after", "5")][..], noon).is_some();
        assert!([429, 500, 503, 529, 599, 600, 999].into_iter().all(read));
        assert!(![0, 100, 200, 302, 400, 408, 428, 430, 499].into_iter().any(read));
    }

    #[test]
    fn each_hint_names_its_header() {
        for (name, source) in [
            ("retry-after-ms", HintSource::RetryAfterMs),
            ("x-ms-retry-after-ms", HintSource::XMsRetryAfterMs),
            ("retry-after", HintSource::RetryAfter),
        ] {
            let found = hint(429, &[(name, "5")][..], noon).map(|hint| hint.source());
            assert_eq!(found, Some(source));
            assert_eq!(source.to_string(), name);
        }
        let found = hint(429, &[("x-ratelimit-reset-tokens", "5")][..], noon).map(|hint| hint.source());
        assert_eq!(found, Some(HintSource::RateLimitReset));
    }
}
