//! Clock reads: none for a pick while nothing in the tiers looked at is cooling, else at most one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{cell::Cell, time::Duration};

use lb_core::{Event, MockClock, Observer, Outcome, Pool, SeededRng, Step, Verdict};

use support::{SIZES, State, TIERS, builder, cool, matrix, slot_of, tier_of};

/// Longer than any of these tests takes, by the clock that they move.
const LONG: Duration = Duration::from_secs(600);
const PICKS: usize = 50;

/// How often one pick reads the pool's clock; the calls of the closure are counted apart from the clock's own count.
fn reads_of_a_pick(pool: &Pool, clock: &MockClock, rng: &SeededRng) -> (u64, Option<usize>) {
    let calls = Cell::new(0);
    let before = clock.reads();
    let now = || {
        calls.set(calls.get() + 1);
        pool.now()
    };
    let picked = pool.pick(now, rng).map(|backend| slot_of(pool, backend));
    let reads = clock.reads() - before;
    assert_eq!(reads, calls.get(), "a pick reads the clock only through its closure");
    (reads, picked)
}

#[test]
fn a_pick_reads_the_clock_at_most_once_and_not_at_all_if_nothing_it_looks_at_is_cooling() {
    for (backends, tiers, state) in matrix() {
        let (clock, rng) = (MockClock::new(), SeededRng::new(1));
        let pool = builder(backends, tiers, |_| 1).clock(clock.clone()).build().unwrap();
        cool(&pool, &rng, LONG, |slot| state.is_out(slot, backends, tiers));
        // The tiers looked at: up to the one that gives the backend, or all.
        let given = state.candidates(backends, tiers).first().map(|&slot| tier_of(slot, backends, tiers));
        let cooling = (0..backends).filter(|&slot| state.is_out(slot, backends, tiers));
        let best_cooling = cooling.map(|slot| tier_of(slot, backends, tiers)).min();
        let sees_a_cooldown = best_cooling.is_some_and(|tier| given.is_none_or(|given| tier <= given));
        for _ in 0..PICKS {
            let (reads, picked) = reads_of_a_pick(&pool, &clock, &rng);
            assert_eq!(picked.map(|slot| tier_of(slot, backends, tiers)), given);
            let of = format!("{backends} x {tiers}, {state:?}: {reads} clock reads");
            assert!(reads <= 1 && (sees_a_cooldown || reads == 0), "{of}");
        }
    }
}

#[test]
fn a_worse_tier_that_is_cooling_costs_no_clock_read() {
    for backends in SIZES.into_iter().filter(|&backends| backends > 1) {
        for weight in [1, 5] {
            let (clock, rng) = (MockClock::new(), SeededRng::new(2));
            // With a weight of 5 for the first backend the weights are unequal.
            let weight_of = |slot| if slot == 0 { weight } else { 1 };
            let pool = builder(backends, 4, weight_of).clock(clock.clone()).build().unwrap();
            cool(&pool, &rng, LONG, |slot| tier_of(slot, backends, 4) > 0);
            for _ in 0..PICKS {
                let (reads, picked) = reads_of_a_pick(&pool, &clock, &rng);
                assert_eq!(picked.map(|slot| tier_of(slot, backends, 4)), Some(0));
                assert_eq!(reads, 0, "{backends} backends");
            }
        }
    }
}

#[test]
fn a_pick_that_ends_cooldowns_reads_the_clock_once_and_the_next_one_not_at_all() {
    for backends in SIZES {
        for tiers in TIERS {
            let (clock, rng) = (MockClock::new(), SeededRng::new(3));
            let pool = builder(backends, tiers, |_| 1).clock(clock.clone()).build().unwrap();
            cool(&pool, &rng, Duration::from_secs(5), |_| true);
            assert_eq!(reads_of_a_pick(&pool, &clock, &rng), (1, None));
            clock.advance(Duration::from_secs(5));
            let (reads, picked) = reads_of_a_pick(&pool, &clock, &rng);
            assert_eq!((reads, picked.is_some()), (1, true), "{backends} x {tiers}");
            assert_eq!(reads_of_a_pick(&pool, &clock, &rng).0, 0, "{backends} x {tiers}: everything has recovered");
        }
    }
}

#[test]
fn a_request_that_succeeds_reads_no_clock_and_one_that_fails_over_at_most_one_per_step() {
    let reads_of = |clock: &MockClock, step: &mut dyn FnMut()| {
        let before = clock.reads();
        step();
        clock.reads() - before
    };
    for backends in SIZES {
        let (clock, rng) = (MockClock::new(), SeededRng::new(4));
        let pool = builder(backends, 4, |_| 1).clock(clock.clone()).build().unwrap();
        let success = Outcome::Answered { status: 200, hint: None };
        let reads = reads_of(&clock, &mut || {
            let mut dispatch = pool.dispatch();
            assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
            assert_eq!(dispatch.settle(success, || pool.now()), Verdict::Return);
        });
        assert_eq!(reads, 0, "{backends} backends");
        let mut dispatch = pool.dispatch();
        let mut has_next = true;
        while has_next {
            let step = &mut || has_next = matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_));
            assert!(reads_of(&clock, step) <= 1, "next, {backends} backends");
            let refusal = support::throttled(LONG);
            let step =
                &mut || assert!(matches!(dispatch.settle(refusal, || pool.now()), Verdict::Return | Verdict::FailOver));
            assert!(reads_of(&clock, step) <= 1, "settle, {backends} backends");
        }
    }
}

#[test]
fn an_observer_costs_a_clock_read_per_step_if_it_wants_time_and_else_none() {
    struct Idle(bool);
    impl Observer for Idle {
        fn on_event(&self, _: &Event<'_>) {}
        fn wants_time(&self) -> bool {
            self.0
        }
    }
    for (wants_time, expected) in [(false, 0), (true, 2)] {
        let (clock, rng) = (MockClock::new(), SeededRng::new(5));
        let pool = builder(8, 4, |_| 1).clock(clock.clone()).observer(Idle(wants_time)).build().unwrap();
        let before = clock.reads();
        let mut dispatch = pool.dispatch();
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
        assert_eq!(dispatch.settle(Outcome::Answered { status: 200, hint: None }, || pool.now()), Verdict::Return);
        drop(dispatch);
        assert_eq!(clock.reads() - before, expected);
    }
}

#[test]
fn the_matrix_has_what_the_goals_name() {
    assert_eq!(matrix().count(), 36);
    assert_eq!(State::FirstTierOut.candidates(8, 4), [2, 3]);
    assert_eq!(State::Half.candidates(8, 4), [1]);
    assert_eq!(State::AllButOne.candidates(1000, 4), [999]);
    assert!(State::Half.candidates(1, 4).is_empty());
}
