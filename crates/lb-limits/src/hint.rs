use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{SECOND, header::HeaderValue};

/// What a service tells clients to wait if waiting never helps, in nanoseconds: a day.
///
/// Seen from Azure OpenAI for a prompt larger than the deployment's tokens per minute.
pub const NEVER_NS: u64 = 86_400 * SECOND;

/// In which headers a refusal tells how long to wait.
///
/// All forms round up, so that a client that obeys comes late rather than early. With the feature `serde` those that
/// need neither a date nor a limit are read: `seconds`, `ms` and `both`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum HintForm {
    /// `Retry-After` in whole seconds: a standard deployment. The default of those.
    #[default]
    Seconds,
    /// `retry-after-ms` alone.
    #[cfg_attr(feature = "serde", serde(rename = "ms"))]
    MillisAlone,
    /// `retry-after-ms`, and `Retry-After` beside it: a provisioned deployment. The default of those.
    #[cfg_attr(feature = "serde", serde(rename = "both"))]
    Millis,
    /// `Retry-After` as an HTTP date (RFC 9110, section 10.2.3), with the `Date` it is relative to.
    #[cfg_attr(feature = "serde", serde(skip))]
    Date,
    /// Only `x-ratelimit-remaining-*: 0` and `x-ratelimit-reset-*` of the exhausted limit.
    #[cfg_attr(feature = "serde", serde(skip))]
    Reset,
    /// No hint at all, and no `x-ratelimit-*` headers.
    #[cfg_attr(feature = "serde", serde(skip))]
    None,
}

/// How long to wait, in the units of the headers that tell it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lb_limits::{Hint, HintForm};
///
/// let hint = Hint::new(HintForm::Millis, Duration::from_micros(1_500_001), SystemTime::UNIX_EPOCH);
/// let headers: Vec<_> = hint.headers().map(|(name, value)| format!("{name}: {value}")).collect();
/// assert_eq!(headers, ["retry-after-ms: 1501", "retry-after: 2"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data, one field per header, that services fill in themselves too")]
pub struct Hint {
    /// `retry-after-ms`.
    pub millis: Option<u64>,
    /// `Retry-After`.
    pub seconds: Option<u64>,
    /// `Date`, in seconds since 1970. `Retry-After` is then a date too, that of so many seconds later.
    pub date: Option<u64>,
}

impl Hint {
    /// What this form tells of a wait that begins at `wall`. Only dates depend on `wall`.
    pub fn new(form: HintForm, wait: Duration, wall: SystemTime) -> Self {
        let millis = Some(whole(wait, 1_000));
        let seconds = Some(whole_seconds(wait));
        match form {
            HintForm::Seconds => Self { seconds, ..Self::default() },
            HintForm::MillisAlone => Self { millis, ..Self::default() },
            HintForm::Millis => Self { millis, seconds, ..Self::default() },
            HintForm::Date => {
                // `Date` drops the fraction of the second, so the moment must be rounded up from the whole one: the
                // difference of the two is then never less than the wait.
                let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
                let moment = whole_seconds(since.saturating_add(wait));
                // A moment that the clock cannot hold is not told.
                let moment =
                    Some(moment).filter(|&moment| UNIX_EPOCH.checked_add(Duration::from_secs(moment)).is_some());
                let seconds = moment.map(|moment| moment - since.as_secs());
                Self { seconds, date: Some(since.as_secs()), ..Self::default() }
            }
            HintForm::Reset | HintForm::None => Self::default(),
        }
    }

    /// Names and values of the headers.
    pub fn headers(self) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        let retry_after = |seconds| match self.date {
            Some(date) => HeaderValue::Date(date.saturating_add(seconds)),
            None => HeaderValue::Number(seconds),
        };
        [
            ("retry-after-ms", self.millis.map(HeaderValue::Number)),
            ("date", self.date.map(HeaderValue::Date)),
            ("retry-after", self.seconds.map(retry_after)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// A wait in whole seconds, rounded up, as headers and error messages tell it.
pub fn whole_seconds(wait: Duration) -> u64 {
    whole(wait, 1)
}

/// A wait in units of which a second has so many, rounded up.
fn whole(wait: Duration, per_second: u32) -> u64 {
    let below = wait.subsec_nanos().div_ceil(1_000_000_000 / per_second);
    wait.as_secs().saturating_mul(per_second.into()).saturating_add(below.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37.25 GMT, a quarter past the second of RFC 9110's example.
    const WALL: Duration = Duration::from_millis(784_111_777_250);

    fn told(form: HintForm, wait: Duration) -> Vec<String> {
        let hint = Hint::new(form, wait, UNIX_EPOCH + WALL);
        hint.headers().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn seconds_and_milliseconds_are_rounded_up() {
        let wait = Duration::from_millis;
        assert_eq!(told(HintForm::Seconds, wait(1)), ["retry-after: 1"]);
        assert_eq!(told(HintForm::Seconds, wait(1_001)), ["retry-after: 2"]);
        assert_eq!(told(HintForm::Millis, wait(1_500)), ["retry-after-ms: 1500", "retry-after: 2"]);
        assert_eq!(told(HintForm::MillisAlone, Duration::from_nanos(1_000_001)), ["retry-after-ms: 2"]);
        assert_eq!(told(HintForm::Millis, Duration::ZERO), ["retry-after-ms: 0", "retry-after: 0"]);
    }

    #[test]
    fn the_date_is_never_earlier_than_the_hint_after_the_date_header() {
        let expected = ["date: Sun, 06 Nov 1994 08:49:37 GMT", "retry-after: Sun, 06 Nov 1994 08:49:39 GMT"];
        assert_eq!(told(HintForm::Date, Duration::from_millis(800)), expected);
    }

    #[test]
    fn waits_beyond_what_a_form_can_say_are_told_as_far_as_it_goes() {
        let most = u64::MAX;
        let expected = [format!("retry-after-ms: {most}"), format!("retry-after: {most}")];
        assert_eq!(told(HintForm::Millis, Duration::MAX), expected);
        let date = "date: Sun, 06 Nov 1994 08:49:37 GMT";
        let end_of_the_calendar = [date, "retry-after: Fri, 31 Dec 9999 23:59:59 GMT"];
        assert_eq!(told(HintForm::Date, Duration::from_secs(1 << 40)), end_of_the_calendar);
        assert_eq!(told(HintForm::Date, Duration::MAX), [date]);
    }

    #[test]
    fn the_other_forms_have_no_retry_after() {
        assert!(told(HintForm::Reset, WALL).is_empty() && told(HintForm::None, WALL).is_empty());
    }
}
