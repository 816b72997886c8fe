use std::{fmt, sync::Arc};

use lb_core::{Event, Observer, Reason};

use crate::{message::SHORTEST, outbox::Outbox};

/// The observer that tells other processes of a pool's cooldowns; [`SharedCooldowns::observer`](crate::SharedCooldowns::observer)
/// makes it.
///
/// It leaves a note for the task and returns: what an attempt without a cooldown pays for it is nothing, and a cooldown pays a
/// short mutex.
pub struct Publisher {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) shares_drains: bool,
}

impl Observer for Publisher {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Cooling { backend, until, duration, cause, .. } if *duration >= SHORTEST => {
                // Only an answer cools.
                if let Reason::Status(status) = cause.reason() {
                    self.outbox.cooling(backend.name(), *until, status);
                }
            }
            Event::Drained { backend } if self.shares_drains => self.outbox.drained(backend.name(), true),
            Event::Reopened { backend } if self.shares_drains => self.outbox.drained(backend.name(), false),
            _ => {}
        }
    }

    fn wants_attempts(&self) -> bool {
        false
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("shares_drains", &self.shares_drains).finish_non_exhaustive()
    }
}
