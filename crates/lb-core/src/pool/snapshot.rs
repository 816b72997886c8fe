//! What a pool knows about its backends at one moment.

use std::time::Duration;

use super::{Counters, Pool};
use crate::{backend::Backend, clock::Instant, outcome::Reason, retry_after::HintSource};

/// The state of every backend of a pool at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// The moment.
    pub now: Instant,
    /// One entry per backend, sorted by priority.
    pub backends: Vec<BackendSnapshot>,
}

/// The state of one backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackendSnapshot {
    /// The backend.
    pub backend: Backend,
    /// Whether it is available, and if not, until when and why.
    pub state: State,
    /// What happened at it so far.
    pub counters: Counters,
}

/// Whether a backend is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It can be picked.
    Available,
    /// It is out.
    #[non_exhaustive]
    Cooling {
        /// The moment from which it is available again.
        until: Instant,
        /// How long that is from now.
        remaining: Duration,
        /// Why it is out.
        reason: Reason,
        /// The header that said how long; `None` if the default cooldown applies.
        hint: Option<HintSource>,
    },
}

impl State {
    /// How long it is still out; `None` if it is available.
    #[must_use]
    pub const fn remaining(&self) -> Option<Duration> {
        match self {
            Self::Available => None,
            Self::Cooling { remaining, .. } => Some(*remaining),
        }
    }
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
            let state = self.cooldowns.state(slot, now).map_or(State::Available, |(until, cause)| State::Cooling {
                until,
                remaining: until.saturating_since(now),
                reason: cause.reason,
                hint: cause.hint,
            });
            BackendSnapshot { backend: Backend::clone(backend), state, counters: self.counters.snapshot(slot) }
        };
        Snapshot { now, backends: self.backends.iter().enumerate().map(entry).collect() }
    }
}
