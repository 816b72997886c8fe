//! Many threads: four pick while one marks and passes time, and no pick gives a backend that it must know to be out.
//!
//! What a pick must know follows from what happened before it began. Each backend has a phase, which only the marking
//! thread moves, by these steps:
//!
//! 1. `MARKING` before the mark begins, so that nothing is demanded of picks that overlap it;
//! 2. `OUT` after the mark has returned: a pick that begins now must not give this backend;
//! 3. `RECOVERING` before the time reaches the deadline;
//! 4. `AVAILABLE` after it has: a pick that begins now must give this backend or one as good.
//!
//! Phases only count up, so one that is the same before and after a pick was the same all the time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::Duration,
};

use lb_core::{Instant, Pool, Rng, SeededRng, State, Step, ThreadRng};

use support::{builder, slot_of, throttled};

const PICKERS: usize = 4;

const AVAILABLE: u64 = 0;
const MARKING: u64 = 1;
const OUT: u64 = 2;
const RECOVERING: u64 = 3;
const PHASES: u64 = 4;

struct Stage {
    pool: Pool,
    nanos: AtomicU64,
    phases: Vec<AtomicU64>,
    picks: AtomicU64,
    has_failed: AtomicBool,
    is_done: AtomicBool,
}

/// What the picks of one thread came across; each must happen, or the test has tested nothing.
#[derive(Debug, Default)]
struct Seen {
    picks: u64,
    while_one_was_out: u64,
    refusals: u64,
}

impl Stage {
    fn new(backends: usize, tiers: usize) -> Self {
        Self {
            pool: builder(backends, tiers, |_| 1).build().unwrap(),
            nanos: AtomicU64::new(0),
            phases: (0..backends).map(|_| AtomicU64::new(AVAILABLE)).collect(),
            picks: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            is_done: AtomicBool::new(false),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.load(SeqCst))
    }

    fn enter(&self, slot: usize, phase: u64) {
        let before = self.phases[slot].fetch_add(1, SeqCst);
        assert_eq!((before + 1) % PHASES, phase, "the marking thread keeps the order");
    }

    /// Picks until the marking thread is done.
    fn pick_all_the_time(&self) -> Seen {
        let _failed = OnPanic(&self.has_failed);
        let mut seen = Seen::default();
        let mut before = vec![0; self.phases.len()];
        while !self.is_done.load(SeqCst) {
            for (before, phase) in before.iter_mut().zip(&self.phases) {
                *before = phase.load(SeqCst);
            }
            let picked = self.pool.pick(|| self.now(), &ThreadRng);
            let stayed = |slot: usize, phase: u64| {
                before[slot] % PHASES == phase && self.phases[slot].load(SeqCst) == before[slot]
            };
            let priority = picked.map_or(u32::MAX, |backend| backend.priority());
            if let Some(backend) = picked {
                let slot = slot_of(&self.pool, backend);
                assert!(slot < before.len(), "{slot} is no backend");
                assert!(!stayed(slot, OUT), "{slot} was picked, but its mark had returned before");
            }
            let better = (0..before.len()).filter(|&slot| self.pool.backends()[slot].priority() < priority);
            for slot in better {
                assert!(!stayed(slot, AVAILABLE), "{slot} is better than {picked:?} and was available all the time");
            }
            seen.picks += 1;
            seen.while_one_was_out += u64::from(before.iter().any(|phase| phase % PHASES == OUT));
            seen.refusals += u64::from(picked.is_none());
            self.picks.fetch_add(1, Relaxed);
            if seen.picks.is_multiple_of(256) {
                thread::yield_now();
            }
        }
        seen
    }

