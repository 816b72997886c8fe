//! The pools of the tests: a backend at each of two servers.

use std::{sync::Arc, time::Duration};

use lb_core::{Backend, BackendSnapshot, Counters, MockClock, Pool, PoolBuilder, Reason, State};

/// How long after a backend became suspect a request asks it first.
pub const PROBE_AFTER: Duration = Duration::from_secs(10);

/// A pool on a mock clock, of backends with these names, addresses and priorities.
pub fn pool<'a>(
    backends: impl IntoIterator<Item = (&'a str, String, u32)>,
    options: impl FnOnce(PoolBuilder) -> PoolBuilder,
) -> (Arc<Pool>, MockClock) {
    let clock = MockClock::new();
    let backends = backends
        .into_iter()
        .map(|(name, url, priority)| Backend::builder(url).name(name).priority(priority).build().unwrap());
    let pool = options(Pool::builder().backends(backends).clock(clock.clone())).build().unwrap();
    (Arc::new(pool), clock)
}

pub fn snapshot(pool: &Pool, name: &str) -> BackendSnapshot {
    pool.snapshot().backends.into_iter().find(|entry| entry.backend.name() == name).unwrap()
}

pub fn counters(pool: &Pool, name: &str) -> Counters {
    snapshot(pool, name).counters
}

/// Why a backend is suspect; `None` if it is not.
pub fn suspect(pool: &Pool, name: &str) -> Option<Reason> {
    match snapshot(pool, name).state {
        State::Suspect { reason, .. } => Some(reason),
        _ => None,
    }
}

pub fn is_available(pool: &Pool, name: &str) -> bool {
    snapshot(pool, name).state == State::Available
}
