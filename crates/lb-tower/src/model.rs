//! The backend's name for the model, in the body of a request.

use http::{
    HeaderValue, Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use lb_core::Target;

use crate::replay::Replay;

/// Puts the target's name for the model into the body, if `replay` gives its bytes and they name one.
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
