use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

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

/// Events to come, in order of (time, sequence): a calendar queue (Brown, CACM 31, 1988), which takes as many instructions
/// for ten thousand events as for ten.
///
/// Time is cut into days of a few events each. Those of the day that is next are sorted; those of a later day of the
/// calendar lie on its page in any order until then, and what is beyond its last page is in a heap.
///
/// An entry is one number, so that comparing two is one comparison: from the top 64 bits of time, 36 of sequence, 3 of
/// kind and 25 of index.
#[derive(Debug)]
pub(super) struct Queue {
    /// The events of `day`, the next one last.
    today: Vec<u128>,
    day: u64,
    /// The day of the event that was taken last.
    begin: u64,
    /// Of each day after `day`, and less than so many after `begin`, the events. A power of two.
    pages: Vec<Vec<u128>>,
    on_pages: usize,
    beyond: BinaryHeap<Reverse<u128>>,
    /// A day is two to this power of nanoseconds.
    width: u32,
    /// How many events were taken since the width was looked at, and when that was.
    taken: u64,
    looked: u64,
    sequence: u64,
}

/// The fewest pages, and the most.
const PAGES: (usize, usize) = (64, 1 << 16);

/// After so many events it is looked at whether days are as long as they should be.
const LOOK: u64 = 512;

/// How many requests can be on their way at once: what an index has bits for.
const MOST_AT_ONCE: u64 = (1 << INDEX_BITS) - 1;

/// How many events a run can have: what a sequence has bits for, hours of computing.
const MOST_EVENTS: u64 = (1 << 36) - 1;

const INDEX_BITS: u32 = 25;
const KIND_BITS: u32 = 3;

impl Default for Queue {
    fn default() -> Self {
        Self {
            today: Vec::new(),
            day: 0,
            begin: 0,
            pages: vec![Vec::new(); PAGES.0],
            on_pages: 0,
            beyond: BinaryHeap::new(),
            // A millisecond.
            width: 20,
            taken: 0,
            looked: 0,
            sequence: 0,
        }
    }
}

impl Queue {
    /// Adds an event; gives its sequence number, which is never 0.
    #[inline(always)]
    pub(super) fn push(&mut self, at: u64, event: Event) -> u64 {
        self.sequence += 1;
        assert!(self.sequence <= MOST_EVENTS, "the run has more than 2^36 events; split it into shorter ones");
        let (kind, index) = parts(event);
        assert!(
            index <= MOST_AT_ONCE,
            "more than 33 million requests are on their way at once: the backends cannot keep up"
        );
        let low = (self.sequence << KIND_BITS | kind) << INDEX_BITS | index;
        self.put(u128::from(at) << 64 | u128::from(low));
        self.sequence
    }

    #[inline(always)]
    fn put(&mut self, entry: u128) {
        let day = (high(entry) >> self.width).max(self.begin);
        if day > self.day && day - self.begin < self.pages.len() as u64 {
            let page = self.page(day);
            self.pages[page].push(entry);
            self.on_pages += 1;
        } else {
            self.put_elsewhere(day, entry);
        }
    }

    /// The number of a day's page.
    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits count")]
    #[inline]
    fn page(&self, day: u64) -> usize {
        day as usize & (self.pages.len() - 1)
    }

    /// An event of today, or of before, or beyond the pages.
    #[inline(never)]
    fn put_elsewhere(&mut self, day: u64, entry: u128) {
        if day > self.day {
            self.beyond.push(Reverse(entry));
            return;
        }
        if day < self.day {
            // The next event was later: what was sorted goes back.
            self.day = day;
            while let Some(later) = self.today.pop() {
                self.put(later);
            }
        }
        let place = self.today.partition_point(|&other| other > entry);
        self.today.insert(place, entry);
    }

    /// When the next event is; `u64::MAX` if there is none.
    #[inline]
    pub(super) fn peek(&mut self) -> u64 {
        if self.today.is_empty() {
            self.turn();
        }
        self.today.last().map_or(u64::MAX, |&next| high(next))
    }

