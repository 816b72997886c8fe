//! What a request tried before it was served.

use std::{ops::Deref, sync::Arc};

use super::Dispatch;
use crate::{outcome::Reason, pool::Pool, served::FailedAttempt};

/// How many attempts are kept.
const KEPT: usize = 8;

/// The first attempts of a request that failed, without an allocation: slots, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trail {
    failed: [(u32, Reason); KEPT],
    len: usize,
}

impl Trail {
    pub(super) const fn new() -> Self {
        Self { failed: [(0, Reason::Stalled); KEPT], len: 0 }
    }

    /// Another attempt failed; beyond the first eight nobody is kept.
    pub(super) fn push(&mut self, slot: usize, reason: Reason) {
        if let Some(place) = self.failed.get_mut(self.len) {
            // A pool has far fewer backends.
            *place = (u32::try_from(slot).unwrap_or(u32::MAX), reason);
            self.len += 1;
        }
    }

    /// The attempts, in their order.
    fn attempts(&self) -> &[(u32, Reason)] {
        &self.failed[..self.len]
    }
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// What it tried so far in vain, at most the first eight attempts.
    pub(crate) fn trail(&self) -> Box<[FailedAttempt]> {
        let before = self.terms.as_ref().map_or(&[][..], |terms| &terms.trail);
        let failed = self.trail.as_ref().map_or(&[][..], Trail::attempts);
        let failed = failed.iter().map(|&(slot, reason)| {
            let name = self.backend(slot as usize).shared_name();
            FailedAttempt::new(Arc::clone(name), reason)
        });
        before.iter().cloned().chain(failed).take(KEPT).collect()
    }
}
