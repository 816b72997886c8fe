//! A clock that moves only when told, for tests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{Clock, Instant, nanos};

/// A clock that moves only when told.
///
/// Clones share the time: keep one and give the other to the pool. It counts how often it was read.
///
/// ```
/// use lb_core::{Clock, Instant, MockClock};
/// use std::time::Duration;
///
/// let clock = MockClock::new();
/// clock.advance(Duration::from_secs(4));
/// assert_eq!(clock.now(), Instant::from_nanos(4_000_000_000));
/// assert_eq!(clock.reads(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct MockClock {
    shared: Arc<Shared>,
    wall_origin: SystemTime,
}

#[derive(Debug, Default)]
struct Shared {
    nanos: AtomicU64,
    reads: AtomicU64,
}

impl MockClock {
    /// A clock at its origin, whose wall time starts at the Unix epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(SystemTime::UNIX_EPOCH)
    }

    /// A clock at its origin, whose wall time starts at `wall`.
    #[must_use]
    pub fn starting_at(wall: SystemTime) -> Self {
        Self { shared: Arc::default(), wall_origin: wall }
    }

    /// Moves the time forward by `duration`, for every clone.
    pub fn advance(&self, duration: Duration) {
        // Saturates like every other arithmetic on time, instead of wrapping back to the origin.
        let add = nanos(duration);
        let _ = self.shared.nanos.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_add(add)));
    }

    /// Sets the time to `instant`, backwards too: a faulty machine's clock can do that.
    pub fn set(&self, instant: Instant) {
        self.shared.nanos.store(instant.as_nanos(), Ordering::SeqCst);
    }

    /// How often [`now`](Clock::now) and [`wall`](Clock::wall) were called, on all clones together.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.shared.reads.load(Ordering::SeqCst)
    }
}

impl Default for MockClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MockClock {
    fn now(&self) -> Instant {
        self.shared.reads.fetch_add(1, Ordering::SeqCst);
        Instant(self.shared.nanos.load(Ordering::SeqCst))
    }

    fn wall(&self) -> SystemTime {
        self.shared.reads.fetch_add(1, Ordering::SeqCst);
        let elapsed = Duration::from_nanos(self.shared.nanos.load(Ordering::SeqCst));
        self.wall_origin.checked_add(elapsed).unwrap_or(self.wall_origin)
    }
}
