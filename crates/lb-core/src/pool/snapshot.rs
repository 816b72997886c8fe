//! What a pool knows about its backends at one moment.

use super::{Counters, Pool, Waits};
use crate::{backend::Backend, cause::Cause, clock::Instant, state::State};

/// The state of every backend of a pool at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// The moment.
    pub now: Instant,
    /// One entry per backend, sorted by priority.
    pub backends: Vec<BackendSnapshot>,
    /// What requests have waited.
    pub waits: Waits,
}

/// The state of one backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackendSnapshot {
    /// The backend.
    pub backend: Backend,
    /// Whether it is available, and if not, until when and why.
    pub state: State,
    /// How many requests in a row have struck it.
    pub strikes: u32,
    /// Why it last failed, however long ago.
    pub last_failure: Option<Cause>,
    /// What happened at it so far.
    pub counters: Counters,
}

impl Pool {
    /// The state of every backend now, by the pool's clock.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(self.now())
    }

    /// The state of every backend at `now`, for the project's own tests, whose pools have no clock that answers.
    #[doc(hidden)]
    #[must_use]
    pub fn snapshot_at(&self, now: Instant) -> Snapshot {
        let entry = |(slot, backend)| {
            let (state, strikes, last_failure) = self.states.state(slot, now);
            let counters = self.counters.snapshot(slot);
            BackendSnapshot { backend: Backend::clone(backend), state, strikes, last_failure, counters }
        };
        Snapshot { now, backends: self.backends.iter().enumerate().map(entry).collect(), waits: self.waiting.waits() }
    }
}
