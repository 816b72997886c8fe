use std::time::Duration;

use super::{
    headers::{self, Headers, longest},
    moment::Moment,
    number,
};

/// From this number on, a whole number is a Unix time in seconds (2001): as a delay it would be 31 years.
const UNIX_SECONDS: u64 = 1_000_000_000;

/// From this number on, it is a Unix time in milliseconds (2001): in seconds it would be the year 33658.
const UNIX_MILLIS: u64 = 1_000_000_000_000;

/// What a rate limit counts, by the names of its headers in the two spellings.
struct Bucket {
    limit: [&'static str; 2],
    remaining: [&'static str; 2],
    reset: [&'static str; 2],
}

const BUCKETS: [Bucket; 2] = [
    Bucket {
        limit: ["x-ratelimit-limit-requests", "x-rate-limit-limit-requests"],
        remaining: ["x-ratelimit-remaining-requests", "x-rate-limit-remaining-requests"],
        reset: ["x-ratelimit-reset-requests", "x-rate-limit-reset-requests"],
    },
    Bucket {
        limit: ["x-ratelimit-limit-tokens", "x-rate-limit-limit-tokens"],
        remaining: ["x-ratelimit-remaining-tokens", "x-rate-limit-remaining-tokens"],
        reset: ["x-ratelimit-reset-tokens", "x-rate-limit-reset-tokens"],
    },
];

/// Whether a bucket is empty, as far as its own headers tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Yes,
    Perhaps,
    No,
}

impl Bucket {
    /// Whether the request may have failed for want of this bucket; without a word about what remains, it may.
    fn emptiness(&self, headers: &(impl Headers + ?Sized)) -> Empty {
        match lowest(headers, &self.remaining) {
            // Azure's Responses API sends -1 of -1 for "unknown"; -1 of a real limit is a bucket overdrawn.
            Some(-1) => match lowest(headers, &self.limit) {
                Some(-1) => Empty::No,
                Some(_) => Empty::Yes,
                None => Empty::Perhaps,
            },
            Some(remaining) if remaining > 0 => Empty::No,
            Some(_) => Empty::Yes,
            None => Empty::Perhaps,
        }
    }

    /// How long it is until this bucket is full again, if that can be why the request was refused.
    fn wait(&self, headers: &(impl Headers + ?Sized), until: impl Fn(Moment) -> Option<Duration>) -> Option<Duration> {
        let empty = self.emptiness(headers);
        if empty == Empty::No {
            return None;
        }
        // If the bucket may have been full all along, zero explains nothing, and as a hint it would call everybody back.
        longest(headers, &self.reset, |text| read(text, &until)).filter(|delay| !delay.is_zero() || empty == Empty::Yes)
    }
}

/// Whether a bucket is used up by its own word. Azure's "unknown" is none.
pub(crate) fn is_any_empty(headers: &(impl Headers + ?Sized)) -> bool {
    BUCKETS.iter().any(|bucket| bucket.emptiness(headers) == Empty::Yes)
}

/// The longest wait for a bucket that may be empty.
pub(super) fn longest_reset(
    headers: &(impl Headers + ?Sized),
    until: impl Fn(Moment) -> Option<Duration>,
) -> Option<Duration> {
    BUCKETS.iter().filter_map(|bucket| bucket.wait(headers, &until)).max()
}

fn read(text: &[u8], until: impl Fn(Moment) -> Option<Duration>) -> Option<Duration> {
    match number::integer(text) {
        Some(value) if value >= UNIX_MILLIS => until(Moment::from_unix_millis(value)),
        Some(value) if value >= UNIX_SECONDS => until(Moment::from_unix_seconds(value)),
        Some(value) => Some(Duration::from_secs(value)),
        None => number::go_duration(text).or_else(|| Moment::from_rfc_3339(text).and_then(until)),
    }
}

/// The least of all lines: if they disagree, the bucket that has run dry is the safe guess.
fn lowest(headers: &(impl Headers + ?Sized), names: &[&str]) -> Option<i64> {
    let mut lowest: Option<i64> = None;
    for name in names {
        headers::usable(headers, name, |text| {
            if let Some(value) = number::signed(text) {
                lowest = Some(lowest.map_or(value, |low| low.min(value)));
            }
        });
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(headers: &[(&str, &str)]) -> Option<u64> {
        longest_reset(headers, |moment| Some(moment.since(Moment::from_unix_seconds(1_795_348_800))))
            .map(|delay| delay.as_secs())
    }

    #[test]
    fn a_number_becomes_a_unix_time_where_a_delay_would_be_absurd() {
        let seconds = |reset| seconds(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)]);
        assert_eq!(seconds("999999999"), Some(999_999_999));
        assert_eq!(seconds("1000000000"), Some(0));
        assert_eq!(seconds("1795348801"), Some(1));
        assert_eq!(seconds("999999999999"), Some(u64::MAX));
        assert_eq!(seconds("1000000000000"), Some(0));
        assert_eq!(seconds("1795348801000"), Some(1));
    }

    #[test]
    fn a_bucket_with_room_is_no_reason_to_wait() {
        let reset = ("x-ratelimit-reset-tokens", "7");
        assert_eq!(seconds(&[reset, ("x-ratelimit-remaining-tokens", "1")]), None);
        assert_eq!(seconds(&[reset, ("x-rate-limit-remaining-tokens", "1")]), None);
        assert_eq!(seconds(&[reset, ("x-ratelimit-remaining-requests", "1")]), Some(7));
        assert_eq!(seconds(&[reset, ("x-ratelimit-remaining-tokens", "0")]), Some(7));
        assert_eq!(seconds(&[reset, ("x-ratelimit-remaining-tokens", "many")]), Some(7));
    }

    #[test]
    fn a_reset_of_zero_counts_only_of_a_bucket_that_is_empty() {
        for zero in ["0", "0s", "1795348800", "1795348000000", "2026-11-22T11:00:00Z"] {
            let reset = ("x-ratelimit-reset-tokens", zero);
            let remaining = |value| ("x-ratelimit-remaining-tokens", value);
            let limit = |value| ("x-ratelimit-limit-tokens", value);
            assert_eq!(seconds(&[reset]), None, "{zero}");
            assert_eq!(seconds(&[remaining("many"), reset]), None, "{zero}");
            assert_eq!(seconds(&[remaining("-1"), reset]), None, "{zero}");
            assert_eq!(seconds(&[limit("-1"), remaining("-1"), reset]), None, "{zero}");
            assert_eq!(seconds(&[("x-ratelimit-remaining-requests", "0"), reset]), None, "{zero}");
            assert_eq!(seconds(&[remaining("0"), reset]), Some(0), "{zero}");
            assert_eq!(seconds(&[remaining("-532"), reset]), Some(0), "{zero}");
            assert_eq!(seconds(&[limit("1000"), remaining("-1"), reset]), Some(0), "{zero}");
        }
    }

    #[test]
    fn lines_that_disagree_about_room_mean_none() {
        let remaining = |value| ("x-ratelimit-remaining-tokens", value);
        let reset = ("x-ratelimit-reset-tokens", "7");
        assert_eq!(seconds(&[remaining("5"), remaining("0"), reset]), Some(7));
        assert_eq!(seconds(&[remaining("0"), remaining("5"), reset]), Some(7));
    }

    #[test]
    fn minus_one_means_unknown_only_of_a_limit_of_minus_one() {
        let (remaining, reset) = (("x-ratelimit-remaining-tokens", "-1"), ("x-ratelimit-reset-tokens", "7"));
        assert_eq!(seconds(&[remaining, reset]), Some(7));
        assert_eq!(seconds(&[("x-ratelimit-limit-tokens", "1000"), remaining, reset]), Some(7));
        assert_eq!(seconds(&[("x-ratelimit-limit-tokens", "-1"), remaining, reset]), None);
    }

    #[test]
    fn both_spellings_are_one_bucket_and_the_later_reset_decides() {
        let headers = [("x-ratelimit-reset-requests", "3"), ("x-rate-limit-reset-requests", "4")];
        assert_eq!(seconds(&headers), Some(4));
    }
}
