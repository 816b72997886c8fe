//! Those who are told of a pool's decisions.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    level::{self, Level},
    observe::{self, Event, Observer},
};

/// The observers of a pool, besides the `tracing` subscriber. Clones are the same ones.
#[derive(Clone)]
pub(super) struct Audience {
    observers: Arc<[Box<dyn Observer>]>,
    /// From which level on they are told; `None` if there are none.
    told_from: Option<Level>,
}

impl Audience {
    pub(super) fn new(observers: Vec<Box<dyn Observer>>) -> Self {
        let all = observers.iter().any(|observer| observer.wants_attempts());
        let told_from = (!observers.is_empty()).then_some(if all { Level::Trace } else { Level::Info });
        Self { observers: observers.into(), told_from }
    }

    /// Whether one of them wants to know how long attempts and requests took.
    pub(super) fn wants_time(&self) -> bool {
        self.observers.iter().any(|observer| observer.wants_time())
    }

    /// Whether anybody is told events of this level.
    #[inline]
    pub(super) fn is_told(&self, level: Level) -> bool {
        self.told_from.is_some_and(|from| from <= level) || level::is_traced(level)
    }

    /// Tells all of them, and the subscriber.
    pub(super) fn tell(&self, event: &Event<'_>) {
        observe::trace(event);
        for observer in self.observers.iter() {
            // Events are also told while a panic unwinds, and a second one there would abort the process. The panic hook
            // has reported it.
            let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
        }
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("told_from", &self.told_from).finish_non_exhaustive()
    }
}
