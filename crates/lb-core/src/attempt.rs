//! An attempt: one visit of a request to a backend.

/// One visit of a request to a backend, as [`Dispatch::next`](crate::Dispatch::next) gives it out.
///
/// It borrows nothing, so that a binding or a task can hold it. [`Pool::target`](crate::Pool::target) says where it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Attempt {
    slot: usize,
    number: u32,
}

impl Attempt {
    pub(crate) const fn new(slot: usize, number: u32) -> Self {
        Self { slot, number }
    }

    /// The backend's place in [`Pool::backends`](crate::Pool::backends): a key for what a caller keeps per backend.
    #[must_use]
    pub const fn slot(&self) -> usize {
        self.slot
    }

    /// Which attempt of the request this is, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }
}
