//! The ledger: what is known about each backend, for all pools that have replaced one another.
//!
//! A pool never changes, which is why picking costs so little. One that replaces it has a [view](super::view) of its own,
//! and both are seated at one ledger: a backend that both have is one entry there, and whatever becomes of it is shown in
//! both views. So requests that are still under way on the old pool go by the news of the new one, and the other way
//! round, and nothing is handed over.

use std::collections::BTreeMap;

use crate::pool::{counters::Counters, standing::Standing, view::View};

/// What only writers need, and whose mutex makes one at a time of them.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    /// Entries that are nobody's, for the next backends that are new.
    free: Vec<usize>,
    /// By number: later pools have greater ones.
    seatings: BTreeMap<u64, Seating>,
    /// What happened at backends that no pool has any more.
    removed: Counters,
}

/// What is known about one backend.
#[derive(Debug, Default)]
struct Entry {
    standing: Standing,
    /// Where it is shown: the number of the seating, and the slot there.
    seats: Vec<(u64, usize)>,
    /// What happened at it in pools that are gone.
    past: Counters,
}

/// One pool at the ledger.
#[derive(Debug)]
struct Seating {
    view: View,
    /// Where each slot stands among the entries of its view.
    positions: Vec<u32>,
    /// The entry of each slot.
    entries: Vec<usize>,
}

impl Ledger {
    /// A ledger with one pool, whose backends are all new; and its number.
    pub(super) fn new(view: View) -> (Self, u64) {
        let (entries, free, seatings) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut ledger = Self { entries, free, seatings, removed: Counters::default() };
        let number = ledger.seat(view, |_| None);
        (ledger, number)
    }

    /// Seats a pool, and gives its number. `kept` says of each slot which one of which pool it goes on for.
    pub(super) fn seat(&mut self, view: View, kept: impl Fn(usize) -> Option<(u64, usize)>) -> u64 {
        let number = self.seatings.last_key_value().map_or(0, |(last, _)| last + 1);
        let entries: Vec<_> = (0..view.len())
            .map(|slot| {
                let entry = kept(slot).map(|(number, slot)| self.seatings[&number].entries[slot]);
                entry.or_else(|| self.free.pop()).unwrap_or_else(|| {
                    self.entries.push(Entry::default());
                    self.entries.len() - 1
                })
            })
            .collect();
        // Fits: a pool has at most ten million backends.
        let positions = (0..u32::try_from(view.len()).unwrap_or(u32::MAX)).collect();
        self.seatings.insert(number, Seating { view, positions, entries: entries.clone() });
        for (slot, entry) in entries.into_iter().enumerate() {
            self.entries[entry].seats.push((number, slot));
            self.show(number, slot);
        }
        number
    }

    /// Lets go of pools that nobody has any more, and of backends that were in these alone.
    pub(super) fn clear(&mut self) {
        let seatings = self.seatings.iter_mut();
        let gone = seatings.filter_map(|(&number, seating)| seating.view.is_abandoned().then_some(number));
        for number in gone.collect::<Vec<_>>() {
            let Some(Seating { view, entries, .. }) = self.seatings.remove(&number) else { continue };
            for (slot, entry) in entries.into_iter().enumerate() {
                let Entry { seats, past, .. } = &mut self.entries[entry];
                seats.retain(|seat| seat.0 != number);
                *past = past.and(view.counters.snapshot(slot));
                if seats.is_empty() {
                    self.removed = self.removed.and(*past);
                    self.entries[entry] = Entry::default();
                    self.free.push(entry);
                }
            }
        }
    }

    /// The standing of a slot of a pool.
    pub(super) fn standing(&mut self, number: u64, slot: usize) -> &mut Standing {
        let entry = self.seatings[&number].entries[slot];
        &mut self.entries[entry].standing
    }

    /// The standings of a pool, with their slots.
    pub(super) fn standings(&self, number: u64) -> impl Iterator<Item = (usize, &Standing)> {
        let entries = self.seatings[&number].entries.iter().enumerate();
        entries.map(|(slot, &entry)| (slot, &self.entries[entry].standing))
    }

    /// Shows in all pools that have the backend of this slot what is known about it.
    pub(super) fn show(&mut self, number: u64, slot: usize) {
        let entry = &self.entries[self.seatings[&number].entries[slot]];
        for &(number, slot) in &entry.seats {
            if let Some(seating) = self.seatings.get_mut(&number) {
                seating.view.show(slot, &entry.standing, &mut seating.positions);
            }
        }
    }

    /// What happened at the backend of this slot, in all pools that have or had it.
    pub(super) fn counters(&self, number: u64, slot: usize) -> Counters {
        self.counters_of(&self.entries[self.seatings[&number].entries[slot]])
    }

    /// What happened at backends that this pool does not have, and one before it had.
    pub(super) fn removed(&self, number: u64) -> Counters {
        let elsewhere = |entry: &&Entry| !entry.seats.is_empty() && entry.seats.iter().all(|seat| seat.0 != number);
        let elsewhere = self.entries.iter().filter(elsewhere);
        elsewhere.fold(self.removed, |all, entry| all.and(self.counters_of(entry)))
    }

    fn counters_of(&self, entry: &Entry) -> Counters {
        let here = entry.seats.iter().map(|&(number, slot)| self.seatings[&number].view.counters.snapshot(slot));
        here.fold(entry.past, Counters::and)
    }

    #[cfg(all(test, not(lb_loom)))]
    pub(super) fn position(&self, number: u64, slot: usize) -> u32 {
        self.seatings[&number].positions[slot]
    }
}
