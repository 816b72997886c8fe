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
        .map(|(name, url, priority)| Backend::builder(url).name(name).priority(priority).api_key(canary(name)).build())
        .map(Result::unwrap);
    let pool = options(Pool::builder().backends(backends).clock(clock.clone())).build().unwrap();
    (Arc::new(pool), clock)
}

/// The key of a backend, or what one sets as a cookie. Huffman's code of each is a byte (RFC 7541, appendix B), which makes
/// it visible in a head of HTTP/2.
pub fn canary(name: &str) -> &'static str {
    match name {
        "b1" => "XXXXXXXXXXXXXXXX",
        "b2" => "ZZZZZZZZZZZZZZZZ",
        "cookie" => "&&&&&&&&&&&&&&&&",
        _ => "????????????????",
    }
}

/// What a canary is on the wire: as it is, and as Huffman's code makes it, which need not begin with a byte.
pub fn ways_to_write(canary: &str) -> Vec<Vec<u8>> {
    let code = match canary.as_bytes()[0] {
        b'X' => 0xfc_u8,
        b'Z' => 0xfd,
        _ => 0xf8,
    };
    let shifted = (0..8).map(|bits| vec![code.rotate_left(bits); canary.len() - 1]);
    shifted.chain([canary.as_bytes().to_vec()]).collect()
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

/// How long a backend still cools; `None` if it does not.
pub fn cooling(pool: &Pool, name: &str) -> Option<Duration> {
    let state = snapshot(pool, name).state;
    matches!(state, State::Cooling { .. }).then(|| state.remaining()).flatten()
}

pub fn is_available(pool: &Pool, name: &str) -> bool {
    snapshot(pool, name).state == State::Available
}
