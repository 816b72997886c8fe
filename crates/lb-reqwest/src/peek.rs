//! A look into a stream, and reqwest's response made again around it.

use std::future::Future;

use lb_core::Refusal;
use reqwest::{Body, Response, ResponseBuilderExt};

/// Reads the beginning of a response; gives back the same response, with its URL, version, headers and extensions, whose
/// body begins with what was read.
pub(crate) async fn peek(response: Response, enough: impl Future<Output = ()> + Send) -> (Response, Option<Refusal>) {
    let url = response.url().clone();
    let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
    let (body, refusal) = lb_peek::peek(body, enough).await;
    // reqwest keeps the URL in an extension of its own on this way back; only a builder makes one.
    let with_url = http::Response::builder().url(url).body(()).unwrap_or_default();
    parts.extensions.extend(with_url.into_parts().0.extensions);
    (http::Response::from_parts(parts, Body::wrap(body)).into(), refusal)
}
