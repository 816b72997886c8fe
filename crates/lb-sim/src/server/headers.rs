use std::io::Write as _;

use lb_core::Headers;

use crate::scenario::{HintForm, HintPolicy, Hints};

/// What a refusal tells about the time to wait, in whole units as the headers have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advice {
    /// `retry-after-ms`.
    pub millis: Option<u64>,
    /// `retry-after`.
    pub seconds: Option<u64>,
}

/// What Azure OpenAI was seen to answer to a prompt that can never be let in.
const NEVER_SECONDS: u64 = 86_400;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

impl Advice {
    /// What a backend with these hints tells, if the wait really is `hint` nanoseconds (`None`: for ever).
    #[must_use]
    pub fn new(hints: &Hints, constant: u64, hint: Option<u64>) -> Self {
        let exact = hint.unwrap_or(NEVER_SECONDS * SECOND);
        let told = match hints.policy {
            HintPolicy::Exact => exact,
            HintPolicy::Ceiling => exact.div_ceil(SECOND).saturating_mul(SECOND),
            HintPolicy::Constant => constant,
            HintPolicy::Optimistic => exact.min(constant),
            HintPolicy::Zero => 0,
            HintPolicy::None => return Self::default(),
        };
        let (millis, seconds) = (told.div_ceil(MILLI), told.div_ceil(SECOND));
        match hints.form {
            HintForm::Seconds => Self { millis: None, seconds: Some(seconds) },
            HintForm::Ms => Self { millis: Some(millis), seconds: None },
            HintForm::Both => Self { millis: Some(millis), seconds: Some(seconds) },
        }
    }
}

/// The headers of a refusal, as bytes on the wire: they go through lb-core's parser like a real response's.
#[derive(Debug, Clone, Copy)]
pub struct HeaderLines {
    millis: Digits,
    seconds: Digits,
}

impl HeaderLines {
    /// The lines that tell this.
    #[must_use]
    pub fn new(advice: Advice) -> Self {
        Self { millis: Digits::new(advice.millis), seconds: Digits::new(advice.seconds) }
    }
}

impl Headers for HeaderLines {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        let digits = match name {
            "retry-after-ms" => &self.millis,
            "retry-after" => &self.seconds,
            _ => return,
        };
        if digits.length > 0 {
            visit(&digits.bytes[..digits.length]);
        }
    }
}

/// A number in decimal digits; none if the length is zero.
#[derive(Debug, Clone, Copy)]
struct Digits {
    bytes: [u8; 20],
    length: usize,
}

impl Digits {
    fn new(number: Option<u64>) -> Self {
        let mut bytes = [0; 20];
        let mut rest = &mut bytes[..];
        if let Some(number) = number {
            // 20 digits hold every number.
            let _ = write!(rest, "{number}");
        }
        let length = 20 - rest.len();
        Self { bytes, length }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::scenario::Span;

    fn heard(policy: HintPolicy, form: HintForm, hint: Option<u64>) -> Option<Duration> {
        let hints = Hints { policy, form, constant: Some(Span::from_secs(2)), ..Hints::default() };
        let lines = HeaderLines::new(Advice::new(&hints, 2 * SECOND, hint));
        lb_core::hint(429, &lines, || SystemTime::UNIX_EPOCH).map(|hint| hint.delay())
    }

    #[test]
    fn the_balancer_hears_what_the_policy_tells() {
        let wait = Some(3 * SECOND + 1);
        assert_eq!(heard(HintPolicy::Exact, HintForm::Ms, wait), Some(Duration::from_millis(3_001)));
        assert_eq!(heard(HintPolicy::Exact, HintForm::Both, wait), Some(Duration::from_millis(3_001)));
        assert_eq!(heard(HintPolicy::Exact, HintForm::Seconds, wait), Some(Duration::from_secs(4)));
        assert_eq!(heard(HintPolicy::Ceiling, HintForm::Both, wait), Some(Duration::from_secs(4)));
        assert_eq!(heard(HintPolicy::Constant, HintForm::Both, wait), Some(Duration::from_secs(2)));
        assert_eq!(heard(HintPolicy::Optimistic, HintForm::Both, wait), Some(Duration::from_secs(2)));
        assert_eq!(heard(HintPolicy::Optimistic, HintForm::Both, Some(SECOND)), Some(Duration::from_secs(1)));
        assert_eq!(heard(HintPolicy::Zero, HintForm::Both, wait), Some(Duration::ZERO));
        assert_eq!(heard(HintPolicy::None, HintForm::Both, wait), None);
        assert_eq!(heard(HintPolicy::Exact, HintForm::Both, None), Some(Duration::from_secs(86_400)));
    }
}