    /// Marks and passes time at random; at most `most_out` are out at once.
    fn mark_and_recover(&self, steps: u32, most_out: usize) {
        let rng = SeededRng::new(5);
        let mut out: Vec<(u64, usize)> = Vec::new();
        for step in 0..steps {
            if step.is_multiple_of(64) {
                self.wait_for_a_pick();
            }
            if out.len() < most_out && rng.next_u64().is_multiple_of(2) {
                let mut dispatch = self.pool.dispatch();
                let Step::Try(attempt) = dispatch.next(|| self.now(), &rng) else { panic!("one is available") };
                let slot = attempt.slot();
                assert!(out.iter().all(|&(_, other)| other != slot), "{slot} is out, and was given to a request");
                let delay = rng.next_u64() % 5 + 1;
                self.enter(slot, MARKING);
                let _ = dispatch.settle(throttled(Duration::from_nanos(delay)), || self.now());
                self.enter(slot, OUT);
                out.push((self.nanos.load(SeqCst) + delay, slot));
            } else {
                self.advance_to(self.nanos.load(SeqCst) + 1, &mut out);
            }
        }
        self.advance_to(self.nanos.load(SeqCst) + 5, &mut out);
        assert!(out.is_empty());
    }

    /// So that every state that lasts for a while meets picks, also on a machine with one core.
    fn wait_for_a_pick(&self) {
        let picks = self.picks.load(Relaxed);
        while self.picks.load(Relaxed) == picks {
            assert!(!self.has_failed.load(SeqCst), "a picker has failed");
            thread::yield_now();
        }
    }

    fn advance_to(&self, nanos: u64, out: &mut Vec<(u64, usize)>) {
        let recovering: Vec<_> = out.extract_if(.., |(deadline, _)| *deadline <= nanos).collect();
        recovering.iter().for_each(|&(_, slot)| self.enter(slot, RECOVERING));
        self.nanos.store(nanos, SeqCst);
        recovering.iter().for_each(|&(_, slot)| self.enter(slot, AVAILABLE));
    }

    /// Everybody is available, and one request finds each exactly once.
    fn is_whole(&self) {
        let snapshot = self.pool.snapshot_at(self.now());
        assert!(snapshot.backends.iter().all(|entry| entry.state == State::Available));
        let mut found = Vec::new();
        let mut dispatch = self.pool.dispatch();
        while let Step::Try(attempt) = dispatch.next(|| self.now(), &ThreadRng) {
            found.push(attempt.slot());
        }
        found.sort_unstable();
        assert_eq!(found, (0..self.phases.len()).collect::<Vec<_>>());
        let reads_no_clock = || panic!("nothing is cooling");
        assert!(self.pool.pick(reads_no_clock, &ThreadRng).is_some());
    }

    fn run(&self, steps: u32, most_out: usize) -> Vec<Seen> {
        let seen = thread::scope(|scope| {
            let pickers: Vec<_> = (0..PICKERS).map(|_| scope.spawn(|| self.pick_all_the_time())).collect();
            let marking = scope.spawn(|| {
                let _done = Done(&self.is_done);
                self.mark_and_recover(steps, most_out);
            });
            marking.join().expect("the marking thread found everything in order");
            pickers.into_iter().map(|picker| picker.join().expect("every pick was right")).collect()
        });
        self.is_whole();
        seen
    }
}

/// Ends the test also if a picking thread panics.
struct OnPanic<'a>(&'a AtomicBool);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, SeqCst);
        }
    }
}

/// Ends the test also if the marking thread panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn a_pick_never_gives_a_backend_whose_mark_had_returned_nor_misses_one_that_was_available_all_the_time() {
    // One backend; one tier that is never quite empty; one that is; four tiers.
    for (backends, tiers, most_out) in [(1, 1, 1), (8, 1, 7), (3, 1, 3), (8, 4, 7), (8, 4, 8)] {
        let seen = Stage::new(backends, tiers).run(20_000, most_out);
        let of = format!("{backends} x {tiers}, at most {most_out} out: {seen:?}");
        assert!(seen.iter().any(|seen| seen.while_one_was_out > 0), "{of}");
        assert!(most_out == backends || seen.iter().all(|seen| seen.refusals == 0), "{of}");
    }
}
