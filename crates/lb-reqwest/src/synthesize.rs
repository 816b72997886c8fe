//! The answer when no backend is left, in a form that both of reqwest's responses are made of.

use lb_core::Exhausted;
use reqwest::{ResponseBuilderExt, Url};

/// The synthesised answer, with the caller's URL.
pub(crate) fn synthesize(url: &Url, exhausted: &Exhausted) -> http::Response<reqwest::Body> {
    let synthesised = exhausted.to_response();
    let mut response = http::Response::builder().url(url.clone()).body(()).unwrap_or_default();
    *response.status_mut() = synthesised.status();
    *response.headers_mut() = synthesised.headers().clone();
    response.extensions_mut().insert(exhausted.clone());
    response.map(|()| reqwest::Body::from(synthesised.into_body()))
}
