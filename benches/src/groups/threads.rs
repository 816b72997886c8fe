//! Picking from one thread and from several at once, each on a core of its own.

use std::{hint::black_box, time::Duration};

use lb_core::{Outcome, Pool, ReplaceablePool, Step, ThreadRng};

use crate::{
    case::{Case, Section},
    floor::Floor,
    overlap,
    seed::Seed,
    state::{self, Shape, State},
};

/// Picks while nothing is cooling.
pub const NOTHING_COOLING: &str = "nothing cooling";
/// Picks while every second backend is cooling: each reads the clock.
pub const SOMETHING_COOLING: &str = "half cooling";
/// Picks of which one in 1024 is a request that is answered 429; the cooldown is over at once.
pub const MARKING: &str = "one mark in 1024";

/// Fewer picks end before the other threads have begun: they are repeated, and their time is divided.
const ENOUGH: u64 = 20_000;

const SHAPE: Shape = Shape { backends: 8, tiers: 1 };

/// A section per thing that is done, with a case per number of threads; one thread is the base.
#[must_use]
pub fn sections() -> Vec<Section> {
    let none = state::leaked(state::pool(SHAPE));
    let half = state::leaked(state::pool_in(SHAPE, State::Half));
    let marking = state::leaked(state::pool_with_cooldown(SHAPE, Duration::from_nanos(1)));
    let replaceable: &ReplaceablePool = Box::leak(Box::new(ReplaceablePool::from(state::pool(SHAPE))));
    let floor: &Floor<'_> = Box::leak(Box::new(Floor::new(none, SHAPE, State::None)));
    let seed: &Seed = Box::leak(Box::new(Seed::new(SHAPE, State::None)));
    let half_seed: &Seed = Box::leak(Box::new(Seed::new(SHAPE, State::Half)));
    vec![
        section(NOTHING_COOLING, move |_| black_box(none.pick(|| none.now(), &ThreadRng)).is_some()),
        section(SOMETHING_COOLING, move |_| black_box(half.pick(|| half.now(), &ThreadRng)).is_some()),
        section(MARKING, move |index| {
            if index % 1024 == 0 {
                mark(marking);
            }
            black_box(marking.pick(|| marking.now(), &ThreadRng)).is_some()
        }),
        section("nothing cooling, a pool that can be replaced", move |_| {
            let pool = replaceable.pool();
            black_box(pool.pick(|| pool.now(), &ThreadRng)).is_some()
        }),
        section("floor, nothing cooling", move |_| black_box(floor.pick()).is_some()),
        section("seed's port, nothing cooling", move |_| black_box(seed.pick()).is_some()),
        section("seed's port, half cooling", move |_| black_box(half_seed.pick()).is_some()),
    ]
}

/// The name of the case with this many threads.
#[must_use]
pub fn name(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

fn section(name_of_section: &str, op: impl Fn(u64) -> bool + Copy + Sync + 'static) -> Section {
    let repeated = move |times| {
        for index in 0..times {
            black_box(op(index));
        }
    };
    let case = |threads| {
        Case::filtered(name(threads), move |times| {
            let enough = times.max(ENOUGH);
            Some(overlap::run(threads, enough, &repeated)?.mul_f64(times as f64 / enough as f64))
        })
    };
    Section::new(name_of_section, (1..=overlap::cores()).map(case))
}

fn mark(pool: &Pool) {
    let mut dispatch = pool.dispatch();
    if let Step::Try(_) = dispatch.next(|| pool.now(), &ThreadRng) {
        let _ = dispatch.settle(Outcome::Answered { status: 429, hint: None }, || pool.now());
    }
}
