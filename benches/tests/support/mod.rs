//! Pools of the matrix, and the states they are put in.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(unreachable_pub, reason = "a module of several test binaries")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{mem::size_of, time::Duration};

use lb_benches::state::Shape;
use lb_core::{Backend, Hint, HintSource, Outcome, Pool, PoolBuilder, Rng, Step, Verdict};

/// How many backends the pools of the matrix have.
pub const SIZES: [usize; 5] = [1, 3, 8, 64, 1000];

/// The most tiers that the pools of the matrix have; a pool of fewer backends has a tier for each.
pub const TIERS: [usize; 2] = [1, 4];

/// The states of the matrix.
pub const STATES: [State; 4] = [State::None, State::FirstTierOut, State::Half, State::AllButOne];

/// Which backends are cooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// None.
    None,
    /// Those of the best priority.
    FirstTierOut,
    /// Every second one.
    Half,
    /// All but the last one.
    AllButOne,
}

/// The tier of the backend in this slot, from 0.
pub fn tier_of(slot: usize, backends: usize, tiers: usize) -> u32 {
    Shape { backends, tiers: tiers.min(backends) }.priority(slot) - 1
}

/// A builder with so many backends, spread evenly over so many tiers, of these weights.
pub fn builder(backends: usize, tiers: usize, weight: impl Fn(usize) -> u32) -> PoolBuilder {
    let backend = |slot| {
        Backend::builder(format!("b{slot}.example"))
            .api_key(format!("key {slot}"))
            .priority(tier_of(slot, backends, tiers) + 1)
            .weight(weight(slot))
            .build()
            .unwrap()
    };
    Pool::builder().backends((0..backends).map(backend))
}

/// The slot of one of the pool's backends, by its place in memory.
pub fn slot_of(pool: &Pool, backend: &Backend) -> usize {
    let first = std::ptr::from_ref(&pool.backends()[0]).addr();
    (std::ptr::from_ref(backend).addr() - first) / size_of::<Backend>()
}

/// An answer of 429 that asks for so long a pause; a pause of zero takes the backend out of one request only.
pub fn throttled(delay: Duration) -> Outcome {
    Outcome::Answered { status: 429, hint: Some(Hint::new(delay, HintSource::RetryAfterMs)) }
}

/// Takes the backends that are meant out for so long, by one request that asks all of them.
pub fn cool(pool: &Pool, rng: &impl Rng, delay: Duration, is_meant: impl Fn(usize) -> bool) {
    let mut dispatch = pool.dispatch();
    while let Step::Try(attempt) = dispatch.next(|| pool.now(), rng) {
        let delay = if is_meant(attempt.slot()) { delay } else { Duration::ZERO };
        assert_eq!(dispatch.settle(throttled(delay), || pool.now()), Verdict::FailOver);
    }
}

impl State {
    /// Whether the backend in this slot is cooling.
    pub fn is_out(self, slot: usize, backends: usize, tiers: usize) -> bool {
        match self {
            Self::None => false,
            Self::FirstTierOut => tier_of(slot, backends, tiers) == 0,
            Self::Half => slot.is_multiple_of(2),
            Self::AllButOne => slot + 1 < backends,
        }
    }

    /// The slots that a pick may give: the available ones of the best tier that has any.
    pub fn candidates(self, backends: usize, tiers: usize) -> Vec<usize> {
        let available = || (0..backends).filter(|&slot| !self.is_out(slot, backends, tiers));
        let best = available().map(|slot| tier_of(slot, backends, tiers)).min();
        available().filter(|&slot| Some(tier_of(slot, backends, tiers)) == best).collect()
    }
}

/// Every pool of the matrix in every state: backends, tiers, state.
pub fn matrix() -> impl Iterator<Item = (usize, usize, State)> {
    Shape::matrix().flat_map(|shape| STATES.map(|state| (shape.backends, shape.tiers, state)))
}
