//! A request that goes on in another pool.

use std::{mem, ops::Deref, sync::Arc, time::Duration};

use super::{Answers, Dispatch, Notes, Terms};
use crate::{
    pool::{Pool, Waiting},
    served::FailedAttempt,
    wishes::WishError,
};

/// A request between two pools: what it takes along.
#[derive(Debug)]
pub(crate) struct Moved {
    terms: Option<Box<Terms>>,
    earlier: u32,
    answers: Answers,
    /// The backends that it has struck, by name.
    struck: Vec<Arc<str>>,
    notes: Option<Notes>,
    /// Whom it has tried in vain, by name.
    trail: Box<[FailedAttempt]>,
    /// Where it waits.
    waiting: Arc<Waiting>,
}

impl<P: Deref<Target = Pool>> Dispatch<P> {
    /// Goes on in the pool that has [replaced](crate::ReplaceablePool) this one: for drivers by hand, after a
    /// [`Step::Wait`](crate::Step::Wait). The request keeps its wishes, its age among those who wait, and the number of its attempts; and
    /// it may ask every backend of the new pool.
    ///
    /// # Errors
    ///
    /// If it is pinned to a backend that the new pool does not have.
    pub fn go_on(self, pool: P) -> Result<Self, WishError> {
        Self::arrive(pool, self.leave())
    }

    pub(crate) fn leave(mut self) -> Moved {
        if let Some(slot) = self.open.take() {
            self.cancel(slot);
        }
        // Whose answer it had is of no use in another pool.
        self.forget_end();
        let name = |&slot: &usize| Arc::clone(self.backend(slot).shared_name());
        let struck = self.struck.iter().map(name).collect();
        let (earlier, trail) = (self.attempts(), self.trail());
        // It does not end here: what is taken is not given back when this is dropped, and one that has told nothing, and has
        // tried somebody, tells no end.
        if self.tried.is_empty() {
            self.tried.insert(0);
        }
        let (terms, notes) = (self.terms.take(), self.notes.take());
        let answers = mem::take(&mut self.answers);
        Moved { terms, earlier, answers, struck, notes, trail, waiting: Arc::clone(&self.pool.waiting) }
    }

    pub(crate) fn arrive(pool: P, moved: Moved) -> Result<Self, WishError> {
        let Moved { mut terms, earlier, answers, struck, notes, trail, waiting } = moved;
        let mut result = Ok(());
        if let Some(terms) = &mut terms {
            result = terms.move_to(&pool);
            if result.is_err() || !Arc::ptr_eq(&waiting, &pool.waiting) {
                // It loses its place: it gives up, or the other pool has not replaced this one.
                let wait = mem::take(&mut terms.wait);
                if let (Some(ticket), Some(_)) = (wait.ticket, wait.since) {
                    waiting.leave(ticket, Duration::ZERO);
                }
                terms.wait.total = wait.total;
            }
        }
        if !trail.is_empty() {
            terms.get_or_insert_default().trail = trail;
        }
        let struck = struck.iter().filter_map(|name| pool.slot(name)).collect();
        let mut dispatch = Self::on(pool, terms);
        (dispatch.earlier, dispatch.answers, dispatch.struck, dispatch.notes) = (earlier, answers, struck, notes);
        match result {
            Ok(()) => Ok(dispatch),
            Err(error) => {
                dispatch.refuse();
                Err(error)
            }
        }
    }
}
