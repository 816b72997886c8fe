use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use serde::Serialize;

/// How the sharing goes: for a status page, or an alert. Counts are since the process began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether there is a connection that is subscribed, and the keys were read.
    pub connected: bool,
    /// How often there was one.
    pub connections: u64,
    /// News that Redis took from this process.
    pub published: u64,
    /// News of other processes that changed something here.
    pub applied: u64,
    /// News of other processes that changed nothing: the backend was out for as long anyway, or is not in the pool, or the
    /// cooldown is too short.
    pub unneeded: u64,
    /// Messages on the channel that are none of this version, and messages that came faster than they could be applied.
    pub ignored: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// [`Status`] as it is counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connected: AtomicBool,
    pub(crate) connections: AtomicU64,
    pub(crate) published: AtomicU64,
    pub(crate) applied: AtomicU64,
    pub(crate) unneeded: AtomicU64,
    pub(crate) ignored: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Counts {
    pub(crate) fn failed(&self, error: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(crate) fn status(&self) -> Status {
        Status {
            connected: self.connected.load(Relaxed),
            connections: self.connections.load(Relaxed),
            published: self.published.load(Relaxed),
            applied: self.applied.load(Relaxed),
            unneeded: self.unneeded.load(Relaxed),
            ignored: self.ignored.load(Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
