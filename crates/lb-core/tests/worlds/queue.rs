//! What is still to happen, in order.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A call is made, or made again.
    Begins { call: usize },
    /// The attempt that was open then ends, if it still is.
    Ends { call: usize, attempt: u64 },
    /// The layer above gives the walk up, if it still goes on.
    GivesUp { call: usize, walk: u64 },
    /// The caller goes away.
    Leaves { call: usize },
    /// The operator takes a backend out.
    Drains { slot: usize },
    /// The operator puts it back.
    Reopens { slot: usize },
}

/// Events by time; those of one moment in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    added: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Duration, event: Event) {
        self.added += 1;
        self.heap.push(Reverse((at, self.added, event)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Duration, Event)> {
        self.heap.pop().map(|Reverse((at, _, event))| (at, event))
    }
}
