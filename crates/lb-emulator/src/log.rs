use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use crate::{received::Received, wire::Link};

/// What the emulator received, and the counts that tests wait for.
#[derive(Debug)]
pub(crate) struct Log {
    entries: Mutex<VecDeque<Received>>,
    counts: watch::Sender<Counts>,
    /// How many entries are remembered.
    keep: usize,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) connections: u64,
    pub(crate) bodies_sent: u64,
    pub(crate) clients_left: u64,
    pub(crate) refused_streams: u64,
}

impl Log {
    pub(crate) fn new(keep: usize) -> Self {
        Self { entries: Mutex::default(), counts: watch::Sender::default(), keep }
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(crate) fn entries(&self) -> Vec<Received> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }

    /// Counts a connection and gives it its number.
    pub(crate) fn connected(&self) -> u64 {
        self.counts.send_modify(|counts| counts.connections += 1);
        self.counts().connections
    }

    /// Counts a request that is refused before it is processed.
    pub(crate) fn refused(&self) {
        self.counts.send_modify(|counts| counts.refused_streams += 1);
    }

    /// Records a request and gives it its number.
    pub(crate) fn record(self: &Arc<Self>, mut received: Received, link: &Arc<Link>) -> Exchange {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Only this function counts requests, and it holds the lock.
        let number = self.counts().requests + 1;
        received.number = number;
        entries.push_back(received);
        while entries.len() > self.keep {
            entries.pop_front();
        }
        drop(entries);
        self.counts.send_modify(|counts| counts.requests = number);
        Exchange { log: Arc::clone(self), link: Arc::clone(link), number, ended: false }
    }

    fn update(&self, number: u64, change: impl FnOnce(&mut Received)) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Numbers rise, and the latest are the ones in use.
        let found = entries.iter_mut().rev().find(|entry| entry.number == number);
        if let Some(entry) = found {
            change(entry);
        }
    }
}

/// The open answer to one request. If it is dropped before it was [`sent`](Self::sent), and the emulator did not end
/// it, the client must have.
#[derive(Debug)]
pub(crate) struct Exchange {
    log: Arc<Log>,
    link: Arc<Link>,
    number: u64,
    ended: bool,
}

impl Exchange {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The head goes out with this status.
    pub(crate) fn answered(&self, status: u16) {
        self.log.update(self.number, |entry| entry.status = Some(status));
    }

    /// The emulator gives it up, and the client is not to be blamed.
    pub(crate) fn broken_off(mut self) {
        self.ended = true;
    }

    /// The last byte is out.
    pub(crate) fn sent(mut self) {
        self.ended = true;
        self.log.update(self.number, |entry| entry.body_sent = Some(Instant::now()));
        self.log.counts.send_modify(|counts| counts.bodies_sent += 1);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.ended || self.link.is_ended_by_emulator() {
            return;
        }
        self.log.update(self.number, |entry| entry.client_left = true);
        self.log.counts.send_modify(|counts| counts.clients_left += 1);
    }
}
