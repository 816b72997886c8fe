//! News of cooldowns on their way from the pool of one worker to those of the others, as lb-redis takes them.

use std::collections::VecDeque;

use super::{Engine, Event};

/// What is on its way in each circle, in the order in which it was told: all of it takes as long.
pub(super) type Gossip = Vec<VecDeque<Told>>;

/// A cooldown that a pool has told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pool: usize,
    backend: usize,
    /// How much of it was left.
    left: u64,
}

/// What is shorter is not told: as `lb_redis::SHORTEST`.
const SHORTEST: u64 = 500_000_000;

impl Engine<'_, '_> {
    /// The pool of a worker has a backend out until then: the others of its circle will hear of it.
    pub(super) fn tell_others(&mut self, worker: u32, (pool, backend): (usize, usize), until: u64) {
        let left = until.saturating_sub(self.now);
        let Some((number, circle)) = self.pools.circle_of(worker) else { return };
        if left >= SHORTEST {
            self.gossip[number as usize].push_back(Told { pool, backend, left });
            self.queue.push(self.now.saturating_add(circle.delay), Event::Gossip(number));
        }
    }

    /// What was told first in a circle reaches the other pools.
    pub(super) fn others_hear(&mut self, circle: u32) {
        let Some(Told { pool, backend, left }) = self.gossip[circle as usize].pop_front() else { return };
        let name = &self.scenario.backends[backend].name;
        for other in self.pools.circles()[circle as usize].pools.clone().filter(|&other| other != pool) {
            if let Some(until) = self.pools.hear(other, name, left, self.now) {
                self.recorder.cooling((other, backend), self.now, until);
            }
        }
    }
}
