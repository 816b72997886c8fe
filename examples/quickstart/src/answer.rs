//! An answer: what came of one request, as the caller sees it.

use std::{error::Error, fmt};

use lb_core::{Exhausted, Served};

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A backend served it.
    Served {
        /// The backend's name.
        backend: String,
        /// The request's number in the pool's events, if anybody is told of them.
        request: Option<u64>,
    },
    /// It failed, for this reason.
    Failed(String),
}

impl Answer {
    /// A balanced response: its status, and what the balancer left in its extensions.
    #[must_use]
    pub fn balanced(status: u16, served: Option<&Served>, exhausted: Option<&Exhausted>) -> Self {
        match (status, served, exhausted) {
            (200..=299, Some(served), _) => {
                Self::Served { backend: served.backend().to_owned(), request: served.request() }
            }
            (_, Some(served), _) => Self::Failed(format!("status {status} from {}", served.backend())),
            (_, None, Some(_)) => Self::Failed("no backend left".to_owned()),
            (_, None, None) => Self::Failed(format!("status {status}")),
        }
    }

    /// A request without a response, or whose body broke: `error` with its causes.
    #[must_use]
    pub fn failed(error: &(dyn Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let error_text = error.to_string();
            // Some errors print their cause themselves.
            if !text.contains(&error_text) {
                text = format!("{text}: {error_text}");
            }
            cause = error.source();
        }
        Self::Failed(text)
    }

    /// The answer to a request whose body is a stream: it failed if the stream did not come to its end.
    #[must_use]
    pub fn if_complete(self, complete: bool) -> Self {
        match self {
            Self::Served { backend, .. } if !complete => Self::Failed(format!("the stream from {backend} ended early")),
            answer => answer,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served { backend, .. } => write!(f, "served by {backend}"),
            Self::Failed(problem) => f.write_str(problem),
        }
    }
}
