//! Requests that wait for a cooldown to end.
//!
//! There is no task and no channel: who waits knows a moment, and asks again then. The moment is a closed form of how many
//! older ones wait, by which one, two, four, ... go at every step of [`GRACE`] after the end of a cooldown. Only an
//! operator, whose doings no moment foretells, wakes those who wait.
//!
//! If the backend refuses one of them, it is cooling anew, and for all others the steps begin again at the end of that
//! cooldown: also where it has ended by the time that they ask. A PTU deployment that works off ten requests a second says
//! "in 100 ms" again and again; without this all who sleep would wake into the moments at which it is back. For the same
//! reason who comes anew while others wait goes behind them, and takes a backend only where its [`Turn`] has come. So order
//! is by age in tendency, not strictly. `docs/policies.md` has the figures.

use std::{task::Waker, time::Duration};

use crate::{
    clock::Instant,
    sync::{AtomicU64, Mutex, Ordering, lock},
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    #[cfg_attr(feature = "serde", serde(rename = "waited_ms", serialize_with = "super::status::millis"))]
    pub waited: Duration,
}

/// Those who wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    queue: Mutex<Queue>,
    /// How many they are, for those who have not taken the lock.
    len: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// The tickets of those who wait, oldest first.
    tickets: Vec<Ticket>,
    waits: Waits,
}

#[derive(Debug)]
struct Ticket {
    /// In the order in which requests began to wait.
    number: u64,
    /// Whether something was done by hand since its holder last asked.
    is_stirred: bool,
    /// Who is to be woken then.
    waker: Option<Waker>,
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

/// Whose turn it is: a backend is back for a request so long after the end of its cooldown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    grace: Duration,
    now: Instant,
}

impl Turn {
    /// Whether the request may go, as far as those go who are older, to a backend whose last cooldown ended then.
    pub(crate) fn has_come(&self, cooled_until: Instant) -> bool {
        // One that never cooled has not kept anybody waiting.
        cooled_until == Instant::from_nanos(0) || cooled_until.saturating_add(self.grace) <= self.now
    }

    /// Whether it is late enough for the request to go wherever it can: by this moment its turn may not have come.
    pub(crate) fn is_over_by(&self, ends_at: Instant) -> bool {
        self.now.saturating_add(self.grace) > ends_at
    }
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::default(), len: AtomicU64::new(0) }
    }

    /// Whether somebody waits.
    pub(crate) fn anybody(&self) -> bool {
        self.len.load(Ordering::Relaxed) > 0
    }

    /// Whose turn it is for one who waits, or comes anew; `None` if it goes wherever it can: nobody is older, or it comes
    /// anew and there is no place for it.
    pub(crate) fn turn(&self, ticket: Option<u64>, wait: Wait, now: Instant) -> Option<Turn> {
        let tickets = &lock(&self.queue).tickets;
        let older = match ticket {
            Some(ticket) => tickets.partition_point(|other| other.number < ticket),
            None => Some(tickets.len()).filter(|&waiting| waiting < wait.queue)?,
        };
        (older > 0).then(|| Turn { grace: grace(older), now })
    }

    /// Takes a place, or keeps one; `None` if there is none, or if it would be too late.
    pub(crate) fn enter(&self, waiter: Waiter, wait: Wait) -> Option<Place> {
        let mut queue = lock(&self.queue);
        let Queue { tickets, waits } = &mut *queue;
        let ticket = waiter.ticket.unwrap_or(waits.begun);
        let older = tickets.partition_point(|other| other.number < ticket);
        let until = moment(waiter.opens_at, older);
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
        match tickets.get_mut(older).filter(|other| other.number == ticket) {
            Some(own) => own.is_stirred = false,
            None => tickets.insert(older, Ticket { number: ticket, is_stirred: false, waker: None }),
        }
        self.tell_len(tickets);
        Some(Place { ticket, older, until })
    }

    /// Gives a place back, after so long; whoever stands behind it moves up when it asks again.
    pub(crate) fn leave(&self, ticket: u64, waited: Duration) {
        let mut queue = lock(&self.queue);
        queue.waits.waited = queue.waits.waited.saturating_add(waited);
        let place = queue.tickets.binary_search_by_key(&ticket, |other| other.number);
        let left = place.ok().map(|place| queue.tickets.remove(place));
        self.tell_len(&queue.tickets);
        drop(queue);
        // With no lock held: a waker is its executor's.
        drop(left);
    }

    /// Lets everybody who waits ask again now, because something was done by hand: a backend may be back, or another.
    pub(crate) fn stir(&self) {
        let stir = |ticket: &mut Ticket| {
            ticket.is_stirred = true;
            ticket.waker.take()
        };
        let wakers: Vec<_> = lock(&self.queue).tickets.iter_mut().filter_map(stir).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether something was done by hand since the holder of this ticket last asked; if not, `waker` is woken then.
    pub(crate) fn is_stirred(&self, ticket: u64, waker: &Waker) -> bool {
        let mut waker = Some(waker.clone());
        let mut queue = lock(&self.queue);
        let place = queue.tickets.binary_search_by_key(&ticket, |other| other.number);
        let Some(ticket) = place.ok().and_then(|place| queue.tickets.get_mut(place)) else { return true };
        let is_stirred = ticket.is_stirred;
        std::mem::swap(&mut ticket.waker, &mut waker);
        drop(queue);
        drop(waker);
        is_stirred
    }

    /// When somebody who comes anew could go, if what it waits for is there at `opens_at`.
    pub(crate) fn moment_of_the_next(&self, opens_at: Instant) -> Instant {
        moment(opens_at, lock(&self.queue).tickets.len())
    }

    fn tell_len(&self, tickets: &[Ticket]) {
        self.len.store(tickets.len() as u64, Ordering::Relaxed);
    }

    /// What was waited so far.
    pub(crate) fn waits(&self) -> Waits {
        let queue = lock(&self.queue);
        Waits { waiting: queue.tickets.len(), ..queue.waits }
    }
}

/// When somebody goes behind whom so many older ones wait, if what they wait for is there at `opens_at`.
fn moment(opens_at: Instant, older: usize) -> Instant {
    opens_at.saturating_add(grace(older))
}

/// How long after the end of a cooldown somebody goes behind whom so many older ones wait.
const fn grace(older: usize) -> Duration {
    GRACE.saturating_mul((older + 1).ilog2())
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
            let (waiting, inside) = (Arc::new(Waiting::new()), Arc::new(AtomicUsize::new(0)));
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
            let waiting = Arc::new(Waiting::new());
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
