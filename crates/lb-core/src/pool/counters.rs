//! What happened at one backend, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::policy::Class;

/// The counters of one backend at one moment.
///
/// `attempts = successes + throttles + server_errors + faults + rejected + cancelled + in_flight`. They are exact
/// when no request is running; while requests run, each is a value of that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// On a cache line of its own: backends that are used by different threads do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct AtomicCounters {
    attempts: AtomicU64,
    successes: AtomicU64,
    throttles: AtomicU64,
    server_errors: AtomicU64,
    faults: AtomicU64,
    rejected: AtomicU64,
    cancelled: AtomicU64,
}

impl AtomicCounters {
    pub(super) fn begin(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, class: Class) {
        let counter = match class {
            Class::Success => &self.successes,
            Class::Throttle => &self.throttles,
            Class::ServerError => &self.server_errors,
            Class::Fault => &self.faults,
            Class::Rejected => &self.rejected,
            Class::Cancelled => &self.cancelled,
        };
        // Release: a snapshot that sees this end also sees the beginning, so nothing is in flight less than once.
        counter.fetch_add(1, Ordering::Release);
    }

    pub(super) fn snapshot(&self) -> Counters {
        let ended = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let successes = ended(&self.successes);
        let throttles = ended(&self.throttles);
        let server_errors = ended(&self.server_errors);
        let faults = ended(&self.faults);
        let rejected = ended(&self.rejected);
        let cancelled = ended(&self.cancelled);
        // Read last: every attempt whose end was counted above has its beginning counted here.
        let attempts = self.attempts.load(Ordering::Relaxed);
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
