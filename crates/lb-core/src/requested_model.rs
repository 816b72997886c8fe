//! The model that a request asks for.

use std::borrow::Cow;

use crate::target::deployment_of_path;
#[cfg(feature = "json")]
use crate::target::model_of_body;

/// The model that a request asks for: the deployment in its path, else, with the feature `json`, the `model` of its body;
/// `None` if it names none, or if the body is no JSON that can be read. For transports, see
/// [`Transport::model`](crate::Transport::model).
///
/// `path` is the caller's, without its query, `body` what is in memory of it.
///
/// ```
/// use lb_core::requested_model;
///
/// let path = "/openai/deployments/gpt-4.1/chat/completions";
/// assert_eq!(requested_model(path, None, None).as_deref(), Some("gpt-4.1"));
/// # #[cfg(feature = "json")] {
/// let (json, body) = (Some(b"application/json".as_slice()), Some(br#"{"model":"gpt-4.1"}"#.as_slice()));
/// assert_eq!(requested_model("/openai/v1/responses", json, body).as_deref(), Some("gpt-4.1"));
/// # }
/// assert_eq!(requested_model("/openai/files", None, None), None);
/// ```
#[must_use]
#[inline]
pub fn requested_model<'r>(path: &'r str, content_type: Option<&[u8]>, body: Option<&[u8]>) -> Option<Cow<'r, str>> {
    if let Some(deployment) = deployment_of_path(path) {
        return Some(Cow::Borrowed(deployment));
    }
    #[cfg(feature = "json")]
    return model_of_body(content_type?, body?).map(Cow::Owned);
    #[cfg(not(feature = "json"))]
    {
        let _ = (content_type, body);
        None
    }
}
