//! The backend's name for the model, in the body of an azure_core request.

use azure_core::http::{
    Body, Request,
    headers::{CONTENT_LENGTH, CONTENT_TYPE},
};
use lb_core::Target;

/// Puts the target's name for the model into the body, if that is in memory and names one.
pub(crate) fn address_body(request: &mut Request, target: &Target<'_>) {
    let Body::Bytes(bytes) = request.body() else { return };
    let content_type = request.headers().get_optional_str(&CONTENT_TYPE).map(str::as_bytes);
    let Some(body) = target.body(request.url().path(), content_type, bytes) else { return };
    if request.headers().get_optional_str(&CONTENT_LENGTH).is_some() {
        request.insert_header(CONTENT_LENGTH, body.len().to_string());
    }
    request.set_body(body);
}
