//! Pools of a given shape, brought into a given state.

use std::{fmt, hint::black_box, ptr, time::Duration};

use lb_core::{Backend, Event, Observer, Outcome, Pool, PoolBuilder, Step, ThreadRng};

/// Longer than any benchmark runs, so that a state stays as it is.
const FOREVER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many backends a pool has, and in how many tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The number of backends.
    pub backends: usize,
    /// The number of priorities; at most that of backends.
    pub tiers: usize,
}

impl Shape {
    /// The shapes of the matrix: 1, 3, 8, 64 and 1000 backends in one tier, and in four or as many as there are
    /// backends.
    pub fn matrix() -> impl Iterator<Item = Self> {
        [1, 3, 8, 64, 1000].into_iter().flat_map(|backends| {
            let several = backends.min(4);
            [1, several].into_iter().take(several.min(2)).map(move |tiers| Self { backends, tiers })
        })
    }

    /// The priority of a slot, from 1: tiers are as equal as they can be.
    #[must_use]
    pub fn priority(self, slot: usize) -> u32 {
        u32::try_from(slot * self.tiers / self.backends + 1).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.backends, self.tiers)
    }
}

/// Which backends of a pool are cooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// None.
    None,
    /// Every one of priority 1; there are others.
    FirstTierOut,
    /// Every second one, from the second.
    Half,
    /// Every one.
    All,
}

impl State {
    /// The states that differ from each other in a pool of this shape.
    pub fn of(shape: Shape) -> impl Iterator<Item = Self> {
        [Self::None, Self::FirstTierOut, Self::Half, Self::All].into_iter().filter(move |state| match state {
            Self::None | Self::All => true,
            Self::FirstTierOut => shape.tiers > 1,
            Self::Half => shape.backends > 1,
        })
    }

    /// Whether the backend in this slot is cooling.
    #[must_use]
    pub fn is_out(self, shape: Shape, slot: usize) -> bool {
        match self {
            Self::None => false,
            Self::FirstTierOut => shape.priority(slot) == 1,
            Self::Half => slot % 2 == 1,
            Self::All => true,
        }
    }

    /// The slots that a pick chooses from: those of the best priority that are not out.
    #[must_use]
    pub fn candidates(self, shape: Shape) -> Vec<usize> {
        let available = || (0..shape.backends).filter(|&slot| !self.is_out(shape, slot));
        let best = available().map(|slot| shape.priority(slot)).min();
        available().filter(|&slot| Some(shape.priority(slot)) == best).collect()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::FirstTierOut => "first tier out",
            Self::Half => "half",
            Self::All => "all",
        })
    }
}

/// A pool of this shape, on the system's clock, with backends that have keys of their own.
#[must_use]
pub fn pool(shape: Shape) -> Pool {
    pool_with_cooldown(shape, FOREVER)
}

/// A pool like [`pool`], whose cooldowns last for `cooldown`.
#[must_use]
pub fn pool_with_cooldown(shape: Shape, cooldown: Duration) -> Pool {
    builder(shape, cooldown).build().expect("distinct backends")
}

/// A pool like [`pool`] with an observer that does nothing, and perhaps wants to know how long everything takes.
#[must_use]
pub fn observed(shape: Shape, wants_time: bool) -> Pool {
    builder(shape, FOREVER).observer(Idle { wants_time }).build().expect("distinct backends")
}

/// An observer that does nothing.
struct Idle {
    wants_time: bool,
}

impl Observer for Idle {
    fn on_event(&self, event: &Event<'_>) {
        black_box(event);
    }

    fn wants_time(&self) -> bool {
        self.wants_time
    }
}

fn builder(shape: Shape, cooldown: Duration) -> PoolBuilder {
    let backends = (0..shape.backends).map(|slot| {
        let backend = Backend::builder(format!("backend-{slot}.example"));
        backend.priority(shape.priority(slot)).api_key(format!("key {slot}")).build().expect("a valid backend")
    });
    Pool::builder().backends(backends).max_cooldown(FOREVER).default_cooldown(cooldown)
}

