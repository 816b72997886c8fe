//! The state of a backend, as it is told.

use std::time::Duration;

use crate::{clock::Instant, outcome::Reason, retry_after::HintSource};

/// What a backend can be asked for: the four states of the [guide](crate::guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is asked, best priority first.
    Available,
    /// It said when it wants to be asked again, and is not asked before.
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
    /// It failed without a word: it is asked last, and once in a while one request asks it first, to see.
    #[non_exhaustive]
    Suspect {
        /// The moment from which one request asks it first.
        probe_at: Instant,
        /// How long that is from now; zero if it is due.
        remaining: Duration,
        /// Its last failure.
        reason: Reason,
    },
    /// An operator took it out; see [`Pool::drain`](crate::Pool::drain).
    Drained,
}

impl State {
    /// How long until time alone may bring it back: the rest of a cooldown, the time to a suspect's probe. `None` if it is
    /// available or drained.
    #[must_use]
    pub const fn remaining(&self) -> Option<Duration> {
        match self {
            Self::Available | Self::Drained => None,
            Self::Cooling { remaining, .. } | Self::Suspect { remaining, .. } => Some(*remaining),
        }
    }

    /// The state in one word, for logs and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Cooling { .. } => "cooling",
            Self::Suspect { .. } => "suspect",
            Self::Drained => "drained",
        }
    }
}
