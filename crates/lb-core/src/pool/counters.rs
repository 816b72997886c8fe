//! What happened at one backend, counted.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::policy::Class;

/// The counters of one backend at one moment.
///
/// `attempts = successes + throttles + server_errors + faults + rejected + cancelled + in_flight`. They are exact
/// when no request is running; while requests run, each is a value of that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counters {
    /// Attempts that were given to this backend.
    pub attempts: u64,
    /// 2xx and 3xx answers.
    pub successes: u64,
    /// 429 answers.
    pub throttles: u64,
    /// 5xx answers.
    pub server_errors: u64,
    /// Attempts without an answer: connect faults, timeouts, resets, no credential.
    pub faults: u64,
    /// 4xx answers other than 429.
    pub rejected: u64,
    /// Attempts that the caller gave up, and requests that could not be addressed.
    pub cancelled: u64,
    /// Attempts whose response head is not here yet.
    pub in_flight: u64,
}

impl Counters {
    /// These and others together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            attempts: self.attempts.saturating_add(other.attempts),
            successes: self.successes.saturating_add(other.successes),
            throttles: self.throttles.saturating_add(other.throttles),
            server_errors: self.server_errors.saturating_add(other.server_errors),
            faults: self.faults.saturating_add(other.faults),
            rejected: self.rejected.saturating_add(other.rejected),
            cancelled: self.cancelled.saturating_add(other.cancelled),
            in_flight: self.in_flight.saturating_add(other.in_flight),
        }
    }
}

/// How many lanes the threads share. A thread has one to itself up to this many threads, and from there on shares it
/// with every eighth.
const LANES: usize = 8;

/// The counters of all backends, in lanes, so that threads that count the same backend write to different cache lines:
/// a counter that all share costs several times the pick (it is the only thing that they would wait for).
/// Clones are the same counters.
#[derive(Debug, Clone)]
pub(super) struct AllCounters {
    lanes: [Arc<[AtomicCounters]>; LANES],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct AtomicCounters {
    attempts: AtomicU64,
    successes: AtomicU64,
    throttles: AtomicU64,
    server_errors: AtomicU64,
    faults: AtomicU64,
    rejected: AtomicU64,
    cancelled: AtomicU64,
}

impl AllCounters {
    pub(super) fn new(backends: usize) -> Self {
        let lane = |_| (0..backends).map(|_| AtomicCounters::default()).collect();
        Self { lanes: std::array::from_fn(lane) }
    }

    #[inline]
    pub(super) fn begin(&self, slot: usize) {
        self.lanes[lane()][slot].attempts.fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn end(&self, slot: usize, class: Class) {
        let counters = &self.lanes[lane()][slot];
        let counter = match class {
            Class::Success => &counters.successes,
            Class::Throttle => &counters.throttles,
            Class::ServerError => &counters.server_errors,
            Class::Fault => &counters.faults,
            Class::Rejected => &counters.rejected,
            Class::Cancelled => &counters.cancelled,
        };
        // Release: a snapshot that sees this end also sees the beginning, wherever it was counted.
        counter.fetch_add(1, Ordering::Release);
    }

    pub(super) fn snapshot(&self, slot: usize) -> Counters {
        let ended = |of: fn(&AtomicCounters) -> &AtomicU64| -> u64 {
            self.lanes.iter().map(|lane| of(&lane[slot]).load(Ordering::Acquire)).sum()
        };
        let successes = ended(|counters| &counters.successes);
        let throttles = ended(|counters| &counters.throttles);
        let server_errors = ended(|counters| &counters.server_errors);
        let faults = ended(|counters| &counters.faults);
        let rejected = ended(|counters| &counters.rejected);
        let cancelled = ended(|counters| &counters.cancelled);
        // Read last: every attempt whose end was counted above has its beginning counted here.
        let attempts = ended(|counters| &counters.attempts);
        let in_flight = attempts
            .saturating_sub(successes)
            .saturating_sub(throttles)
            .saturating_sub(server_errors)
            .saturating_sub(faults)
            .saturating_sub(rejected)
            .saturating_sub(cancelled);
        Counters { attempts, successes, throttles, server_errors, faults, rejected, cancelled, in_flight }
    }
}

/// This thread's lane: each thread takes the next one when it first counts.
#[inline]
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    LANE.with(|lane| match lane.get() {
        Some(lane) => lane,
        None => {
            let taken = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
            lane.set(Some(taken));
            taken
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_ends_on_another_thread_than_it_began_is_counted_once() {
        let counters = AllCounters::new(2);
        // More threads than lanes.
        for _ in 0..LANES + 3 {
            counters.begin(1);
            std::thread::scope(|scope| {
                scope.spawn(|| counters.end(1, Class::Success));
            });
        }
        let expected = Counters { attempts: 11, successes: 11, ..Counters::default() };
        assert_eq!(counters.snapshot(1), expected);
        assert_eq!(counters.snapshot(0), Counters::default());
    }
}
