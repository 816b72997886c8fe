//! The model of an isahc request: what the caller asks for, and the backend's name for it.

use std::borrow::Cow;

use isahc::http::Request;
#[cfg(feature = "json")]
use isahc::{
    AsyncBody, Body,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
};
#[cfg(feature = "json")]
use lb_core::Target;

#[cfg(feature = "json")]
use crate::{blocking, transport};

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

/// A body of isahc's, async or blocking.
#[cfg(feature = "json")]
pub(crate) trait Contents: From<Vec<u8>> {
    /// What is in it, from its start, where it stands afterwards; `None` if it streams.
    fn bytes(&mut self) -> Option<Vec<u8>>;
}

#[cfg(feature = "json")]
impl Contents for AsyncBody {
    fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return Some(Vec::new());
        }
        let bytes = if self.reset() { transport::read(self) } else { None };
        self.reset();
        bytes
    }
}

#[cfg(feature = "json")]
impl Contents for Body {
    fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return Some(Vec::new());
        }
        let bytes = if self.reset() { blocking::read(self).ok() } else { None };
        self.reset();
        bytes
    }
}
