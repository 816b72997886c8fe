//! What a pool knows about its backends at one moment.

use std::time::{Duration, SystemTime};

use super::{Counters, Pool, Waits};
use crate::{backend::Backend, cause::Cause, clock::Instant, state::State};

/// The state of every backend of a pool at one moment.
///
/// With the feature `serde` it is written as a status page wants it: moments as wall time (RFC 3339), spans in
/// milliseconds, and nothing secret.
#[cfg_attr(
    feature = "serde",
    doc = r#"
```
# use lb_core::{Backend, MockClock, Pool};
# let pool = Pool::builder().backend(Backend::new("a.example", 1).unwrap()).clock(MockClock::new()).build().unwrap();
let status = serde_json::to_value(pool.snapshot()).unwrap();
assert_eq!(status["at"], "1970-01-01T00:00:00.000Z");
assert_eq!(status["backends"][0]["name"], "a.example");
assert_eq!(status["backends"][0]["state"], "available");
assert_eq!(status["counters"]["attempts"], 0);
```
"#
)]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// The moment, on the pool's clock.
    pub now: Instant,
    /// The same as wall time.
    pub wall: SystemTime,
    /// One entry per backend, sorted by priority.
    pub backends: Vec<BackendSnapshot>,
    /// What happened at backends that are no longer there, because another pool has [replaced](crate::ReplaceablePool) theirs.
    pub removed: Counters,
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

impl Snapshot {
    /// What happened at all backends together, those that are no longer there included.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.backends.iter().fold(self.removed, |all, backend| all.and(backend.counters))
    }

    /// When a moment of the pool's clock is, as wall time.
    #[must_use]
    pub fn wall_at(&self, moment: Instant) -> SystemTime {
        let at = match moment.saturating_since(self.now) {
            Duration::ZERO => self.wall.checked_sub(self.now.saturating_since(moment)),
            later => self.wall.checked_add(later),
        };
        at.unwrap_or(self.wall)
    }
}

impl Pool {
    /// The state of every backend now, by the pool's clock.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { wall: self.wall(), ..self.snapshot_at(self.now()) }
    }

    /// The state of every backend at `now`, for the project's own tests, whose pools have no clock that answers.
    #[doc(hidden)]
    #[must_use]
    pub fn snapshot_at(&self, now: Instant) -> Snapshot {
        let entry = |(slot, backend)| {
            let (state, strikes, last_failure, counters) = self.states.state(slot, now);
            BackendSnapshot { backend: Backend::clone(backend), state, strikes, last_failure, counters }
        };
        Snapshot {
            now,
            wall: SystemTime::UNIX_EPOCH,
            backends: self.backends.iter().enumerate().map(entry).collect(),
            removed: self.states.removed(),
            waits: self.waiting.waits(),
        }
    }
}
