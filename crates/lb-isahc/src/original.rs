//! The caller's request, kept so that attempts can be made from it.

use std::{fmt, mem};

use isahc::{RequestExt, http::Request};

/// The caller's request over a body `B`, kept so that attempts can be made from it.
pub struct Original<B> {
    /// Everything but the body.
    head: Request<()>,
    payload: Payload<B>,
}

/// A body, as it can be sent again or not.
pub(crate) enum Payload<B> {
    /// No body, which is not the same as one of zero bytes.
    Absent,
    /// In memory: every attempt gets a copy that libcurl can rewind, should a pooled connection turn out to be closed.
    Memory(Vec<u8>),
    /// A stream: it can be sent once.
    Stream(B),
}

impl<B: Default + From<Vec<u8>>> Original<B> {
    pub(crate) const fn new(head: Request<()>, payload: Payload<B>) -> Self {
        Self { head, payload }
    }

    pub(crate) fn is_replayable(&self) -> bool {
        !matches!(self.payload, Payload::Stream(_))
    }

    /// A copy with the caller's options for isahc; other extensions cannot be copied under every version of `http`.
    pub(crate) fn replay(&self) -> Option<Request<B>> {
        let body = match &self.payload {
            Payload::Absent => B::default(),
            Payload::Memory(bytes) => B::from(bytes.clone()),
            Payload::Stream(_) => return None,
        };
        self.head.to_builder().body(body).ok()
    }

    pub(crate) fn take(&mut self) -> Request<B> {
        let head = mem::replace(&mut self.head, Request::new(()));
        let payload = mem::replace(&mut self.payload, Payload::Absent);
        head.map(|()| match payload {
            Payload::Absent => B::default(),
            Payload::Memory(bytes) => B::from(bytes),
            Payload::Stream(body) => body,
        })
    }
}

/// Room for a body of this length.
pub(crate) fn zeroes(length: Option<u64>) -> Vec<u8> {
    vec![0; length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default()]
}

impl<B> fmt::Debug for Original<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match &self.payload {
            Payload::Absent => "absent",
            Payload::Memory(_) => "in memory",
            Payload::Stream(_) => "stream",
        };
        // The headers can have a credential, the query can be secret.
        f.debug_struct("Original").field("method", self.head.method()).field("body", &body).finish_non_exhaustive()
    }
}
