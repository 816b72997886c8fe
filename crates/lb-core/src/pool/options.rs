//! The options of a pool, as plain data.

use std::{collections::BTreeMap, time::Duration};

use crate::{build_error::BuildError, pool::waiting::Wait};

/// Users of the Python package `openai_priority_loadbalancer` get 10 s, when no header says otherwise.
const DEFAULT_COOLDOWN: Duration = Duration::from_secs(10);

/// The IETF draft of the RateLimit headers (draft-ietf-httpapi-ratelimit-headers) names ten minutes as a cap. Azure
/// answers 86400 s to one prompt that is larger than the quota: nothing that should take a backend out for a day.
const MAX_COOLDOWN: Duration = Duration::from_secs(600);

/// One bad prompt must take nobody out, and a second request in a row is hardly the prompt's doing: `docs/policies.md` has
/// the figures.
const STRIKES: u32 = 2;

/// As long as a backend that was throttled without a word is left alone.
const PROBE_AFTER: Duration = DEFAULT_COOLDOWN;

/// The options of a pool, as plain data: what a file of settings says, and what [`PoolBuilder`](crate::PoolBuilder) sets
/// one by one. They are checked when a pool is built of them.
///
/// With the feature `serde` they are read and written with the names below, and spans of time as text such as `"250ms"`,
/// `"10s"` or `"1h 30m"`. What is not there has its default, and a name that does not exist is an error.
///
/// ```
/// use lb_core::{Backend, Pool, PoolOptions};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let mut options = PoolOptions::default();
/// options.max_cooldown = Duration::from_secs(120);
/// let pool = Pool::builder().options(options).backend(Backend::new("a.openai.azure.com", 1)?).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct PoolOptions {
    /// How long a backend cools down after a 429 without a hint. Default: 10 s. More than zero, at most `max_cooldown`.
    #[cfg_attr(feature = "serde", serde(with = "span"))]
    pub default_cooldown: Duration,
    /// The longest hint that is credible; a 429 with a longer one is a strike. Also the longest time between two probes of
    /// a suspect. Default: 600 s.
    #[cfg_attr(feature = "serde", serde(with = "span"))]
    pub max_cooldown: Duration,
    /// How many requests in a row must strike a backend to make it suspect, at least 1. Default: 2.
    pub strikes: u32,
    /// How long after its last failure one request asks a suspect first, to see. Default: 10 s. More than zero.
    #[cfg_attr(feature = "serde", serde(with = "span"))]
    pub probe_after: Duration,
    /// From when on an attempt that its caller drops without a head is a strike. Default: never.
    #[cfg_attr(feature = "serde", serde(with = "optional_span", skip_serializing_if = "Option::is_none"))]
    pub stalled_after: Option<Duration>,
    /// What is done about statuses from 400 to 499 other than 429. Default: as the [table](crate::outcome) says.
    #[cfg_attr(feature = "serde", serde(with = "by_status"))]
    pub on_status: BTreeMap<u16, StatusAction>,
    /// Whether a timeout or reset after the request went out fails over. Default: false.
    pub fail_over_after_send: bool,
    /// Whether a 2xx with an HTML page fails over. Default: false.
    pub reject_html: bool,
    /// Whether a 200 stream whose head announces a refusal is held until its first real event. Default: true.
    pub peek: bool,
    /// How long, and how many, requests wait where all backends are cooling. Default: none waits.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub wait: Option<Wait>,
    /// No attempt of a request begins later than so long after the request. Default: never too late.
    #[cfg_attr(feature = "serde", serde(with = "optional_span", skip_serializing_if = "Option::is_none"))]
    pub deadline: Option<Duration>,
    /// A failure after which the request may have been executed is returned if it came later than this. Default: it fails
    /// over however late it is.
    #[cfg_attr(feature = "serde", serde(with = "optional_span", skip_serializing_if = "Option::is_none"))]
    pub fail_over_within: Option<Duration>,
    /// Whether a request whose path names something that is stored at one resource stays where it was sent. Default: false.
    pub guard_stateful_paths: bool,
    /// Whether exhaustion is always answered with a synthesised 429. Default: false.
    pub always_synthesize: bool,
    /// How many attempts one request may make, at least 1. Default: each backend of the pool once.
    pub max_attempts: Option<u32>,
}

/// What is done about a status of the 4xx class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum StatusAction {
    /// The answer is the caller's; the backend is alive.
    Return,
    /// The request goes to the next backend; this one is alive, and not to blame.
    FailOver,
    /// The request goes to the next backend; this one cools down until its hint, else for the default.
    FailOverAndCool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            default_cooldown: DEFAULT_COOLDOWN,
            max_cooldown: MAX_COOLDOWN,
            strikes: STRIKES,
            probe_after: PROBE_AFTER,
            stalled_after: None,
            on_status: BTreeMap::new(),
            fail_over_after_send: false,
            reject_html: false,
            peek: true,
            wait: None,
            deadline: None,
            fail_over_within: None,
            guard_stateful_paths: false,
            always_synthesize: false,
            max_attempts: None,
        }
    }
}

