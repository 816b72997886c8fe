//! How one call of the loop is to go.

use crate::wishes::Wishes;

/// How one call of [`drive`](crate::drive) is to go: what its caller wants beyond the request itself.
///
/// ```
/// use lb_core::{Call, OnExhaustion};
///
/// let call = Call::default().on_exhaustion(OnExhaustion::Fail);
/// assert_eq!(Call::default().on_exhaustion, OnExhaustion::Synthesize);
/// # let _ = call;
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Call {
    /// What the request wishes, beside what it says itself. Default: nothing.
    pub wishes: Wishes,
    /// What happens when no backend is left. Default: a synthesised 429.
    pub on_exhaustion: OnExhaustion,
}

impl Call {
    /// The same with these wishes.
    #[must_use]
    pub fn wishes(mut self, wishes: Wishes) -> Self {
        self.wishes = wishes;
        self
    }

    /// The same, but this happens when no backend is left.
    #[must_use]
    pub fn on_exhaustion(mut self, on_exhaustion: OnExhaustion) -> Self {
        self.on_exhaustion = on_exhaustion;
        self
    }
}

/// What the loop does when no backend is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnExhaustion {
    /// Answer with a synthesised 429.
    #[default]
    Synthesize,
    /// Return [`Error::Exhausted`](crate::Error::Exhausted).
    Fail,
}
