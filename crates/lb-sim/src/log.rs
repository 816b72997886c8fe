//! Request logs: what was sent to which backend, and what came of it.
//!
//! A log has one line per attempt at one backend, as CSV with a header line or as JSON lines:
//!
//! | column | what | may be empty |
//! | --- | --- | --- |
//! | `start`, `end` | when it was sent and when its last byte came: seconds from any moment, or RFC 3339 | `end`, if refused |
//! | `start_ns`, `end_ns` | the same in whole nanoseconds, instead of `start` and `end` | `end_ns`, if refused |
//! | `prompt_tokens` | `usage.prompt_tokens`, cached ones included | yes |
//! | `cached_tokens` | `usage.prompt_tokens_details.cached_tokens` | yes: none |
//! | `max_tokens` | what the request said | yes: nothing |
//! | `completion_tokens` | `usage.completion_tokens` | yes |
//! | `status` | the HTTP status; 429 for a refusal inside a 200 as well, 0 without an answer | no |
//! | `hint_ms` | `retry-after-ms`, or `retry-after` x 1,000 | yes |
//! | `backend` | the backend's name; the column may be missing | yes |
//! | `request` | what the lines of one request have in common, unique in the log; the column may be missing | yes |
//!
//! A request that the application saw fail without an attempt, because the pool had no backend for it, has a line too:
//! one without a backend, in a log whose other lines name theirs. Its status is what the application got, 429 or 503, or 0;
//! its hint is the pool's. A request that was refused after attempts may have such a line after theirs.
//!
//! Columns are found by name and others are ignored. JSON lines have them as keys, absent ones being empty.
//!
//! ```
//! let log = lb_sim::log::Log::parse(
//!     "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms\n\
//!      0.000,1.250,900,0,400,87,200,\n\
//!      0.100,,,,,,429,5600\n",
//! )?;
//! assert_eq!(log.attempts()[1].hint_ms, Some(5_600));
//! # Ok::<(), lb_sim::log::LogError>(())
//! ```

mod error;
mod read;
mod write;

use std::{collections::BTreeSet, fs, path::Path};

use serde::Serialize;

pub use error::LogError;
pub use write::LogWriter;

/// Attempts at backends, and requests that no backend got, each in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    attempts: Vec<Attempt>,
    unsent: Vec<Attempt>,
}

/// One request as one backend saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "who writes a log must say all that a line has")]
pub struct Attempt {
    /// When it was sent: nanoseconds from any moment.
    #[serde(rename = "start_ns")]
    pub start: u64,
    /// When the last byte of its answer came: nanoseconds from the same moment.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// Tokens of the prompt, cached ones included; `None` if nobody counted.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the prompt that came from the cache.
    pub cached_tokens: u64,
    /// What the request said as `max_tokens`.
    pub max_tokens: Option<u64>,
    /// Tokens of the completion; `None` if nobody counted.
    pub completion_tokens: Option<u64>,
    /// The HTTP status, or 0 without an answer.
    pub status: u16,
    /// How long the backend said to wait, in milliseconds.
    pub hint_ms: Option<u64>,
    /// The backend's name; `None` if the log is of one backend, or for a request that no backend got.
    pub backend: Option<String>,
    /// What the lines of one request have in common.
    pub request: Option<String>,
}

impl Log {
    /// A log of these lines. If any of them names a backend, those that name none and did not succeed are requests that
    /// no backend got.
    #[must_use]
    pub fn new(lines: impl IntoIterator<Item = Attempt>) -> Self {
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort_by_key(|line| line.start);
        let is_named = lines.iter().any(|line| line.backend.is_some());
        let is_sent = |line: &Attempt| line.backend.is_some() || line.is_accepted() || !is_named;
        let (attempts, unsent) = lines.into_iter().partition(is_sent);
        Self { attempts, unsent }
    }

    /// The log in a file, CSV or JSON lines.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, a column is missing, or a value is none; with file and line.
    pub fn read(file: impl AsRef<Path>) -> Result<Self, LogError> {
        let file = file.as_ref();
        let text = fs::read_to_string(file).map_err(|error| LogError::unreadable(&error).in_file(file))?;
        Self::parse(&text).map_err(|error| error.in_file(file))
    }

    /// The log in a text, CSV or JSON lines.
    ///
    /// # Errors
    ///
    /// As [`read`](Log::read), without the file.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        read::attempts(text).map(Self::new)
    }

    /// The attempts, in the order in which they were sent.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The lines of requests that the pool refused, in order of time: no backend got these requests, or none got them
    /// again.
    #[must_use]
    pub fn unsent(&self) -> &[Attempt] {
        &self.unsent
    }

    /// The names of the backends that occur, in alphabetical order.
    #[must_use]
    pub fn backends(&self) -> BTreeSet<&str> {
        self.attempts.iter().filter_map(|attempt| attempt.backend.as_deref()).collect()
    }

    /// The attempts at one backend only.
    #[must_use]
    pub fn of_backend(&self, name: &str) -> Self {
        let is_its = |attempt: &&Attempt| attempt.backend.as_deref() == Some(name);
        Self { attempts: self.attempts.iter().filter(is_its).cloned().collect(), unsent: Vec::new() }
    }

    /// When the first line begins, in nanoseconds.
    #[must_use]
    pub fn begin(&self) -> u64 {
        [&self.attempts, &self.unsent].into_iter().filter_map(|lines| lines.first()).map(|l| l.start).min().unwrap_or(0)
    }

    /// From the first line's beginning to the last one's, in nanoseconds.
    #[must_use]
    pub fn span(&self) -> u64 {
        let last = [&self.attempts, &self.unsent].into_iter().filter_map(|lines| lines.last()).map(|l| l.start).max();
        last.unwrap_or(0) - self.begin()
    }
}

impl Attempt {
    /// Whether the backend served it.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether the backend refused it for its load.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.status == 429
    }
}
