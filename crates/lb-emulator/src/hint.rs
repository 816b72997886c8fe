use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use lb_limits::Unit;

use crate::quota::{Refused, View};

/// In which headers a 429 tells how long to wait.
///
/// All forms round up, so that a client that obeys comes late rather than early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HintForm {
    /// `Retry-After` in whole seconds, at least 1: a standard deployment. The default of those.
    #[default]
    Seconds,
    /// `retry-after-ms`, and `Retry-After` beside it: a provisioned deployment. The default of those.
    Millis,
    /// `Retry-After` as an HTTP date (RFC 9110, section 10.2.3), with the `Date` it is relative to.
    Date,
    /// Only `x-ratelimit-remaining-*: 0` and `x-ratelimit-reset-*` of the exhausted limit.
    Reset,
    /// No hint at all, and no `x-ratelimit-*` headers.
    None,
}

impl HintForm {
    /// Adds the headers that say "come back after `hint`".
    pub(crate) fn write(self, headers: &mut HeaderMap, hint: Duration, wall: SystemTime) {
        match self {
            Self::Seconds => {
                headers.insert(header::RETRY_AFTER, seconds(hint).max(1).into());
            }
            Self::Millis => {
                let millis = u64::try_from(hint.as_nanos().div_ceil(1_000_000));
                headers.insert(RETRY_AFTER_MS, millis.unwrap_or(u64::MAX).into());
                headers.insert(header::RETRY_AFTER, seconds(hint).max(1).into());
            }
            Self::Date => {
                // `Date` drops the fraction of the second, so the moment must be rounded up from the whole one: the
                // difference of the two is then never less than the hint.
                let moment = wall.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(hint);
                let whole = UNIX_EPOCH.checked_add(Duration::from_secs(seconds(moment)));
                insert_text(headers, header::DATE, &http_date(wall));
                if let Some(whole) = whole {
                    insert_text(headers, header::RETRY_AFTER, &http_date(whole));
                }
            }
            Self::Reset | Self::None => {}
        }
    }
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const UTILISATION: HeaderName = HeaderName::from_static("azure-openai-deployment-utilization");

/// The last second that has an HTTP date: the end of the year 9999.
const LAST_DATE: u64 = 253_402_300_799;

fn http_date(moment: SystemTime) -> String {
    let last = UNIX_EPOCH + Duration::from_secs(LAST_DATE);
    httpdate::fmt_http_date(moment.clamp(UNIX_EPOCH, last))
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Adds `x-ratelimit-*` for windows and the utilisation for PTU buckets. On a refusal the exhausted unit shows nothing
/// left, and resets when the request would be admitted.
pub(crate) fn write_limits(headers: &mut HeaderMap, form: HintForm, limits: &[View], refused: Option<&Refused>) {
    if refused.is_some() && form == HintForm::None {
        return;
    }
    for view in limits {
        if let Some(used) = view.utilisation {
            let percent = format!("{}.{}%", used / 10, used % 10);
            insert_text(headers, UTILISATION, &percent);
        } else {
            let refused = refused.filter(|refused| refused.unit == view.unit);
            let (remaining, reset) = match refused {
                Some(refused) => (0, refused.hint),
                None => (view.remaining, view.reset),
            };
            write_window(headers, view.unit, Some(view.limit), remaining, reset);
        }
    }
    let provisioned = limits.iter().any(|view| view.utilisation.is_some());
    if let (Some(refused), HintForm::Reset, true) = (refused, form, provisioned) {
        write_window(headers, refused.unit, None, 0, refused.hint);
    }
}

/// The form's headers for a refusal that no limit made.
pub(crate) fn write_scripted(headers: &mut HeaderMap, form: HintForm, hint: Duration) {
    form.write(headers, hint, SystemTime::now());
    if form == HintForm::Reset {
        write_window(headers, Unit::Tokens, None, 0, hint);
    }
}

fn write_window(headers: &mut HeaderMap, unit: Unit, limit: Option<u64>, remaining: u64, reset: Duration) {
    let names = match unit {
        Unit::Requests => {
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
        }
        Unit::Tokens => ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    };
    let values = [limit, Some(remaining), Some(seconds(reset))];
    for (name, value) in names.into_iter().zip(values) {
        let name = HeaderName::from_static(name);
        // The first limit of a unit is the one that is told.
        if let (Some(value), false) = (value, headers.contains_key(&name)) {
            headers.insert(name, value.into());
        }
    }
}

pub(crate) fn insert_text(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: HintForm, hint_ms: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // 1994-11-06 08:49:37.25 GMT, a quarter past the second of RFC 9110's example.
        let wall = UNIX_EPOCH + Duration::from_millis(784_111_777_250);
        form.write(&mut headers, Duration::from_millis(hint_ms), wall);
        headers
    }

    #[test]
    fn seconds_and_milliseconds_are_rounded_up() {
        assert_eq!(written(HintForm::Seconds, 1)["retry-after"], "1");
        assert_eq!(written(HintForm::Seconds, 1_001)["retry-after"], "2");
        let headers = written(HintForm::Millis, 1_500);
        assert_eq!(headers["retry-after-ms"], "1500");
        assert_eq!(headers["retry-after"], "2");
    }

    #[test]
    fn the_date_is_never_earlier_than_the_hint_after_the_date_header() {
        let headers = written(HintForm::Date, 800);
        assert_eq!(headers["date"], "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(headers["retry-after"], "Sun, 06 Nov 1994 08:49:39 GMT");
    }

    #[test]
    fn a_hint_beyond_the_calendar_does_not_panic() {
        let mut headers = HeaderMap::new();
        HintForm::Date.write(&mut headers, Duration::MAX, SystemTime::now());
        assert!(headers.contains_key("date"));
    }
}
