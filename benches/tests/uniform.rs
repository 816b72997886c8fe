//! Uniformity: every available backend of the best tier gets its share, in every state and after any history.
//!
//! Shares are tested twice. Pearson's chi-square over seeded picks assumes nothing about how a number becomes a choice.
//! A generator that gives evenly spaced numbers is exact: a single unbiased draw must then give each backend as often
//! as its weight says, neither more nor less.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use lb_core::{MockClock, Pool, Rng, SeededRng, State as BackendState, Step};

use support::{State, builder, cool, matrix, slot_of, throttled};

const MINUTE: Duration = Duration::from_secs(60);

/// The standard normal quantile of 1 - 1e-6: a test of a right build fails once in a million seeds.
const Z: f64 = 4.753_424;

/// The chi-square quantile of 1 - 1e-6 (Wilson and Hilferty, "The distribution of chi-square", 1931). It is too large
/// by 15 % at one degree of freedom, by 3 % at seven and by less than 0.3 % from 63 on, so it never rejects too much.
fn critical(degrees: usize) -> f64 {
    let degrees = f64::from(u32::try_from(degrees).unwrap());
    let part = 2.0 / (9.0 * degrees);
    degrees * (1.0 - part + Z * part.sqrt()).powi(3)
}

/// Pearson's statistic of counts against shares that are proportional to the weights.
fn chi_square(counts: &[u32], weights: &[u32]) -> f64 {
    let sum = |of: &[u32]| f64::from(of.iter().sum::<u32>());
    let scale = sum(counts) / sum(weights);
    let term = |(&count, &weight): (&u32, &u32)| {
        let expected = f64::from(weight) * scale;
        (f64::from(count) - expected).powi(2) / expected
    };
    counts.iter().zip(weights).map(term).sum()
}

/// How often each slot is picked.
fn counts(pool: &Pool, rng: &impl Rng, picks: usize) -> Vec<u32> {
    let mut counts = vec![0; pool.backends().len()];
    for _ in 0..picks {
        counts[slot_of(pool, pool.pick(|| pool.now(), rng).expect("one is available"))] += 1;
    }
    counts
}

/// Numbers spaced evenly over all of them, each in the middle of its part.
struct Even {
    parts: u32,
    next: AtomicU64,
}

impl Even {
    fn new(parts: u32) -> Self {
        Self { parts, next: AtomicU64::new(0) }
    }
}

impl Rng for Even {
    fn next_u64(&self) -> u64 {
        let number = u128::from(self.next.fetch_add(1, Ordering::Relaxed)) % u128::from(self.parts);
        u64::try_from(((2 * number + 1) << 63) / u128::from(self.parts)).unwrap()
    }
}

/// The picks of `pool` must be shared by the candidates as their weights say, and by nobody else.
fn is_shared_by(pool: &Pool, candidates: &[usize], seed: u64, picks_each: usize, of: &str) {
    if candidates.is_empty() {
        assert!(pool.pick(|| pool.now(), &SeededRng::new(seed)).is_none(), "{of}");
        return;
    }
    let weights: Vec<_> = candidates.iter().map(|&slot| pool.backends()[slot].weight()).collect();
    let total = weights.iter().sum();
    let of_candidates = |counts: &[u32]| -> Vec<u32> { candidates.iter().map(|&slot| counts[slot]).collect() };

    // The first pick may end cooldowns, which moves backends about; from then on nothing moves.
    assert!(pool.pick(|| pool.now(), &SeededRng::new(seed)).is_some());
    let exact = of_candidates(&counts(pool, &Even::new(total), usize::try_from(total).unwrap()));
    if weights.iter().all(|&weight| weight == weights[0]) {
        // Equal weights: each as often as any other. A pool may draw below the number of backends or below the sum.
        assert!(exact.iter().all(|&count| count == weights[0]), "{of}: {exact:?} of {total} even picks");
    } else {
        assert_eq!(exact, weights, "{of}: shares of {total} even picks");
    }

    let picks = candidates.len() * picks_each;
    let counts = of_candidates(&counts(pool, &SeededRng::new(seed), picks));
    assert_eq!(counts.iter().sum::<u32>(), u32::try_from(picks).unwrap(), "{of}: somebody else was picked");
    assert!(counts.iter().all(|&count| count > 0), "{of}: somebody was never picked");
    if candidates.len() > 1 {
        let (statistic, limit) = (chi_square(&counts, &weights), critical(candidates.len() - 1));
        assert!(statistic < limit, "{of}: chi-square {statistic:.1}, limit {limit:.1}, counts {counts:?}");
    }
}

/// The slots that a pick may give, by the pool's own account of who is available.
fn candidates(pool: &Pool) -> Vec<usize> {
    let snapshot = pool.snapshot();
    let available = || snapshot.backends.iter().enumerate().filter(|(_, entry)| entry.state == BackendState::Available);
    let best = available().map(|(_, entry)| entry.backend.priority()).min();
    available().filter(|(_, entry)| Some(entry.backend.priority()) == best).map(|(slot, _)| slot).collect()
}

#[test]
fn equal_backends_are_picked_equally_in_every_state_of_the_matrix() {
    for (seed, (backends, tiers, state)) in (1..).zip(matrix()) {
        let rng = SeededRng::new(seed);
        let pool = builder(backends, tiers, |_| 1).clock(MockClock::new()).build().unwrap();
        cool(&pool, &rng, MINUTE, |slot| state.is_out(slot, backends, tiers));
        let expected = state.candidates(backends, tiers);
        assert_eq!(candidates(&pool), expected);
        let each = if expected.len() > 100 { 25 } else { 400 };
        is_shared_by(&pool, &expected, seed, each, &format!("{backends} x {tiers}, {state:?}"));
    }
}

