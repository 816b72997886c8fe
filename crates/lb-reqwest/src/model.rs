//! The model of a reqwest request: what the caller asks for, and the backend's name for it.

use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_TYPE};
use reqwest::Url;
#[cfg(feature = "json")]
use {
    lb_core::Target,
    reqwest::{Body, Request, header::CONTENT_LENGTH},
};

/// The model that a request asks for: the one in its path, else, with the feature `json`, in its body, if that is in memory.
pub(crate) fn requested_model<'r>(url: &'r Url, headers: &HeaderMap, body: Option<&[u8]>) -> Option<Cow<'r, str>> {
    lb_core::requested_model(url.path(), headers.get(CONTENT_TYPE).map(|value| value.as_bytes()), body)
}

/// Puts the target's name for the model into the body, if that is in memory and names one.
#[cfg(feature = "json")]
pub(crate) fn address_body(request: &mut Request, target: &Target<'_>) {
    let Some(bytes) = request.body().map_or(Some(&[][..]), Body::as_bytes) else { return };
    let Some(body) = body(target, request.url().path(), request.headers(), bytes) else { return };
    fit_length(request.headers_mut(), body.len());
    *request.body_mut() = Some(body.into());
}

/// The same for a request of the blocking client.
#[cfg(all(feature = "blocking", feature = "json"))]
pub(crate) fn address_blocking_body(request: &mut reqwest::blocking::Request, target: &Target<'_>) {
    use reqwest::blocking::Body;

    let Some(bytes) = request.body().map_or(Some(&[][..]), Body::as_bytes) else { return };
    let Some(body) = body(target, request.url().path(), request.headers(), bytes) else { return };
    fit_length(request.headers_mut(), body.len());
    *request.body_mut() = Some(body.into());
}

#[cfg(feature = "json")]
fn body(target: &Target<'_>, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    target.body(path, headers.get(CONTENT_TYPE).map(|value| value.as_bytes()), body)
}

/// A length that the caller wrote was the old body's.
#[cfg(feature = "json")]
fn fit_length(headers: &mut HeaderMap, length: usize) {
    if let Some(value) = headers.get_mut(CONTENT_LENGTH) {
        *value = length.into();
    }
}
