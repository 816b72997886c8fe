//! The options of a pool, as plain data.

use std::time::Duration;

use crate::build_error::BuildError;

/// Users of the Python package `openai_priority_loadbalancer` get 10 s, when no header says otherwise.
const DEFAULT_COOLDOWN: Duration = Duration::from_secs(10);

/// The IETF draft of the RateLimit headers (draft-ietf-httpapi-ratelimit-headers) names ten minutes as a cap. Azure
/// answers 86400 s to one prompt that is larger than the quota: nothing that should take a backend out for a day.
const MAX_COOLDOWN: Duration = Duration::from_secs(600);

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
    /// How long a backend cools down when it gave no usable hint. Default: 10 s. More than zero, at most `max_cooldown`.
    #[cfg_attr(feature = "serde", serde(with = "span"))]
    pub default_cooldown: Duration,
    /// The longest hint that is credible; above it the default cooldown applies. Default: 600 s.
    #[cfg_attr(feature = "serde", serde(with = "span"))]
    pub max_cooldown: Duration,
    /// More statuses that fail over and cool the backend down, from 400 to 499. Default: none; 429 and 5xx always do.
    pub fail_over_on: Vec<u16>,
    /// Whether a timeout or reset after the request went out fails over, and cools the backend down. Default: false.
    pub fail_over_after_send: bool,
    /// Whether exhaustion is always answered with a synthesised 429. Default: false.
    pub always_synthesize: bool,
    /// How many backends one request may try, at least 1. Default: each of the pool once.
    pub max_attempts: Option<u32>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            default_cooldown: DEFAULT_COOLDOWN,
            max_cooldown: MAX_COOLDOWN,
            fail_over_on: Vec::new(),
            fail_over_after_send: false,
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
                "it must be more than zero, else a failing backend is asked again at once",
            );
        }
        if self.default_cooldown > self.max_cooldown {
            return error("default_cooldown", "it is longer than max_cooldown; shorten it or raise max_cooldown");
        }
        if !self.fail_over_on.iter().all(|status| (400..500).contains(status)) {
            return error("fail_over_on", "every status must be from 400 to 499; 5xx always fail over");
        }
        if self.max_attempts == Some(0) {
            return error("max_attempts", "it must be at least 1");
        }
        Ok(())
    }
}

/// Spans of time as text.
#[cfg(feature = "serde")]
mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            D::Error::custom(format!("`{text}` is no span of time ({error}); write \"250ms\" or \"1h 30m\""))
        })
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_by_name_and_written_as_they_are_read() {
        let text = r#"{"default_cooldown":"250ms","fail_over_on":[401,403],"max_attempts":2}"#;
        let options: PoolOptions = serde_json::from_str(text).unwrap();
        let expected = PoolOptions {
            default_cooldown: Duration::from_millis(250),
            fail_over_on: vec![401, 403],
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
        assert!(error(r#"{"max_cooldown":"soon"}"#).contains("`soon` is no span of time"));
        assert!(error(r#"{"max_cooldwn":"1s"}"#).contains("max_cooldwn"));
    }
}
