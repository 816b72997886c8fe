//! Why an attempt failed, as far as anybody said.

use std::{fmt, sync::Arc};

use crate::{outcome::Reason, retry_after::Headers};

/// No more of a text is kept: as long as [`causes`](crate::causes) makes it.
const MAX_TEXT: usize = 300;

/// No longer request id is kept; those of Azure have 36 characters.
const MAX_REQUEST_ID: usize = 128;

/// Where an answer says its request id, the first that is there: Azure's gateway, then the service and OpenAI.
const REQUEST_ID: [&str; 2] = ["apim-request-id", "x-request-id"];

/// What is known about a failure beside its kind: given to [`Dispatch::settle_with`](crate::Dispatch::settle_with).
///
/// ```
/// use lb_core::Detail;
///
/// let of_an_error = Detail::from_text(&lb_core::causes(&std::io::Error::other("certificate expired")));
/// let of_an_answer = Detail::from_headers([("apim-request-id", "0f8fad5b")].as_slice());
/// # let _ = (of_an_error, of_an_answer);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    text: Option<Box<str>>,
    request_id: Option<Box<str>>,
}

impl Detail {
    /// What an error says, without URL, query or secret; what is beyond 300 characters is cut, and control characters are
    /// blanks.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let end = text.char_indices().nth(MAX_TEXT).map_or(text.len(), |(end, _)| end);
        Self { text: Some(text[..end].replace(char::is_control, " ").into()), request_id: None }
    }

    /// What the head of an answer says about its request: `apim-request-id`, else `x-request-id`, of up to 128 visible
    /// ASCII characters. It is what Azure's support asks for.
    #[must_use]
    pub fn from_headers(headers: &(impl Headers + ?Sized)) -> Self {
        let mut request_id = None;
        for name in REQUEST_ID {
            headers.visit(name, &mut |value| {
                if request_id.is_none() && value.len() <= MAX_REQUEST_ID && value.iter().all(u8::is_ascii_graphic) {
                    request_id = std::str::from_utf8(value).ok().filter(|id| !id.is_empty()).map(Box::from);
                }
            });
        }
        Self { text: None, request_id }
    }
}

/// Why an attempt failed: its kind, and what the error or the answer said about it.
///
/// It has no URL, no query and no secret. Its text may name a host that was met on the way (one that a certificate is
/// for, a proxy), so it is for logs and operators; [`Exhausted`](crate::Exhausted)'s body leaves it out.
///
/// Clones share what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    reason: Reason,
    /// Nothing is allocated where nothing was said.
    detail: Option<Arc<Detail>>,
}

impl Cause {
    pub(crate) fn new(reason: Reason, detail: Detail) -> Self {
        let detail = (detail != Detail::default()).then(|| Arc::new(detail));
        Self { reason, detail }
    }

    /// What kind of failure it was.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// What the error and its causes said, in a line of at most 300 characters; `None` where an answer came.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.detail.as_ref()?.text.as_deref()
    }

    /// The answer's request id, for the vendor's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.detail.as_ref()?.request_id.as_deref()
    }
}

/// The reason, then what was said: `503 (request id 0f8fad5b)`, `connect (connection refused)`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        match (self.text(), self.request_id()) {
            (Some(text), _) => write!(f, " ({text})"),
            (None, Some(id)) => write!(f, " (request id {id})"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(lines: &[(&str, &str)]) -> Option<String> {
        let cause = Cause::new(Reason::Status(503), Detail::from_headers(lines));
        cause.request_id().map(str::to_owned)
    }

    #[test]
    fn the_gateways_request_id_comes_first() {
        assert_eq!(id(&[("x-request-id", "b"), ("apim-request-id", "a")]).as_deref(), Some("a"));
        assert_eq!(id(&[("x-request-id", "b")]).as_deref(), Some("b"));
        assert_eq!(id(&[("date", "c")]), None);
    }

    #[test]
    fn a_request_id_that_is_none_is_left_out() {
        assert_eq!(id(&[("x-request-id", "")]), None);
        assert_eq!(id(&[("x-request-id", "two words")]), None);
        assert_eq!(id(&[("x-request-id", &"a".repeat(129))]), None);
        assert_eq!(id(&[("x-request-id", &"a".repeat(128))]).map(|id| id.len()), Some(128));
        assert_eq!(id(&[("apim-request-id", "two words"), ("x-request-id", "b")]).as_deref(), Some("b"));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let detail = Detail::from_text(&"\u{e9}".repeat(1_000));
        assert_eq!(detail.text.unwrap().chars().count(), MAX_TEXT);
        assert_eq!(Detail::from_text("two\nlines").text.as_deref(), Some("two lines"));
    }
}
