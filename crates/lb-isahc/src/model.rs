//! The model of an isahc request: what the caller asks for, and the backend's name for it.

use std::borrow::Cow;

use isahc::http::Request;
#[cfg(feature = "json")]
use isahc::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
#[cfg(feature = "json")]
use lb_core::Target;

#[cfg(feature = "json")]
use crate::contents::Contents;

/// The model that a request asks for: the one in its path.
#[cfg(not(feature = "json"))]
pub(crate) fn requested_model<B>(request: &mut Request<B>) -> Option<Cow<'_, str>> {
    lb_core::requested_model(request.uri().path(), None, None)
}

/// The model that a request asks for: the one in its path, else in its body, if that is in memory.
#[cfg(feature = "json")]
pub(crate) fn requested_model<B: Contents>(request: &mut Request<B>) -> Option<Cow<'_, str>> {
    // Every look at a body is a copy of it.
    let is_in_path = lb_core::requested_model(request.uri().path(), None, None).is_some();
    let body = if is_in_path { None } else { request.body_mut().bytes() };
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
    lb_core::requested_model(request.uri().path(), content_type, body.as_deref())
}

/// The request with the target's name for the model in its body, if that is in memory and names one.
#[cfg(feature = "json")]
pub(crate) fn address_body<B: Contents>(mut request: Request<B>, target: &Target<'_>) -> Request<B> {
    if let Some(body) = body(&mut request, target) {
        if let Some(length) = request.headers_mut().get_mut(CONTENT_LENGTH) {
            *length = body.len().into();
        }
        *request.body_mut() = body.into();
    }
    request
}

#[cfg(feature = "json")]
fn body<B: Contents>(request: &mut Request<B>, target: &Target<'_>) -> Option<Vec<u8>> {
    // Every look at a body is a copy of it.
    if !target.backend().has_models() {
        return None;
    }
    let bytes = request.body_mut().bytes()?;
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
    target.body(request.uri().path(), content_type, &bytes)
}