#[test]
fn a_weight_that_all_share_is_as_good_as_one() {
    for weight in [2, 40] {
        let pool = builder(8, 1, |_| weight).clock(MockClock::new()).build().unwrap();
        is_shared_by(&pool, &[0, 1, 2, 3, 4, 5, 6, 7], 1, 400, "all available");
        cool(&pool, &SeededRng::new(1), MINUTE, |slot| slot < 5);
        is_shared_by(&pool, &[5, 6, 7], 2, 400, "three available");
    }
}

#[test]
fn unequal_backends_are_picked_by_weight_whoever_is_cooling() {
    let mixes: [&[u32]; 6] =
        [&[1, 2], &[1, 2, 3, 4], &[100, 1, 1], &[1, 1, 100, 7], &[50, 1, 9, 9, 31], &[3, 3, 3, 3, 1, 1, 2]];
    for (seed, weights) in (1..).zip(mixes) {
        // Every set of cooling backends but the one of all.
        for cooling in 0..(1_usize << weights.len()) - 1 {
            let is_out = |slot| cooling >> slot & 1 == 1;
            let pool = builder(weights.len(), 1, |slot| weights[slot]).clock(MockClock::new()).build().unwrap();
            cool(&pool, &SeededRng::new(seed), MINUTE, is_out);
            let expected: Vec<_> = (0..weights.len()).filter(|&slot| !is_out(slot)).collect();
            is_shared_by(&pool, &expected, seed, 600, &format!("{weights:?} without {cooling:b}"));
        }
    }
}

#[test]
fn many_unequal_backends_are_picked_by_weight_in_every_state() {
    for (seed, (backends, tiers, state)) in (1..).zip(matrix()) {
        let weight = |slot: usize| u32::try_from(slot % 7).unwrap() + 1;
        let pool = builder(backends, tiers, weight).clock(MockClock::new()).build().unwrap();
        cool(&pool, &SeededRng::new(seed), MINUTE, |slot| state.is_out(slot, backends, tiers));
        let of = format!("{backends} x {tiers}, {state:?}, weights from 1 to 7");
        // The least weight has a quarter of the mean, so some more picks are needed for it.
        let expected = state.candidates(backends, tiers);
        let each = if expected.len() > 100 { 60 } else { 400 };
        is_shared_by(&pool, &expected, seed, each, &of);
    }
}

/// Marks, passes time and picks at random, so that the backends are shuffled as they would be in a long life.
fn live(pool: &Pool, clock: &MockClock, rng: &SeededRng, steps: u32) {
    let below = |bound: u64| rng.next_u64() % bound;
    for _ in 0..steps {
        match below(4) {
            0 => clock.advance(Duration::from_millis(below(3000))),
            1 => drop(pool.pick(|| pool.now(), rng)),
            _ => {
                let mut dispatch = pool.dispatch();
                for _ in 0..=below(3) {
                    if let Step::Try(_) = dispatch.next(|| pool.now(), rng) {
                        let delay = Duration::from_millis(below(5) * 700);
                        let _ = dispatch.settle(throttled(delay), || pool.now());
                    }
                }
            }
        }
    }
}

#[test]
fn shares_stay_exact_after_any_number_of_cooldowns_and_recoveries() {
    for (backends, tiers, rounds) in [(3, 1, 60), (8, 1, 60), (8, 4, 60), (64, 4, 30), (1000, 1, 4)] {
        for weights in [|_| 1, |slot: usize| u32::try_from(slot % 3).unwrap() + 1] {
            let (clock, rng) = (MockClock::new(), SeededRng::new(11));
            let pool = builder(backends, tiers, weights).clock(clock.clone()).build().unwrap();
            let mut states = std::collections::BTreeSet::new();
            for round in 0..rounds {
                live(&pool, &clock, &rng, 100);
                let expected = candidates(&pool);
                let each = if expected.len() > 100 { 30 } else { 100 };
                let of = format!("{backends} x {tiers}, round {round}, candidates {expected:?}");
                is_shared_by(&pool, &expected, round, each, &of);
                states.insert(expected);
            }
            assert!(states.len() > 2, "the rounds did differ");
            clock.advance(MINUTE);
            everybody_is_available_once(&pool, &rng);
        }
    }
}

/// One request finds every backend exactly once, the better tiers first.
fn everybody_is_available_once(pool: &Pool, rng: &SeededRng) {
    let mut dispatch = pool.dispatch();
    let mut found = Vec::new();
    while let Step::Try(attempt) = dispatch.next(|| pool.now(), rng) {
        found.push((pool.backends()[attempt.slot()].priority(), attempt.slot()));
    }
    assert!(found.is_sorted_by_key(|&(priority, _)| priority));
    found.sort_unstable();
    let slots: Vec<_> = found.into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(slots, (0..pool.backends().len()).collect::<Vec<_>>());
}

#[test]
fn the_critical_values_are_those_of_the_tables_and_a_biased_choice_is_rejected() {
    // Quantiles of 1 - 1e-6 by the incomplete gamma function.
    for (degrees, exact) in [(1, 23.928), (2, 27.631), (7, 40.522), (63, 131.370), (999, 1226.046)] {
        let approximate = critical(degrees);
        assert!(approximate >= exact && approximate < exact * 1.15, "{degrees}: {approximate}, not {exact}");
    }
    // One of eight gets a quarter more than its share; and two of eight shares are swapped.
    assert!(chi_square(&[500, 400, 400, 400, 400, 400, 400, 300], &[1; 8]) > critical(7));
    assert!(chi_square(&[400, 800, 400], &[2, 1, 1]) > critical(2));
    assert!(chi_square(&[410, 395, 405, 390], &[1; 4]) < critical(3));
    assert_eq!(State::None.candidates(3, 1), [0, 1, 2]);
}
