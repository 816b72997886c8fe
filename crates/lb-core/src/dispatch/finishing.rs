//! What a request keeps for its observers, and the event of its end.

use std::{ops::Deref, thread::panicking, time::Duration};

use super::Dispatch;
use crate::{
    clock::{Instant, Lazy},
    ending::Ending,
    level::Level,
    observe::Event,
    pool::Pool,
};

/// What a request keeps that has told something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notes {
    /// Its number in events.
    number: u64,
    /// When it first asked where to go, if an observer wants to know.
    asked: Option<Instant>,
    /// How it ends, if its driver does not go on.
    end: Option<End>,
}

/// How a request ends.
#[derive(Debug, Clone, Copy)]
struct End {
    ending: Ending,
    /// Whose answer or error its caller gets.
    slot: Option<usize>,
    /// When, if an observer wants to know.
    at: Option<Instant>,
}

impl Notes {
    /// The notes of another request of this pool.
    #[cold]
    pub(super) fn new(pool: &Pool) -> Self {
        Self { number: pool.number_request(), asked: None, end: None }
    }
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// The number of this request in events of this level, given when it is first needed; `None` if nobody is told.
    #[inline]
    pub(super) fn number(&mut self, level: Level) -> Option<u64> {
        self.pool.is_observed(level).then(|| self.notes.get_or_insert_with(|| Notes::new(&self.pool)).number)
    }

    /// The number that this request has in events, if anybody was told of it.
    pub(crate) fn number_told(&self) -> Option<u64> {
        self.notes.as_ref().map(|notes| notes.number)
    }

    /// An attempt begins, and somebody wants to know when.
    #[cold]
    pub(super) fn note_beginning(&mut self, now: Instant) {
        self.beginning.at = now;
        if self.pool.policy.wants_time {
            self.note_asking(now);
        }
    }

    /// The request asks where to go.
    #[cold]
    pub(super) fn note_asking(&mut self, now: Instant) {
        if self.number(Level::Debug).is_some() {
            if let Some(notes) = &mut self.notes {
                notes.asked.get_or_insert(now);
            }
        }
    }

    /// How long the last attempt took, if an observer wants to know.
    pub(super) fn elapsed<F: FnOnce() -> Instant>(&self, now: &mut Lazy<F>) -> Option<Duration> {
        self.moment(now).map(|now| now.saturating_since(self.beginning.at))
    }

    /// The moment, if an observer wants to know. While a panic unwinds the clock is not read: a second one there, of the
    /// clock, would end the process.
    fn moment<F: FnOnce() -> Instant>(&self, now: &mut Lazy<F>) -> Option<Instant> {
        (self.pool.policy.wants_time && !panicking()).then(|| now.get())
    }

    /// So the request ends, unless its driver goes on.
    pub(super) fn note_end<F: FnOnce() -> Instant>(&mut self, ending: Ending, slot: Option<usize>, now: &mut Lazy<F>) {
        let at = self.moment(now);
        if let Some(notes) = &mut self.notes {
            notes.end = Some(End { ending, slot, at });
        }
    }

    /// The request goes on, and what came of it so far is its end no more.
    pub(super) fn forget_end(&mut self) {
        if let Some(notes) = &mut self.notes {
            notes.end = None;
        }
    }

    /// The request ends, because a wish of it cannot be granted.
    #[cold]
    pub(crate) fn refuse(mut self) {
        if self.number(Level::Debug).is_some() {
            self.note_end(Ending::Refused, None, &mut Lazy::new(|| Instant::from_nanos(0)));
        }
    }

    /// Tells that the request has ended.
    #[cold]
    pub(super) fn finish(&mut self) {
        let Some(request) = self.number(Level::Debug) else { return };
        let Some(Notes { asked, end, .. }) = self.notes else { return };
        let mut end = end.unwrap_or_else(|| {
            let at = asked.and_then(|_| self.moment(&mut Lazy::new(|| self.pool.now())));
            End { ending: Ending::Cancelled, slot: None, at }
        });
        // Whatever was to come of it: its caller gets a panic. One that was served may have panicked over the answer.
        if panicking() && end.ending != Ending::Served {
            end = End { ending: Ending::Cancelled, slot: None, ..end };
        }
        self.pool.emit(&Event::Finished {
            request,
            ending: end.ending,
            attempts: self.attempts(),
            waited: self.waited(),
            elapsed: asked.zip(end.at).map(|(asked, at)| at.saturating_since(asked)),
            backend: end.slot.map(|slot| self.backend(slot)),
        });
    }
}
