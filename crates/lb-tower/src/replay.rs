//! Whether a body can be sent again.

/// Copies the body of a request for another attempt, if it can be copied.
///
/// [`ByClone`] and [`OneAttempt`] are the two that most need; a function `Fn(&B) -> Option<B>` is one too, for bodies of
/// which some can be copied and others not:
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::{Either, Full};
/// # use http_body_util::Empty as Incoming;
/// use lb_tower::Replay;
///
/// // What is in memory is copied, and what streams is not.
/// type Body = Either<Full<Bytes>, Incoming<Bytes>>;
/// let by_kind = |body: &Body| match body {
///     Either::Left(bytes) => Some(Either::Left(bytes.clone())),
///     Either::Right(_) => None,
/// };
/// assert!(by_kind.replay(&Either::Left(Full::default())).is_some());
/// assert!(by_kind.replay(&Either::Right(Incoming::new())).is_none());
/// ```
pub trait Replay<B>: Send + Sync {
    /// A copy that reads the same bytes from their start, or `None`: the request is then sent once, and its answer
    /// returned whatever it is.
    fn replay(&self, body: &B) -> Option<B>;

    /// What is in a body in memory, and how a body is made of other bytes: so that a backend's name for the model can be put
    /// into it. `None` leaves the body as the caller wrote it, which [`Event::Unmapped`](crate::Event::Unmapped) tells. By
    /// default it is that: of bodies in general nothing is known.
    ///
    /// [`InMemory`](crate::InMemory) gives it for bodies that are made of bytes.
    #[cfg(feature = "json")]
    fn bytes(&self, body: &B) -> Option<(bytes::Bytes, MakeBody<B>)> {
        let _ = body;
        None
    }
}

/// Makes a body of bytes.
#[cfg(feature = "json")]
pub type MakeBody<B> = fn(bytes::Bytes) -> B;

/// Every body is copied by its `Clone`, which must not depend on how much of it was read: as with `Full<Bytes>`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "a choice, which has no parts")]
pub struct ByClone;

impl<B: Clone> Replay<B> for ByClone {
    fn replay(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

/// No body is copied: each request is routed to the best backend and sent once.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "a choice, which has no parts")]
pub struct OneAttempt;

impl<B> Replay<B> for OneAttempt {
    fn replay(&self, _: &B) -> Option<B> {
        None
    }
}

impl<B, F: Fn(&B) -> Option<B> + Send + Sync> Replay<B> for F {
    fn replay(&self, body: &B) -> Option<B> {
        self(body)
    }
}
