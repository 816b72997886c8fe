//! The backend's name for the model, in the body of an isahc request.

use isahc::{
    AsyncBody, Body,
    http::{
        Request,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use lb_core::Target;

use crate::{blocking, transport};

/// The request with the target's name for the model in its body, if that is in memory and names one.
pub(crate) fn address_body<B: Contents>(mut request: Request<B>, target: &Target<'_>) -> Request<B> {
    if let Some(body) = body(&mut request, target) {
        if let Some(length) = request.headers_mut().get_mut(CONTENT_LENGTH) {
            *length = body.len().into();
        }
        *request.body_mut() = body.into();
    }
    request
}

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
pub(crate) trait Contents: From<Vec<u8>> {
    /// What is in it, from its start, where it stands afterwards; `None` if it streams.
    fn bytes(&mut self) -> Option<Vec<u8>>;
}

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