impl PoolOptions {
    /// Says which option is out of range.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        let error = |option, problem| Err(BuildError::Option { option, problem });
        if self.default_cooldown.is_zero() {
            return error(
                "default_cooldown",
                "it must be more than zero, else a throttled backend is asked again at once",
            );
        }
        if self.default_cooldown > self.max_cooldown {
            return error("default_cooldown", "it is longer than max_cooldown; shorten it or raise max_cooldown");
        }
        if self.strikes == 0 {
            return error("strikes", "it must be at least 1, which makes a backend suspect by its first failure");
        }
        if self.probe_after.is_zero() {
            return error(
                "probe_after",
                "it must be more than zero, else a failing backend is asked first by everybody",
            );
        }
        if self.probe_after > self.max_cooldown {
            return error("probe_after", "it is longer than max_cooldown; shorten it or raise max_cooldown");
        }
        if self.stalled_after.is_some_and(|after| after.is_zero()) {
            return error("stalled_after", "it must be more than zero, else every dropped request is a strike");
        }
        if !self.on_status.keys().all(|status| (400..500).contains(status) && *status != 429) {
            return error(
                "on_status",
                "every status must be from 400 to 499 and not 429; 429 and 5xx always fail over",
            );
        }
        if self.wait.is_some_and(|wait| wait.longest.is_zero() || wait.queue == 0) {
            return error("wait", "longest and queue must be more than zero; without the option nobody waits");
        }
        if self.deadline.is_some_and(|deadline| deadline.is_zero()) {
            return error("deadline", "it must be more than zero, else no request is sent");
        }
        if self.fail_over_within.is_some_and(|within| within.is_zero()) {
            return error("fail_over_within", "it must be more than zero, else no timeout and no 5xx fails over");
        }
        if self.max_attempts == Some(0) {
            return error("max_attempts", "it must be at least 1");
        }
        Ok(())
    }
}

/// Spans of time as text.
#[cfg(feature = "serde")]
pub(super) mod span {
    use std::{fmt, time::Duration};

    use serde::{
        Deserializer, Serializer,
        de::{Error, Unexpected, Visitor},
    };

    pub(in crate::pool) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    pub(in crate::pool) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(Text)
    }

    /// Takes text, and says what it looks like to those who write a number.
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a span of time with its unit, such as \"250ms\" or \"1h 30m\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            // Whoever prints the error decides whether the text is in it: it may be anything that stands in the wrong place.
            humantime::parse_duration(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
}

/// A span of time as text, or nothing.
#[cfg(feature = "serde")]
mod optional_span {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::span::serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::span::deserialize(deserializer).map(Some)
    }
}

/// Actions by status. The keys of a table are text in most formats.
#[cfg(feature = "serde")]
mod by_status {
    use std::collections::BTreeMap;

    use serde::{
        Deserialize, Deserializer, Serializer,
        de::{Error, Unexpected},
    };

    use super::StatusAction;

    pub(super) fn serialize<S: Serializer>(
        actions: &BTreeMap<u16, StatusAction>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(actions.iter().map(|(status, action)| (status.to_string(), action)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u16, StatusAction>, D::Error> {
        let actions = BTreeMap::<String, StatusAction>::deserialize(deserializer)?;
        let read = |(status, action): (String, _)| match status.parse() {
            Ok(status) => Ok((status, action)),
            Err(_) => {
                let wanted = "a status, as in \"404\" = \"fail-over\"";
                Err(D::Error::invalid_value(Unexpected::Str(&status), &wanted))
            }
        };
        actions.into_iter().map(read).collect()
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_by_name_and_written_as_they_are_read() {
        let text = r#"{"default_cooldown":"250ms","stalled_after":"45s","on_status":{"404":"fail-over-and-cool"},"max_attempts":2}"#;
        let options: PoolOptions = serde_json::from_str(text).unwrap();
        let expected = PoolOptions {
            default_cooldown: Duration::from_millis(250),
            stalled_after: Some(Duration::from_secs(45)),
            on_status: BTreeMap::from([(404, StatusAction::FailOverAndCool)]),
            max_attempts: Some(2),
            ..PoolOptions::default()
        };
        assert_eq!(options, expected);
        let written = serde_json::to_string(&options).unwrap();
        assert!(written.contains(r#""max_cooldown":"10m""#), "{written}");
        assert_eq!(serde_json::from_str::<PoolOptions>(&written).unwrap(), options);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = |text| serde_json::from_str::<PoolOptions>(text).unwrap_err().to_string();
        assert!(
            error(r#"{"max_cooldown":"soon"}"#).contains("\"soon\", expected a span of time with its unit, such as")
        );
        assert!(error(r#"{"max_cooldown":120}"#).contains("expected a span of time"));
        assert!(error(r#"{"max_cooldwn":"1s"}"#).contains("max_cooldwn"));
        assert!(
            error(r#"{"on_status":{"not found":"fail-over"}}"#).contains("\"not found\", expected a status, as in")
        );
        assert!(error(r#"{"on_status":{"404":"ignore"}}"#).contains("fail-over-and-cool"));
    }
}
