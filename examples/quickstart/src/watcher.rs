//! A watcher: who wants to know every pool of a run, such as metrics.

use std::{fmt, sync::Arc};

use lb_core::{Event, Observer, Pool};

/// Who wants to know every pool of a run.
pub trait Watcher: fmt::Debug {
    /// A pool of this name is to be made.
    fn begin(&self, name: &'static str) -> Watching;
}

/// Takes a pool that is watched.
type Watch = Box<dyn FnOnce(&Arc<Pool>)>;

/// What a watcher does about one pool.
#[expect(missing_debug_implementations, reason = "two closures")]
pub struct Watching {
    /// What the pool is built with.
    pub observer: Box<dyn Observer>,
    /// What is done once it is there.
    pub watch: Watch,
}

/// Several observers as one.
pub(crate) struct Observers(pub(crate) Vec<Box<dyn Observer>>);

impl Observer for Observers {
    fn on_event(&self, event: &Event<'_>) {
        self.0.iter().for_each(|observer| observer.on_event(event));
    }

    fn wants_time(&self) -> bool {
        self.0.iter().any(|observer| observer.wants_time())
    }
}
