//! The head of a response, as the core reads it.

use std::fmt;

use crate::retry_after::Headers;

/// The head of a response: a status and the headers as bytes, whichever types the HTTP stack has for them.
#[derive(Clone, Copy)]
pub struct Head<'r> {
    status: u16,
    headers: &'r dyn Headers,
}

impl<'r> Head<'r> {
    /// The head with this status code and these headers.
    #[must_use]
    pub fn new(status: u16, headers: &'r dyn Headers) -> Self {
        Self { status, headers }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'r dyn Headers {
        self.headers
    }
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("status", &self.status).finish_non_exhaustive()
    }
}
