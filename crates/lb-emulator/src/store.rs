//! What requests leave behind.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::batch::Batch;

/// Responses that are kept; the live service keeps them for 30 days.
const RESPONSES: usize = 1_000;

/// Bytes that the kept responses may take together.
const RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// Files that are kept: as many as the live service keeps of a resource's batches.
const FILES: usize = 500;

/// Bytes that the kept files may take together.
const FILE_BYTES: usize = 256 * 1024 * 1024;

/// Batches that are kept.
const BATCHES: usize = 1_000;

/// Bytes that the requests for the kept batches may have had together: their metadata is kept.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// What was made at one emulator, and exists nowhere else.
pub(crate) struct Store {
    origin: u64,
    shelves: Mutex<Shelves>,
}

/// Everything that is kept, by kind.
pub(crate) struct Shelves {
    pub(crate) responses: Shelf<Response>,
    pub(crate) files: Shelf<File>,
    pub(crate) batches: Shelf<Batch>,
}

/// A response that can be fetched, and gone on from.
pub(crate) struct Response {
    pub(crate) body: Bytes,
    /// Characters of the whole conversation so far: the next turn is charged for them.
    pub(crate) chars: u64,
}

/// A file that was uploaded, or written by a batch.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) purpose: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) content: Bytes,
}

impl Store {
    /// An empty one. Two that are told different names or addresses give different ids.
    pub(crate) fn new(name: &str, addr: SocketAddr) -> Self {
        let mut hasher = DefaultHasher::new();
        (name, addr).hash(&mut hasher);
        let shelves = Shelves {
            responses: Shelf::new(RESPONSES, RESPONSE_BYTES),
            files: Shelf::new(FILES, FILE_BYTES),
            batches: Shelf::new(BATCHES, BATCH_BYTES),
        };
        Self { origin: hasher.finish(), shelves: Mutex::new(shelves) }
    }

    /// The id of what request `number` made: 48 digits, as those of responses.
    pub(crate) fn long_id(&self, prefix: &str, number: u64) -> String {
        format!("{prefix}{:016x}{number:032x}", self.origin)
    }

    /// The id of one of up to 16 files that request `number` made.
    pub(crate) fn file_id(&self, number: u64, index: u8) -> String {
        format!("file-{:016x}{number:015x}{index:x}", self.origin)
    }

    /// The id of what request `number` made, in the form of a UUID.
    pub(crate) fn uuid(&self, prefix: &str, number: u64) -> String {
        let digits = format!("{:016x}", self.origin);
        let (first, second, third) = (&digits[..8], &digits[8..12], &digits[13..]);
        format!("{prefix}{first}-{second}-4{third}-8000-{number:012x}")
    }

    pub(crate) fn with<T>(&self, run: impl FnOnce(&mut Shelves) -> T) -> T {
        run(&mut self.shelves.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what it keeps: prompts are in it.
        f.debug_struct("Store").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Things of one kind by id. Where there are too many, or they are too large together, the oldest are forgotten.
pub(crate) struct Shelf<T> {
    entries: VecDeque<Entry<T>>,
    most: usize,
    most_bytes: usize,
}

struct Entry<T> {
    id: String,
    bytes: usize,
    value: T,
}

impl<T> Shelf<T> {
    fn new(most: usize, most_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), most, most_bytes }
    }

    pub(crate) fn insert(&mut self, id: String, bytes: usize, value: T) {
        self.entries.push_back(Entry { id, bytes, value });
        let mut total: usize = self.entries.iter().map(|entry| entry.bytes).sum();
        while self.entries.len() > self.most || total > self.most_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            total -= oldest.bytes;
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        // The latest are the ones in use.
        self.entries.iter().rev().find(|entry| entry.id == id).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.entries.iter_mut().rev().find(|entry| entry.id == id).map(|entry| &mut entry.value)
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().rev().map(|entry| (entry.id.as_str(), &entry.value))
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let index = self.entries.iter().position(|entry| entry.id == id);
        index.and_then(|index| self.entries.remove(index)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_by_number_and_by_size() {
        let mut shelf = Shelf::new(3, 10);
        for (id, bytes) in [("a", 1), ("b", 1), ("c", 1), ("d", 1)] {
            shelf.insert(id.to_owned(), bytes, id);
        }
        assert_eq!((shelf.get("a"), shelf.get("b")), (None, Some(&"b")), "three are kept");
        shelf.insert("e".to_owned(), 9, "e");
        assert_eq!((shelf.get("c"), shelf.get("d"), shelf.get("e")), (None, Some(&"d"), Some(&"e")), "ten bytes");
        shelf.insert("f".to_owned(), 11, "f");
        assert_eq!((shelf.get("e"), shelf.get("f")), (None, None), "too large by itself");
    }

    #[test]
    fn ids_are_the_same_in_each_run_and_differ_between_emulators() {
        let id = |name, port| Store::new(name, ([127, 0, 0, 1], port).into()).long_id("resp_", 1);
        assert_eq!(id("a", 1), id("a", 1));
        assert!(id("a", 1) != id("b", 1) && id("a", 1) != id("a", 2));
        assert_eq!(id("a", 1).len(), "resp_".len() + 48);
    }
}