/// A pool of this shape in this state.
#[must_use]
pub fn pool_in(shape: Shape, state: State) -> Pool {
    let pool = pool(shape);
    bring(&pool, shape, state);
    pool
}

/// Brings a fresh pool into a state: one walk over all backends, in which those that are to be out answer 429.
pub fn bring(pool: &Pool, shape: Shape, state: State) {
    let mut dispatch = pool.dispatch();
    while let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) {
        let outcome = if state.is_out(shape, attempt.slot()) {
            Outcome::Answered { status: 429, hint: None }
        } else {
            Outcome::Cancelled
        };
        let _ = dispatch.settle(outcome, || pool.now());
    }
}

/// The slot of a backend in its pool.
#[must_use]
pub fn slot(pool: &Pool, backend: &Backend) -> usize {
    pool.backends().iter().position(|other| ptr::eq(other, backend)).expect("a backend of this pool")
}

/// A pool that lives as long as the process: benchmarks hold references to it.
#[must_use]
pub fn leaked(pool: Pool) -> &'static Pool {
    Box::leak(Box::new(pool))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every shape and state of the matrix.
    pub(crate) fn matrix() -> impl Iterator<Item = (Shape, State)> {
        Shape::matrix().flat_map(|shape| State::of(shape).map(move |state| (shape, state)))
    }

    /// Draws often enough to see a wrong candidate, and among a few a missing one and a rough bias.
    pub(crate) fn assert_picks_the_candidates(shape: Shape, state: State, mut pick: impl FnMut() -> Option<usize>) {
        let candidates = state.candidates(shape);
        let few = candidates.len() <= 8;
        let draws = if few { 100 * candidates.len().max(1) } else { 200 };
        let mut counts = vec![0_u32; shape.backends];
        for _ in 0..draws {
            match pick() {
                Some(slot) => counts[slot] += 1,
                None => assert!(candidates.is_empty(), "{shape} {state}: nothing was picked"),
            }
        }
        for (slot, &count) in counts.iter().enumerate() {
            if !candidates.contains(&slot) {
                assert_eq!(count, 0, "{shape} {state}: {slot} is no candidate");
            } else if few {
                // 100 are expected, with a standard deviation of at most 10.
                assert!((30..=170).contains(&count), "{shape} {state}: {slot} was picked {count} times of {draws}");
            }
        }
    }

    #[test]
    fn a_pool_is_in_the_state_it_was_brought_into() {
        for (shape, state) in matrix() {
            let pool = pool_in(shape, state);
            for (slot, backend) in pool.snapshot().backends.iter().enumerate() {
                assert_eq!(backend.backend.priority(), shape.priority(slot));
                assert_eq!(backend.state != lb_core::State::Available, state.is_out(shape, slot), "{shape} {state}");
            }
        }
    }

    #[test]
    fn the_balancer_picks_the_candidates() {
        for (shape, state) in matrix() {
            let pool = pool_in(shape, state);
            assert_picks_the_candidates(shape, state, || {
                pool.pick(|| pool.now(), &ThreadRng).map(|backend| slot(&pool, backend))
            });
        }
    }

    #[test]
    fn a_shape_has_the_tiers_it_says() {
        let shapes: Vec<_> = Shape::matrix().map(|shape| shape.to_string()).collect();
        assert_eq!(shapes, ["1x1", "3x1", "3x3", "8x1", "8x4", "64x1", "64x4", "1000x1", "1000x4"]);
        for shape in Shape::matrix() {
            let priorities: Vec<_> = (0..shape.backends).map(|slot| shape.priority(slot)).collect();
            assert!(priorities.is_sorted());
            assert_eq!(priorities.iter().collect::<std::collections::HashSet<_>>().len(), shape.tiers);
        }
    }
}
