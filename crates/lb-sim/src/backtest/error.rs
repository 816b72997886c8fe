use std::{error::Error as StdError, fmt};

use crate::scenario::ScenarioError;

/// Why a log cannot be simulated on a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum AgainstError {
    /// The log is empty.
    NoAttempts,
    /// No accepted attempt says how many tokens it took, so there are no sizes to simulate with.
    NoSizes,
    /// The log has a backend that the scenario has not.
    UnknownBackend(String),
    /// The log does not say to which of the scenario's backends an attempt went.
    UnnamedBackend,
    /// The log has requests that no backend got, and does not say which attempts are one request.
    UnnumberedRequests,
    /// The scenario cannot be simulated.
    Scenario(ScenarioError),
}

impl From<ScenarioError> for AgainstError {
    fn from(error: ScenarioError) -> Self {
        Self::Scenario(error)
    }
}

impl fmt::Display for AgainstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAttempts => f.write_str("the log is empty"),
            Self::NoSizes => f.write_str("no accepted attempt in the log says how many tokens it took; log `usage`"),
            Self::UnknownBackend(name) => {
                write!(f, "the scenario has no backend `{name}`, which the log has; name its backends alike")
            }
            Self::UnnamedBackend => {
                f.write_str("the log does not name the backend of every attempt, and the scenario has several")
            }
            Self::UnnumberedRequests => f.write_str(
                "the log has requests that no backend got, and lines without `request`; number the requests, so that those \
                 which failed can be told from attempts that failed over",
            ),
            Self::Scenario(error) => error.fmt(f),
        }
    }
}

impl StdError for AgainstError {}
