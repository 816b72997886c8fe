use std::{cmp::Reverse, collections::BinaryHeap};

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The head of a success reaches the client, with its first token: a request.
    First(u32),
    /// The head of another answer, or a fault, reaches the client: a request.
    Head(u32),
    /// The last token of a service: the request that it was begun for.
    Last(u32),
    /// The SDK sends a request again.
    Retry(u32),
    /// A request's timeout or deadline, unless it was called off: the request, if its alarm has this event's sequence.
    Alarm(u32),
    /// Somebody else's request at a backend.
    Foreign(u32),
    /// A request has waited in its pool.
    Resume(u32),
    /// News of a cooldown reach the other pools of a circle.
    Gossip(u32),
}

/// Events to come, in order of (time, sequence).
///
/// An entry is one number, so that comparing two is one comparison: from the top 64 bits of time, 36 of sequence, 3 of
/// kind and 25 of index.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<u128>>,
    /// The first event has been taken. Mostly one is pushed before the next is taken, and gets its place: one walk through
    /// the heap instead of two.
    has_hole: bool,
    sequence: u64,
}

/// How many requests can be on their way at once: what an index has bits for.
const MOST_AT_ONCE: u64 = (1 << INDEX_BITS) - 1;

/// How many events a run can have: what a sequence has bits for, hours of computing.
const MOST_EVENTS: u64 = (1 << 36) - 1;

const INDEX_BITS: u32 = 25;
const KIND_BITS: u32 = 3;

impl Queue {
    /// Adds an event; gives its sequence number, which is never 0.
    #[inline]
    pub(super) fn push(&mut self, at: u64, event: Event) -> u64 {
        self.sequence += 1;
        assert!(self.sequence <= MOST_EVENTS, "the run has more than 2^36 events; split it into shorter ones");
        let (kind, index) = parts(event);
        assert!(
            index <= MOST_AT_ONCE,
            "more than 33 million requests are on their way at once: the backends cannot keep up"
        );
        let low = (self.sequence << KIND_BITS | kind) << INDEX_BITS | index;
        let entry = u128::from(at) << 64 | u128::from(low);
        if self.has_hole {
            if let Some(mut hole) = self.heap.peek_mut() {
                *hole = Reverse(entry);
            }
        } else {
            self.heap.push(Reverse(entry));
        }
        self.has_hole = false;
        self.sequence
    }

    /// When the next event is; `u64::MAX` if there is none.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let first = match (self.has_hole, self.heap.as_slice()) {
            (false, [Reverse(first), ..]) => *first,
            // The second of all is one of the children of the first.
            (true, [_, Reverse(left), Reverse(right), ..]) => *left.min(right),
            (true, [_, Reverse(left)]) => *left,
            _ => return u64::MAX,
        };
        high(first)
    }

    /// The next event with its sequence number.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        if self.has_hole {
            self.heap.pop();
        }
        let first = self.heap.peek();
        self.has_hole = first.is_some();
        let low = low(first?.0);
        Some((low >> (KIND_BITS + INDEX_BITS), unpack(low)))
    }
}

const fn high(entry: u128) -> u64 {
    (entry >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn low(entry: u128) -> u64 {
    entry as u64
}

/// The number of the kind, and the index.
const fn parts(event: Event) -> (u64, u64) {
    let (kind, index) = match event {
        Event::Head(index) => (0, index),
        Event::Last(index) => (1, index),
        Event::Retry(index) => (2, index),
        Event::Alarm(index) => (3, index),
        Event::Foreign(index) => (4, index),
        Event::Resume(index) => (5, index),
        Event::Gossip(index) => (6, index),
        Event::First(index) => (7, index),
    };
    (kind, index as u64)
}

const fn unpack(low: u64) -> Event {
    let index = (low & MOST_AT_ONCE) as u32;
    match low >> INDEX_BITS & ((1 << KIND_BITS) - 1) {
        0 => Event::Head(index),
        1 => Event::Last(index),
        2 => Event::Retry(index),
        3 => Event::Alarm(index),
        4 => Event::Foreign(index),
        5 => Event::Resume(index),
        6 => Event::Gossip(index),
        _ => Event::First(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Purpose};

    const LAST: u32 = (1 << INDEX_BITS) - 1;

    #[test]
    fn events_come_by_time_and_then_in_the_order_in_which_they_were_added() {
        let mut queue = Queue::default();
        queue.push(7, Event::Head(1));
        queue.push(5, Event::Last(2));
        queue.push(5, Event::Retry(3));
        queue.push(5, Event::Alarm(LAST));
        queue.push(9, Event::Foreign(0));
        queue.push(8, Event::Resume(1));
        queue.push(9, Event::Gossip(3));
        queue.push(9, Event::First(4));
        assert_eq!(queue.peek(), 5);
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
        let expected = [
            Event::Last(2),
            Event::Retry(3),
            Event::Alarm(LAST),
            Event::Head(1),
            Event::Resume(1),
            Event::Foreign(0),
            Event::Gossip(3),
            Event::First(4),
        ];
        assert_eq!(order, expected);
        assert_eq!(queue.peek(), u64::MAX);
    }

    #[test]
    fn the_order_is_that_of_a_sorted_list_however_pushes_and_pops_alternate() {
        let (mut queue, mut list) = (Queue::default(), Vec::new());
        for step in 0..9_000 {
            // It grows, then stays as long as it is, then empties.
            for push in 0..[2, 1, 0][step / 3_000] {
                let at = Draws::new(3).bits(Purpose::Sample, step as u64, push) % 500;
                let entry = (at, queue.push(at, Event::Head(7)));
                list.insert(list.partition_point(|&other| other < entry), entry);
            }
            if step % 3 == 0 {
                assert_eq!(queue.peek(), list.first().map_or(u64::MAX, |&(at, _)| at));
            }
            let expected = (!list.is_empty()).then(|| (list.remove(0).1, Event::Head(7)));
            assert_eq!(queue.pop(), expected, "step {step}");
        }
    }
}
