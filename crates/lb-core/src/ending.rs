//! How a request ended.

use std::fmt;

/// How a request ended, all its attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// A backend served it: a 2xx or a 3xx.
    Served,
    /// Its caller got a backend's own answer or error that is no success, because it is the caller's, because the request was
    /// not repeated, or because none was left.
    Returned,
    /// No backend was left, and its caller was told so: by a synthesised answer, or by
    /// [`Error::Exhausted`](crate::Error::Exhausted).
    Exhausted,
    /// Its caller gave it up, or it could not be sent: it could not be addressed, or its body failed before the first attempt.
    Cancelled,
    /// A [wish](crate::WishError) of it could not be granted, so that nothing was sent.
    Refused,
}

impl Ending {
    /// In one word, as `Display` says it: `served`, `returned`, `exhausted`, `cancelled` or `refused`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Returned => "returned",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
