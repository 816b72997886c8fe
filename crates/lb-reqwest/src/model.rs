//! The backend's name for the model, in the body of a reqwest request.

use http::HeaderMap;
use lb_core::Target;
use reqwest::{
    Body, Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// Puts the target's name for the model into the body, if that is in memory and names one.
pub(crate) fn address_body(request: &mut Request, target: &Target<'_>) {
    let Some(bytes) = request.body().map_or(Some(&[][..]), Body::as_bytes) else { return };
    let Some(body) = body(target, request.url().path(), request.headers(), bytes) else { return };
    fit_length(request.headers_mut(), body.len());
    *request.body_mut() = Some(body.into());
}

/// The same for a request of the blocking client.
#[cfg(feature = "blocking")]
pub(crate) fn address_blocking_body(request: &mut reqwest::blocking::Request, target: &Target<'_>) {
    use reqwest::blocking::Body;

    let Some(bytes) = request.body().map_or(Some(&[][..]), Body::as_bytes) else { return };
    let Some(body) = body(target, request.url().path(), request.headers(), bytes) else { return };
    fit_length(request.headers_mut(), body.len());
    *request.body_mut() = Some(body.into());
}

fn body(target: &Target<'_>, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    target.body(path, headers.get(CONTENT_TYPE).map(|value| value.as_bytes()), body)
}

/// A length that the caller wrote was the old body's.
fn fit_length(headers: &mut HeaderMap, length: usize) {
    if let Some(value) = headers.get_mut(CONTENT_LENGTH) {
        *value = length.into();
    }
}
