//! The answer when no backend is left, in isahc's types.

use isahc::http::{
    Response, StatusCode,
    header::{HeaderName, HeaderValue},
};
use lb_core::Exhausted;

/// The answer that [`Exhausted::to_response`] describes, with the [`Exhausted`] in its extensions.
pub(crate) fn synthesize<B: From<Vec<u8>>>(exhausted: &Exhausted) -> Response<B> {
    let answer = exhausted.to_response();
    let mut response = Response::new(B::from(answer.body().to_vec()));
    // Both versions of `http` have the same statuses.
    *response.status_mut() =
        StatusCode::from_u16(exhausted.status().as_u16()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in answer.headers() {
        // Both versions of `http` take the same names and values.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_str().as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response.extensions_mut().insert(exhausted.clone());
    response
}
