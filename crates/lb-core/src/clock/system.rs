//! The clock of the machine: the one place in this crate where time is read.

use std::time::SystemTime;

use super::{Clock, Instant};

/// The machine's monotonic clock and wall time: the default of a [`Pool`](crate::Pool).
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the system clock")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Instant {
        let elapsed = self.origin.elapsed();
        // Not `as_nanos`, which is 128 bits wide: this is most of what a pick costs while something cools.
        Instant(elapsed.as_secs().saturating_mul(1_000_000_000).saturating_add(elapsed.subsec_nanos().into()))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the system clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
