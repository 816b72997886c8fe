use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// A point on the wall clock, in nanoseconds from the Unix epoch: wide enough for every date and every `SystemTime`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Moment(i128);

impl Moment {
    pub(super) fn from_unix_seconds(seconds: impl Into<i128>) -> Self {
        Self(seconds.into().saturating_mul(NANOS_PER_SECOND))
    }

    pub(super) fn from_unix_millis(millis: u64) -> Self {
        Self(i128::from(millis).saturating_mul(NANOS_PER_MILLI))
    }

    /// Reads ISO 8601 in the profile of RFC 3339, such as `2026-11-22T12:00:30Z`.
    pub(super) fn from_rfc_3339(text: &[u8]) -> Option<Self> {
        // ASCII: chrono would take U+2212 for a minus.
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        let whole = i128::from(time.timestamp()).saturating_mul(NANOS_PER_SECOND);
        Some(Self(whole.saturating_add(time.timestamp_subsec_nanos().into())))
    }

    /// From `earlier` to here; zero if `earlier` is later. Saturates.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0).max(0);
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// The civil time there in UTC, if chrono's calendar reaches so far.
    pub(super) fn calendar(self) -> Option<NaiveDateTime> {
        let seconds = i64::try_from(self.0.div_euclid(NANOS_PER_SECOND)).ok()?;
        Some(DateTime::from_timestamp(seconds, 0)?.naive_utc())
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let nanos = |distance: Duration| i128::try_from(distance.as_nanos()).unwrap_or(i128::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(nanos(after)),
            Err(before) => Self(nanos(before.duration()).saturating_neg()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_distance_overflows() {
        let (first, last) = (Moment(i128::MIN), Moment(i128::MAX));
        assert_eq!(last.since(first), Duration::MAX);
        assert_eq!(first.since(last), Duration::ZERO);
        assert_eq!(first.calendar(), None);
    }

    #[test]
    fn times_before_the_epoch_are_negative() {
        let early = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Moment::from(early), Moment(-1));
        assert_eq!(Moment::from_rfc_3339(b"1969-12-31T23:59:59.999999999Z"), Some(Moment(-1)));
    }

    #[test]
    fn rfc_3339_is_read_as_ascii_with_a_zone() {
        let noon = Some(Moment::from_unix_seconds(1_795_348_800));
        assert_eq!(Moment::from_rfc_3339(b"2026-11-22T12:00:00Z"), noon);
        assert_eq!(Moment::from_rfc_3339(b"2026-11-22T07:00:00-05:00"), noon);
        assert_eq!(Moment::from_rfc_3339(b"2026-11-22T11:59:60.0Z"), noon);
        for text in ["2026-11-22T12:00:00", "2026-11-22", "2026-11-22T07:00:00\u{2212}05:00", "2026-02-30T12:00:00Z"] {
            assert_eq!(Moment::from_rfc_3339(text.as_bytes()), None, "{text}");
        }
    }
}
