//! The model of an azure_core request: what the caller asks for, and the backend's name for it.

use std::borrow::Cow;

#[cfg(feature = "json")]
use azure_core::http::headers::CONTENT_LENGTH;
use azure_core::http::{Body, Request, headers::CONTENT_TYPE};
#[cfg(feature = "json")]
use lb_core::Target;

/// The model that a request asks for: the one in its path, else, with the feature `json`, in its body, if that is in memory.
pub(crate) fn requested_model(request: &Request) -> Option<Cow<'_, str>> {
    let body = match request.body() {
        Body::Bytes(bytes) => Some(&bytes[..]),
        Body::SeekableStream(_) => None,
    };
    let content_type = request.headers().get_optional_str(&CONTENT_TYPE).map(str::as_bytes);
    lb_core::requested_model(request.url().path(), content_type, body)
}

/// Puts the target's name for the model into the body, if that is in memory and names one.
#[cfg(feature = "json")]
pub(crate) fn address_body(request: &mut Request, target: &Target<'_>) {
    let Body::Bytes(bytes) = request.body() else { return };
    let content_type = request.headers().get_optional_str(&CONTENT_TYPE).map(str::as_bytes);
    let Some(body) = target.body(request.url().path(), content_type, bytes) else { return };
    if request.headers().get_optional_str(&CONTENT_LENGTH).is_some() {
        request.insert_header(CONTENT_LENGTH, body.len().to_string());
    }
    request.set_body(body);
}
