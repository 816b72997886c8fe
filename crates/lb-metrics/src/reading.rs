//! What is read from a pool: the numbers that it keeps anyway.

use std::sync::{Mutex, PoisonError};

use lb_core::{BackendSnapshot, Counters, Pools, Snapshot};

use crate::{
    instrument::Pulled,
    labels::{self, Labels, text},
};

/// The states that a backend can be in, by name.
const STATES: [&str; 4] = ["available", "cooling", "suspect", "drained"];

/// The pools that are read.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<Vec<Pools>>);

impl Watched {
    pub(crate) fn add(&self, pools: Pools) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pools);
    }

    /// What is known now: of the pool that serves now, where pools are replaced.
    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        let pools = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pools.iter().map(|pools| pools.pool().snapshot()).collect()
    }
}

/// Every number of one metric in a snapshot, with its attributes.
pub(crate) fn read(what: Pulled, pool: &str, snapshot: &Snapshot, mut take: impl FnMut(u64, Labels)) {
    if what == Pulled::Waiting {
        take(count(snapshot.waits.waiting), labels::of_pool(pool));
        return;
    }
    for entry in &snapshot.backends {
        let BackendSnapshot { backend, state, counters, .. } = entry;
        let labels = labels::of_backend(pool, backend);
        let mut with = |value, key, word: &'static str| {
            let mut labels = labels.clone();
            labels.push(text(key, word));
            take(value, labels);
        };
        match what {
            Pulled::Attempts => results(counters).into_iter().for_each(|(word, value)| with(value, "lb.result", word)),
            Pulled::State => {
                STATES.into_iter().for_each(|word| with(u64::from(word == state.as_str()), "lb.state", word));
            }
            Pulled::InFlight => take(counters.in_flight, labels),
            Pulled::Available => take(u64::from(state.as_str() == STATES[0]), labels),
            Pulled::Waiting => {}
        }
    }
}

/// The attempts that have ended, by how: the classes of [`Counters`].
fn results(counters: &Counters) -> [(&'static str, u64); 6] {
    [
        ("success", counters.successes),
        ("throttle", counters.throttles),
        ("server_error", counters.server_errors),
        ("fault", counters.faults),
        ("rejected", counters.rejected),
        ("cancelled", counters.cancelled),
    ]
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
