use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Holds the events of streams until the test lets them go, one by one.
///
/// From [`Emulator::hold_streams`](crate::Emulator::hold_streams). While it is closed, every event of every stream
/// waits for a release of its own, the first one and `data: [DONE]` included. An event that is let go is sent at once,
/// as an HTTP chunk or DATA frame of its own. So a client that shows event n before the release of event n+1 provably does not
/// buffer.
///
/// The gate works from threads and from tasks: nothing here waits. Dropping the handle leaves the gate as it is;
/// [`open`](Self::open) ends it.
#[derive(Debug, Clone)]
#[must_use = "a dropped gate stays closed"]
pub struct StreamGate(Arc<Semaphore>);

impl StreamGate {
    /// Lets one event go, now or when it is due.
    pub fn release_one(&self) {
        self.release(1);
    }

    /// Lets `events` events go, in whatever stream they are due first.
    pub fn release(&self, events: usize) {
        // More permits than a semaphore holds would panic in it; that many is as good as open.
        let room = Semaphore::MAX_PERMITS.saturating_sub(self.0.available_permits());
        self.0.add_permits(events.min(room));
    }

    /// Lets all events go from now on, and ends the hold.
    pub fn open(&self) {
        self.0.close();
    }
}

/// The gate of an emulator, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Gatekeeper(Mutex<Option<StreamGate>>);

impl Gatekeeper {
    /// The closed gate, or a new one.
    pub(crate) fn close(&self) -> StreamGate {
        let mut gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*gate {
            Some(current) if !current.0.is_closed() => current.clone(),
            _ => gate.insert(StreamGate(Arc::new(Semaphore::new(0)))).clone(),
        }
    }

    /// Returns when the next event may go.
    pub(crate) async fn pass(&self) {
        let gate = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(StreamGate(semaphore)) = gate {
            // An error means that the gate was opened.
            if let Ok(permit) = semaphore.acquire().await {
                permit.forget();
            }
        }
    }
}
