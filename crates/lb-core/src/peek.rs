//! Streams that answer 200 and then refuse: which are looked into, and what is found there.

use std::time::{Duration, SystemTime};

use crate::{
    outcome::Outcome,
    retry_after::{Headers, Hint, HintSource, hint, is_any_empty, whole_millis},
};

/// How long the first real event of a stream that announces a refusal is waited for. A refusal comes at once, behind
/// events that say nothing; a model may think for longer, and then its caller gets the stream.
pub const PEEK_FOR: Duration = Duration::from_secs(2);

/// The headers of a refusal that no success has.
const ASKS_TO_WAIT: [&str; 3] = ["retry-after", "retry-after-ms", "x-ms-retry-after-ms"];

/// What is known of a refusal inside a 200 stream: what the status would have said, had it waited for the events.
///
/// ```
/// use std::time::Duration;
/// use lb_core::Refusal;
///
/// let refusal = Refusal::new(429).with_retry_after(Duration::from_secs(7));
/// assert_eq!((refusal.status(), refusal.retry_after()), (429, Some(Duration::from_secs(7))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with this status code: 429, or 503 where the service is overloaded.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, retry_after: None }
    }

    /// The same, whose event says when to come back.
    #[must_use]
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// When the event says to come back, if it does; else the head tells.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What it means where these are the response's headers: an answer with this status, and with the event's own hint,
    /// else the head's.
    ///
    /// `wall` is read only to measure a date in a response without a usable `Date` header.
    pub fn outcome(self, headers: &(impl Headers + ?Sized), wall: impl FnOnce() -> SystemTime) -> Outcome {
        let said = self.retry_after.map(|after| Hint::new(whole_millis(after), HintSource::Event));
        Outcome::Answered { status: self.status, hint: said.or_else(|| hint(self.status, headers, wall)) }
    }
}

/// Whether a response announces a refusal that comes inside its stream: a 200 with `text/event-stream` that says when to
/// come back, or that a limit is used up.
///
/// Azure answers so where a stream is refused (earendil-works/pi#7983, sozercan/vekil#266). No success with a
/// `Retry-After` is known. One with `x-ratelimit-remaining-tokens` of zero or less is: the request that used the limit up.
/// So this is a reason to look, and no verdict. `-1` of a limit of `-1`, or of no limit, is Azure's word for "unknown".
///
/// ```
/// use lb_core::announces_refusal;
///
/// let stream = ("content-type", "text/event-stream; charset=utf-8");
/// assert!(announces_refusal(200, &vec![stream, ("retry-after", "7")]));
/// assert!(!announces_refusal(200, &vec![stream, ("x-ratelimit-remaining-tokens", "9000")]));
/// assert!(!announces_refusal(200, &vec![("content-type", "application/json"), ("retry-after", "7")]));
/// ```
#[must_use]
pub fn announces_refusal(status: u16, headers: &(impl Headers + ?Sized)) -> bool {
    status == 200
        && is_event_stream(headers)
        && (ASKS_TO_WAIT.iter().any(|name| has(headers, name)) || is_any_empty(headers))
}

fn has(headers: &(impl Headers + ?Sized), name: &str) -> bool {
    let mut found = false;
    headers.visit(name, &mut |_| found = true);
    found
}

fn is_event_stream(headers: &(impl Headers + ?Sized)) -> bool {
    let mut found = false;
    headers.visit("content-type", &mut |value| {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        found |= media_type.eq_ignore_ascii_case(b"text/event-stream");
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_HINT;

    const STREAM: (&str, &str) = ("content-type", "text/event-stream");

    fn announces(status: u16, headers: &[(&str, &str)]) -> bool {
        announces_refusal(status, headers)
    }

    #[test]
    fn a_stream_that_says_when_to_come_back_announces_a_refusal() {
        for name in ["retry-after", "Retry-After-Ms", "x-ms-retry-after-ms"] {
            for value in ["7", "0", "soon", ""] {
                assert!(announces(200, &[STREAM, (name, value)]), "{name}: {value}");
            }
        }
    }

    #[test]
    fn a_stream_whose_limit_is_used_up_announces_a_refusal() {
        let armed = |lines: &[(&str, &str)]| announces(200, &[&[STREAM], lines].concat());
        assert!(armed(&[("x-ratelimit-remaining-tokens", "0")]));
        assert!(armed(&[("x-ratelimit-remaining-tokens", "-532")]));
        assert!(armed(&[("x-rate-limit-remaining-requests", "0")]));
        assert!(armed(&[("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-remaining-requests", "0")]));
        assert!(armed(&[("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", "-1")]));
        assert!(!armed(&[("x-ratelimit-limit-tokens", "-1"), ("x-ratelimit-remaining-tokens", "-1")]));
        assert!(!armed(&[("x-ratelimit-remaining-tokens", "-1")]));
        assert!(!armed(&[("x-ratelimit-remaining-tokens", "1"), ("x-ratelimit-remaining-requests", "many")]));
        assert!(!armed(&[("x-ratelimit-reset-tokens", "7")]));
        assert!(!armed(&[]));
    }

    #[test]
    fn only_a_200_with_events_is_looked_into() {
        let hint = ("retry-after", "7");
        for status in [201, 204, 206, 301, 429, 503] {
            assert!(!announces(status, &[STREAM, hint]), "{status}");
        }
        for content in ["text/event-stream;charset=utf-8", "Text/Event-Stream", " text/event-stream ; a=b"] {
            assert!(announces(200, &[("content-type", content), hint]), "{content}");
        }
        for content in ["application/json", "text/event-streams", "application/json; x=text/event-stream", ""] {
            assert!(!announces(200, &[("content-type", content), hint]), "{content}");
        }
        assert!(!announces(200, &[hint]));
    }

    #[test]
    fn the_events_own_hint_comes_before_the_heads() {
        let head = [("retry-after", "7")];
        let delay = |refusal: Refusal, headers: &[(&str, &str)]| {
            let outcome = refusal.outcome(headers, || SystemTime::UNIX_EPOCH);
            let Outcome::Answered { status, hint } = outcome else { panic!("{outcome:?}") };
            assert_eq!(status, refusal.status());
            assert_eq!(refusal.retry_after().is_some(), hint.is_some_and(|hint| hint.source() == HintSource::Event));
            hint.map(|hint| (hint.delay(), hint.source()))
        };
        let three = Duration::from_secs(3);
        assert_eq!(delay(Refusal::new(429), &head), Some((Duration::from_secs(7), HintSource::RetryAfter)));
        assert_eq!(delay(Refusal::new(503).with_retry_after(three), &head), Some((three, HintSource::Event)));
        assert_eq!(delay(Refusal::new(429), &[]), None);
        let far = Refusal::new(429).with_retry_after(Duration::MAX);
        assert_eq!(delay(far, &head), Some((MAX_HINT, HintSource::Event)));
    }
}
