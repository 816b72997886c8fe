//! A clock that moves only when told, for tests.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    time::{Duration, SystemTime},
};

use super::{Clock, Instant, nanos};
use crate::future::BoxFuture;

/// A clock that moves only when told.
///
/// Clones share the time: keep one and give the other to the pool. It counts how often it was read. Who sleeps on it wakes
/// up when it has been moved far enough; a sleep that blocks moves it.
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

#[derive(Default)]
struct Shared {
    nanos: AtomicU64,
    reads: AtomicU64,
    /// Of those who sleep, and of some who slept.
    wakers: Mutex<Vec<Waker>>,
}

impl Shared {
    fn now(&self) -> Instant {
        Instant(self.nanos.load(Ordering::SeqCst))
    }

    /// Lets everybody who sleeps look at the time again.
    fn wake(&self) {
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("nanos", &self.nanos).field("reads", &self.reads).finish_non_exhaustive()
    }
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
        let (nanos, add) = (&self.shared.nanos, nanos(duration));
        let mut now = nanos.load(Ordering::SeqCst);
        // Saturates like every other arithmetic on time, instead of wrapping back to the origin.
        while let Err(moved) = nanos.compare_exchange(now, now.saturating_add(add), Ordering::SeqCst, Ordering::SeqCst)
        {
            now = moved;
        }
        self.shared.wake();
    }

    /// Sets the time to `instant`, backwards too: a faulty machine's clock can do that.
    pub fn set(&self, instant: Instant) {
        self.shared.nanos.store(instant.as_nanos(), Ordering::SeqCst);
        self.shared.wake();
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
        self.shared.now()
    }

    fn wall(&self) -> SystemTime {
        self.shared.reads.fetch_add(1, Ordering::SeqCst);
        let elapsed = Duration::from_nanos(self.shared.nanos.load(Ordering::SeqCst));
        self.wall_origin.checked_add(elapsed).unwrap_or(self.wall_origin)
    }

    fn sleep(&self, duration: Duration) -> Option<BoxFuture<'static, ()>> {
        let shared = Arc::clone(&self.shared);
        let until = shared.now().saturating_add(duration);
        Some(Box::pin(poll_fn(move |context| {
            // Registered before the look at the time: who moves the clock in between wakes this one.
            shared.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(context.waker().clone());
            if shared.now() < until { Poll::Pending } else { Poll::Ready(()) }
        })))
    }

    fn sleep_blocking(&self, duration: Duration) -> bool {
        self.advance(duration);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::AtomicBool,
        task::{Context, Wake},
    };

    use super::*;
    use crate::clock::SystemClock;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_sleeps_wakes_up_when_the_clock_was_moved_far_enough() {
        let clock = MockClock::new();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut sleep = pin!(clock.sleep(Duration::from_secs(4)).unwrap());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        assert!(!woken.0.load(Ordering::SeqCst));

        clock.advance(Duration::from_secs(3));
        assert!(woken.0.swap(false, Ordering::SeqCst));
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        clock.set(Instant::from_nanos(4_000_000_000));
        assert!(woken.0.load(Ordering::SeqCst));
        assert!(sleep.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn a_sleep_that_blocks_moves_the_clock() {
        let clock = MockClock::new();
        assert!(clock.sleep_blocking(Duration::from_secs(4)));
        assert_eq!(clock.now(), Instant::from_nanos(4_000_000_000));
    }

    #[test]
    fn the_systems_clock_leaves_sleeping_to_the_transport() {
        assert!(SystemClock::new().sleep(Duration::from_secs(4)).is_none());
        assert!(!SystemClock::new().sleep_blocking(Duration::from_secs(4)));
    }
}
