//! What a caller got.

use std::{error::Error, fmt, io, pin::pin};

use bytes::Buf;
use http_body::Body;
use http_body_util::BodyExt;

use crate::RUNTIME;

/// An answer whose body was not read yet. Dropping it abandons the body.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    reading: Box<dyn FnOnce() -> Content>,
}

/// What came of a body.
#[derive(Debug)]
pub struct Content {
    pub bytes: Vec<u8>,
    /// It ended before its end.
    pub is_broken: bool,
}

impl Content {
    /// What a stack that gives a body as a whole gave.
    pub fn of_whole<B: Into<Vec<u8>>, E>(body: Result<B, E>) -> Self {
        let is_broken = body.is_err();
        Self { bytes: body.map(Into::into).unwrap_or_default(), is_broken }
    }

    /// Reads until a reader ends.
    pub fn of_reader(mut body: impl io::Read) -> Self {
        let mut bytes = Vec::new();
        let is_broken = body.read_to_end(&mut bytes).is_err();
        Self { bytes, is_broken }
    }
}

impl Reply {
    pub fn new(
        status: u16,
        headers: impl IntoIterator<Item = (String, Vec<u8>)>,
        reading: impl FnOnce() -> Content + 'static,
    ) -> Self {
        Self { status, headers: headers.into_iter().collect(), reading: Box::new(reading) }
    }

    /// From one of `http`'s.
    pub fn of<B>(response: http::Response<B>) -> Self
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    {
        let (parts, body) = response.into_parts();
        Self::with(&parts, move || {
            RUNTIME.block_on(async {
                let (mut body, mut bytes) = (pin!(body), Vec::new());
                while let Some(frame) = body.frame().await {
                    let Ok(frame) = frame else { return Content { bytes, is_broken: true } };
                    if let Ok(mut data) = frame.into_data() {
                        bytes.extend_from_slice(&data.copy_to_bytes(data.remaining()));
                    }
                }
                Content { bytes, is_broken: false }
            })
        })
    }

    /// With the head of one of `http`'s.
    pub fn with(head: &http::response::Parts, reading: impl FnOnce() -> Content + 'static) -> Self {
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        Self::new(head.status.as_u16(), headers, reading)
    }

    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_slice())
    }

    /// Reads the body until it ends.
    pub fn read(self) -> Content {
        (self.reading)()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} headers", self.status, self.headers.len())
    }
}
