//! The body of a blocking response, from which the async body can be taken back.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use futures_lite::{AsyncReadExt, future::block_on};
use isahc::{AsyncBody, Body, http::Response};

/// Reads an async body, blocking, until somebody takes it.
pub(crate) struct ResponseBody(Arc<Slot>);

type Slot = Mutex<Option<AsyncBody>>;

/// An extension of the response. Weak: the stream ends when the response's body is dropped, whoever has the rest.
#[derive(Clone)]
struct Takeable(Weak<Slot>);

impl ResponseBody {
    /// The same response with a blocking body.
    pub(crate) fn block_on(response: Response<AsyncBody>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        if body.is_empty() {
            return Response::from_parts(parts, Body::empty());
        }
        let length = body.len();
        let slot = Arc::new(Mutex::new(Some(body)));
        parts.extensions.insert(Takeable(Arc::downgrade(&slot)));
        let body = match length {
            Some(length) => Body::from_reader_sized(Self(slot), length),
            None => Body::from_reader(Self(slot)),
        };
        Response::from_parts(parts, body)
    }

    /// The async body of a response made by [`block_on`](ResponseBody::block_on).
    pub(crate) fn take(response: &Response<Body>) -> Option<AsyncBody> {
        let slot = response.extensions().get::<Takeable>()?.0.upgrade()?;
        slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Read for ResponseBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(body) => block_on(body.read(buffer)),
            None => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}
