//! Requests that wait for a cooldown to end.
//!
//! There is no wake-up, no task and no channel: who waits knows a moment, and asks again then. The moment is a closed form
//! of how many older ones wait, by which one, two, four, ... go at every step of [`GRACE`]: if the backend refuses the first
//! of them, the others learn of its new deadline when they ask, and mostly have not been sent. Nobody who comes anew looks at
//! the queue: who finds a backend takes it, so that order is by age in tendency only.

use std::time::Duration;

use crate::{
    clock::Instant,
    sync::{Mutex, lock},
};

/// How long each step of those who wait leaves the backend to refuse the one before. Twice or half as much is alike.
const GRACE: Duration = Duration::from_millis(100);

/// How long, and how many requests, a pool lets wait: see [`PoolBuilder::wait`](crate::PoolBuilder::wait).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[expect(clippy::exhaustive_structs, reason = "these two are what waiting needs")]
pub struct Wait {
    /// No request waits longer than this, all its waits together. Below the timeout of your callers.
    #[cfg_attr(feature = "serde", serde(with = "super::options::span"))]
    pub longest: Duration,
    /// Where so many wait, the next is refused at once. One that has waited and was refused once more keeps its place.
    pub queue: usize,
}

/// What requests of a pool have waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Waits {
    /// How many requests wait now.
    pub waiting: usize,
    /// How many have begun to wait so far.
    pub begun: u64,
    /// How many were refused at once because the queue was full.
    pub turned_away: u64,
    /// How many have stopped waiting because their time, or that of the pool, was too short.
    pub given_up: u64,
    /// How long all waits were that are over, together; without those whose callers gave up.
    pub waited: Duration,
}

/// Those who wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The tickets of those who wait, oldest first: a ticket is a number in the order in which requests began to.
    tickets: Vec<u64>,
    waits: Waits,
}

/// One who waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiter {
    /// Its ticket, if it has waited before: it keeps its age.
    pub(crate) ticket: Option<u64>,
    /// When what it waits for is there.
    pub(crate) opens_at: Instant,
    /// The last moment at which that is of use to it.
    pub(crate) ends_at: Instant,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) ticket: u64,
    /// How many older ones wait.
    pub(crate) older: usize,
    /// When to ask again.
    pub(crate) until: Instant,
}

impl Waiting {
    /// Takes a place, or keeps one; `None` if there is none, or if it would be too late.
    pub(crate) fn enter(&self, waiter: Waiter, wait: Wait) -> Option<Place> {
        let mut queue = lock(&self.queue);
        let Queue { tickets, waits } = &mut *queue;
        let ticket = waiter.ticket.unwrap_or(waits.begun);
        let older = tickets.partition_point(|&other| other < ticket);
        let until = moment(waiter.opens_at, older);
        let stands = tickets.get(older) == Some(&ticket);
        if until > waiter.ends_at {
            waits.given_up += u64::from(waiter.ticket.is_some());
            return None;
        }
        if waiter.ticket.is_none() {
            if tickets.len() >= wait.queue {
                waits.turned_away += 1;
                return None;
            }
            waits.begun += 1;
        }
        if !stands {
            tickets.insert(older, ticket);
        }
        Some(Place { ticket, older, until })
    }

    /// Gives a place back, after so long; whoever stands behind it moves up when it asks again.
    pub(crate) fn leave(&self, ticket: u64, waited: Duration) {
        let mut queue = lock(&self.queue);
        if let Ok(place) = queue.tickets.binary_search(&ticket) {
            queue.tickets.remove(place);
        }
        queue.waits.waited = queue.waits.waited.saturating_add(waited);
    }

    /// When somebody who comes anew could go, if what it waits for is there at `opens_at`.
    pub(crate) fn moment_of_the_next(&self, opens_at: Instant) -> Instant {
        moment(opens_at, lock(&self.queue).tickets.len())
    }

    /// What was waited so far.
    pub(crate) fn waits(&self) -> Waits {
        let queue = lock(&self.queue);
        Waits { waiting: queue.tickets.len(), ..queue.waits }
    }
}

/// When somebody goes behind whom so many older ones wait, if what they wait for is there at `opens_at`.
fn moment(opens_at: Instant, older: usize) -> Instant {
    let steps = (older + 1).ilog2();
    opens_at.saturating_add(GRACE.saturating_mul(steps))
}

#[cfg(all(test, not(lb_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_steps_double() {
        let opens_at = Instant::from_nanos(0);
        let steps: Vec<_> = (0..16).map(|older| moment(opens_at, older).as_nanos() / 100_000_000).collect();
        assert_eq!(steps, [0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
    }
}

#[cfg(all(test, lb_loom))]
mod loom_models {
    use ::loom::{
        model,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use super::*;

    fn newcomer(ticket: Option<u64>) -> Waiter {
        Waiter { ticket, opens_at: Instant::from_nanos(5), ends_at: Instant::from_nanos(u64::MAX) }
    }

    #[test]
    fn no_more_are_let_in_than_there_is_room_for_and_every_place_is_given_back() {
        model(|| {
            let (waiting, inside) = (Arc::new(Waiting::default()), Arc::new(AtomicUsize::new(0)));
            let wait = Wait { longest: Duration::from_secs(1), queue: 1 };
            let visit = move |waiting: &Waiting, inside: &AtomicUsize| {
                let Some(place) = waiting.enter(newcomer(None), wait) else { return };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "the queue has one place");
                assert_eq!(waiting.enter(newcomer(Some(place.ticket)), wait), Some(place), "who stands there stays");
                inside.fetch_sub(1, Ordering::SeqCst);
                waiting.leave(place.ticket, Duration::ZERO);
            };
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (waiting, inside) = (Arc::clone(&waiting), Arc::clone(&inside));
                    thread::spawn(move || visit(&waiting, &inside))
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(waiting.waits().waiting, 0);
            assert_eq!(waiting.waits().begun + waiting.waits().turned_away, 2);
        });
    }

    #[test]
    fn tickets_are_of_one_request_each() {
        model(|| {
            let waiting = Arc::new(Waiting::default());
            let wait = Wait { longest: Duration::from_secs(1), queue: 9 };
            let other = {
                let waiting = Arc::clone(&waiting);
                thread::spawn(move || waiting.enter(newcomer(None), wait).unwrap())
            };
            let (mine, other) = (waiting.enter(newcomer(None), wait).unwrap(), other.join().unwrap());
            assert_ne!(mine.ticket, other.ticket);
            assert_eq!([mine.older, other.older].iter().sum::<usize>(), 1, "one of them is the older one");
        });
    }
}
