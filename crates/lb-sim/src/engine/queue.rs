use std::{cmp::Reverse, collections::BinaryHeap};

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The head of an answer, or a fault, reaches the client: a request.
    Head(u32),
    /// The last token of a service.
    Last(u32),
    /// The SDK sends a request again.
    Retry(u32),
    /// A request's timeout or deadline, unless it was called off: the request, if its alarm has this event's sequence.
    Alarm(u32),
    /// Somebody else's request at a backend.
    Foreign(u32),
}

/// Events to come, in order of (time, sequence).
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(u64, u64, u64)>>,
    sequence: u64,
}

impl Queue {
    /// Adds an event; gives its sequence number, which is never 0.
    #[inline]
    pub(super) fn push(&mut self, at: u64, event: Event) -> u64 {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, pack(event))));
        self.sequence
    }

    /// When the next event is; `u64::MAX` if there is none.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |Reverse((at, ..))| *at)
    }

    /// The next event with its sequence number.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|Reverse((_, sequence, event))| (sequence, unpack(event)))
    }
}

const fn pack(event: Event) -> u64 {
    let (kind, index) = match event {
        Event::Head(index) => (0, index),
        Event::Last(index) => (1, index),
        Event::Retry(index) => (2, index),
        Event::Alarm(index) => (3, index),
        Event::Foreign(index) => (4, index),
    };
    kind << 32 | index as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is the index")]
const fn unpack(event: u64) -> Event {
    let index = event as u32;
    match event >> 32 {
        0 => Event::Head(index),
        1 => Event::Last(index),
        2 => Event::Retry(index),
        3 => Event::Alarm(index),
        _ => Event::Foreign(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_in_which_they_were_added() {
        let mut queue = Queue::default();
        queue.push(7, Event::Head(1));
        queue.push(5, Event::Last(2));
        queue.push(5, Event::Retry(3));
        queue.push(5, Event::Alarm(u32::MAX));
        queue.push(9, Event::Foreign(0));
        assert_eq!(queue.peek(), 5);
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
        let expected = [Event::Last(2), Event::Retry(3), Event::Alarm(u32::MAX), Event::Head(1), Event::Foreign(0)];
        assert_eq!(order, expected);
        assert_eq!(queue.peek(), u64::MAX);
    }
}
