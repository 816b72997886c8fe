//! The model of a request: what the caller asks for, and the backend's name for it.

use std::borrow::Cow;

use http::Request;
#[cfg(feature = "json")]
use http::{
    HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
#[cfg(feature = "json")]
use lb_core::Target;

use crate::replay::Replay;

/// The model that a request asks for: the one in its path, else in its body, if `replay` gives its bytes.
pub(crate) fn requested_model<'r, B>(request: &'r Request<B>, replay: &impl Replay<B>) -> Option<Cow<'r, str>> {
    let path = request.uri().path();
    if let Some(model) = lb_core::requested_model(path, None, None) {
        return Some(model);
    }
    #[cfg(feature = "json")]
    {
        let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let (bytes, _) = replay.bytes(request.body())?;
        lb_core::requested_model(path, content_type, Some(&bytes))
    }
    #[cfg(not(feature = "json"))]
    {
        let _ = replay;
        None
    }
}

/// Puts the target's name for the model into the body, if `replay` gives its bytes and they name one.
#[cfg(feature = "json")]
pub(crate) fn address_body<B>(request: &mut Request<B>, replay: &impl Replay<B>, target: &Target<'_>) {
    // To look at a body may take a copy of it.
    if !target.backend().has_models() {
        return;
    }
    let Some((bytes, make_body)) = replay.bytes(request.body()) else { return };
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let Some(body) = target.body(request.uri().path(), content_type, &bytes) else { return };
    if let Some(length) = request.headers_mut().get_mut(CONTENT_LENGTH) {
        *length = body.len().into();
    }
    *request.body_mut() = make_body(body.into());
}