    /// The next event with its sequence number.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        if self.today.is_empty() {
            self.turn();
        }
        let next = self.today.pop()?;
        self.begin = self.day;
        self.taken += 1;
        if self.taken == LOOK {
            self.look(high(next));
        }
        let low = low(next);
        Some((low >> (KIND_BITS + INDEX_BITS), unpack(low)))
    }

    /// Goes on to the next day that has events.
    fn turn(&mut self) {
        let first_beyond = self.beyond.peek().map_or(u64::MAX, |first| high(first.0) >> self.width);
        if self.on_pages == 0 {
            return self.turn_to_beyond(first_beyond);
        }
        let mut day = self.day + 1;
        while day < first_beyond && self.pages[self.page(day)].is_empty() {
            day += 1;
        }
        if day == first_beyond {
            return self.turn_to_beyond(day);
        }
        self.day = day;
        let page = self.page(day);
        std::mem::swap(&mut self.today, &mut self.pages[page]);
        self.on_pages -= self.today.len();
        if self.today.len() > 1 {
            self.today.sort_unstable_by(|one, other| other.cmp(one));
        }
    }

    /// The same if that day has events that lay beyond the pages; on its page there may be more.
    #[cold]
    fn turn_to_beyond(&mut self, day: u64) {
        if self.beyond.is_empty() {
            return;
        }
        self.day = day;
        if day - self.begin < self.pages.len() as u64 {
            let page = self.page(day);
            let more = std::mem::take(&mut self.pages[page]);
            self.on_pages -= more.len();
            self.today.extend(more);
        }
        while let Some(first) = self.beyond.peek_mut().filter(|first| high(first.0) >> self.width == day) {
            self.today.push(PeekMut::pop(first).0);
        }
        self.today.sort_unstable_by(|one, other| other.cmp(one));
    }

    /// Makes days four times as long as it is from one event to the next on average, or half of that, and the calendar
    /// several times as long as it takes an event to come.
    #[cold]
    fn look(&mut self, now: u64) {
        let width = (now.saturating_sub(self.looked) / (LOOK / 4)).max(1).ilog2();
        let events = self.today.len() + self.on_pages + self.beyond.len();
        let pages = (2 * events).next_power_of_two().clamp(PAGES.0, PAGES.1).max(self.pages.len());
        (self.taken, self.looked) = (0, now);
        if width.abs_diff(self.width) < 2 && pages == self.pages.len() {
            return;
        }
        let mut all: Vec<u128> = self.pages.iter_mut().flat_map(|page| page.drain(..)).collect();
        all.append(&mut self.today);
        all.extend(self.beyond.drain().map(|Reverse(entry)| entry));
        self.pages.resize(pages, Vec::new());
        (self.width, self.day, self.begin, self.on_pages) = (width, now >> width, now >> width, 0);
        all.into_iter().for_each(|entry| self.put(entry));
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

    /// Of delays up to `most`, one in eight up to a hundred times that.
    fn compare_with_a_sorted_list(most: u64) -> Queue {
        let (mut queue, mut list, mut now) = (Queue::default(), Vec::new(), 0);
        for step in 0..9_000 {
            // It grows, then stays as long as it is, then empties.
            for push in 0..[2, 1, 0][step / 3_000] {
                let bits = Draws::new(3).bits(Purpose::Sample, step as u64, push);
                let at = now + bits / 8 % most * if bits.is_multiple_of(8) { 100 } else { 1 };
                let entry = (at, queue.push(at, Event::Head(7)));
                list.insert(list.partition_point(|&other| other < entry), entry);
            }
            if most > 1 << 20 {
                assert!(queue.today.len() < 64, "{most}: a list of {} is sorted", queue.today.len());
            }
            if step % 3 == 0 {
                assert_eq!(queue.peek(), list.first().map_or(u64::MAX, |&(at, _)| at));
            }
            let expected = (!list.is_empty()).then(|| list.remove(0));
            now = expected.map_or(now, |(at, _)| at);
            assert_eq!(queue.pop(), expected.map(|(_, sequence)| (sequence, Event::Head(7))), "step {step}");
        }
        queue
    }

    #[test]
    fn the_order_is_that_of_a_sorted_list_however_pushes_and_pops_alternate() {
        // All at once, within the first day, and over many: days become as long as it is between some events.
        for most in [1, 500, 1 << 32, 1 << 44_u64] {
            let (queue, bits) = (compare_with_a_sorted_list(most), most.ilog2());
            assert!((bits.saturating_sub(13)..=bits + 7).contains(&queue.width), "{most}: {}", queue.width);
            assert!(queue.pages.len() > PAGES.0, "{most}");
        }
    }

    #[test]
    fn an_event_before_the_next_one_comes_first() {
        let mut queue = Queue::default();
        let (soon, late) = (1 << 30, 1 << 50);
        queue.push(late, Event::Alarm(1));
        assert_eq!(queue.peek(), late, "the calendar is open at that day");
        queue.push(soon, Event::Head(2));
        queue.push(late - 1, Event::Head(3));
        assert_eq!((queue.peek(), queue.today.len()), (soon, 1), "it is open at the day before");
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
        assert_eq!(order, [Event::Head(2), Event::Head(3), Event::Alarm(1)]);
    }
}
