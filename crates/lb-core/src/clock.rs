//! Time: a monotonic clock for deadlines, and wall time that serves only to read dates.

mod mock;
mod system;

use std::{fmt, time::Duration, time::SystemTime};

use crate::future::BoxFuture;
pub use mock::MockClock;
pub use system::SystemClock;

/// A moment on a pool's clock: nanoseconds since an origin that the clock chose.
///
/// It can be made from nanoseconds, so that a simulator can drive the core in virtual time. Arithmetic saturates;
/// 64 bits of nanoseconds last for 584 years.
///
/// ```
/// use lb_core::Instant;
/// use std::time::Duration;
///
/// let later = Instant::from_nanos(5).saturating_add(Duration::from_nanos(7));
/// assert_eq!(later.as_nanos(), 12);
/// assert_eq!(later.saturating_since(Instant::from_nanos(10)), Duration::from_nanos(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `nanos` nanoseconds after the clock's origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This moment plus `duration`, at most the last moment there is.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}

/// Whole nanoseconds of `duration`, at most `u64::MAX`.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Where a pool takes the time from.
///
/// # Contract
///
/// 1. The pool calls [`now`](Clock::now) from any thread, at most once per `next` or `settle`, and only if a deadline
///    is looked at or written, or an observer [wants time](crate::Observer::wants_time); with nothing cooling, picking a
///    backend reads no clock.
/// 2. `now` is monotonic: it should never go backwards. If it does, nothing panics and no cooldown gets longer than
///    the pool's maximum, counted from the latest moment that was seen.
/// 3. The pool calls [`wall`](Clock::wall) only to read a date in a response without a usable `Date` header.
/// 4. No lock of the pool is held during a call.
/// 5. [`sleep`](Clock::sleep) and [`sleep_blocking`](Clock::sleep_blocking) are for requests that wait; the pool itself
///    never sleeps.
pub trait Clock: Send + Sync {
    /// The moment on the monotonic clock.
    fn now(&self) -> Instant;

    /// The wall time, for reading dates.
    fn wall(&self) -> SystemTime;

    /// A future that is ready when so much time has passed on this clock; `None` leaves sleeping to the transport, which
    /// knows its runtime.
    ///
    /// By default it is `None`, which is right for every clock that goes by itself. A clock that only moves when told
    /// has to answer, or nobody who waits on it ever wakes up.
    fn sleep(&self, duration: Duration) -> Option<BoxFuture<'static, ()>> {
        let _ = duration;
        None
    }

    /// Lets so much time pass on this clock, for a caller that blocks; false leaves sleeping to the transport.
    fn sleep_blocking(&self, duration: Duration) -> bool {
        let _ = duration;
        false
    }
}

/// A source of the current moment that is read when first needed, and then remembered.
pub(crate) struct Lazy<F> {
    source: Option<F>,
    read: Instant,
}

impl<F: FnOnce() -> Instant> Lazy<F> {
    pub(crate) fn new(source: F) -> Self {
        Self { source: Some(source), read: Instant(0) }
    }

    #[inline]
    pub(crate) fn get(&mut self) -> Instant {
        // Asked before taking: most calls find it read, and then nothing is to be stored.
        if self.source.is_some() {
            self.read = self.source.take().map_or(self.read, |source| source());
        }
        self.read
    }
}
