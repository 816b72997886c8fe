//! The selection of the Python package `openai_priority_loadbalancer` 1.1.1, ported line by line.
//!
//! It is what one gets by translating the original without a second thought, and the baseline of the comparisons. Of
//! the original's loop it has the part that selects:
//!
//! 1. `_check_throttling`: each backend that is throttling reads the wall clock, and is freed if its time has come;
//! 2. `_get_available_backends`: the available ones are counted;
//! 3. `_get_backend_index`: a list of the available ones of the best priority is built, and one of them drawn.
//!
//! Python's interpreter lock becomes a mutex, because clients are shared by threads. The original's three log lines
//! are left out. `random.choice` becomes `rand`'s, over its default generator.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rand::seq::IndexedRandom;

use crate::state::{Shape, State};

/// The backends of the ported selection.
#[derive(Debug)]
pub struct Seed {
    backends: Mutex<Vec<SeedBackend>>,
}

#[derive(Debug)]
struct SeedBackend {
    priority: u32,
    is_throttling: bool,
    retry_after: DateTime<Utc>,
}

impl Seed {
    /// Backends of this shape in this state.
    #[must_use]
    pub fn new(shape: Shape, state: State) -> Self {
        let backends = (0..shape.backends).map(|slot| SeedBackend {
            priority: shape.priority(slot),
            is_throttling: false,
            retry_after: DateTime::<Utc>::MIN_UTC,
        });
        let seed = Self { backends: Mutex::new(backends.collect()) };
        let a_month = TimeDelta::days(30);
        (0..shape.backends).filter(|&slot| state.is_out(shape, slot)).for_each(|slot| seed.throttle(slot, a_month));
        seed
    }

    /// What the original does with a 429.
    pub fn throttle(&self, slot: usize, duration: TimeDelta) {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        backends[slot].is_throttling = true;
        backends[slot].retry_after = Utc::now() + duration;
    }

    /// The index of an available backend of the best priority, at random; `None` if there is none.
    pub fn pick(&self) -> Option<usize> {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        check_throttling(&mut backends);
        if available_backends(&backends) == 0 {
            return None;
        }
        backend_index(&backends)
    }
}

fn check_throttling(backends: &mut [SeedBackend]) {
    for backend in backends {
        if backend.is_throttling && Utc::now() >= backend.retry_after {
            backend.is_throttling = false;
            backend.retry_after = DateTime::<Utc>::MIN_UTC;
        }
    }
}

fn available_backends(backends: &[SeedBackend]) -> usize {
    backends.iter().filter(|backend| !backend.is_throttling).count()
}

fn backend_index(backends: &[SeedBackend]) -> Option<usize> {
    let mut selected_priority = u32::MAX;
    let mut available_backends = Vec::new();
    for (index, backend) in backends.iter().enumerate() {
        if !backend.is_throttling {
            if backend.priority < selected_priority {
                selected_priority = backend.priority;
                available_backends.clear();
                available_backends.push(index);
            } else if backend.priority == selected_priority {
                available_backends.push(index);
            }
        }
    }
    available_backends.choose(&mut rand::rng()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{assert_picks_the_candidates, matrix};

    #[test]
    fn it_picks_the_same_candidates_as_the_balancer() {
        for (shape, state) in matrix() {
            let seed = Seed::new(shape, state);
            assert_picks_the_candidates(shape, state, || seed.pick());
        }
    }

    #[test]
    fn a_throttled_backend_comes_back_when_its_time_has_come() {
        let shape = Shape { backends: 1, tiers: 1 };
        let seed = Seed::new(shape, State::All);
        assert_eq!(seed.pick(), None);
        seed.throttle(0, TimeDelta::zero());
        assert_eq!(seed.pick(), Some(0));
    }
}
