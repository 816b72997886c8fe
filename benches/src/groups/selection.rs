//! Picking a backend: the balancer, the port of the Python package, the floor, and peers.

use lb_core::ThreadRng;

use crate::{
    case::{Case, Section},
    floor::Floor,
    seed::Seed,
    state::{self, Shape, State},
};

/// The base of every section: this balancer.
pub const BALANCER: &str = "lb-core";
/// The port of the Python package's selection.
pub const SEED: &str = "seed's port";
/// The physical floor.
pub const FLOOR: &str = "floor";
/// The physical floor and one read of the clock.
pub const FLOOR_AND_CLOCK: &str = "floor + clock";
/// pingora-load-balancing's `Random`.
pub const PINGORA: &str = "pingora random";
/// tower's power of two choices over pending requests.
pub const TOWER: &str = "tower p2c";

/// A section per shape and state.
#[must_use]
pub fn sections() -> Vec<Section> {
    Shape::matrix().flat_map(|shape| State::of(shape).map(move |state| section(shape, state))).collect()
}

/// The name of the section of this shape and state.
#[must_use]
pub fn name(shape: Shape, state: State) -> String {
    format!("{shape} {state}")
}

fn section(shape: Shape, state: State) -> Section {
    let pool = state::leaked(state::pool_in(shape, state));
    let seed = Seed::new(shape, state);
    let floor = Floor::new(pool, shape, state);
    let floor_and_clock = Floor::new(pool, shape, state);
    #[cfg_attr(not(feature = "peers"), expect(unused_mut, reason = "peers are added"))]
    let mut cases = vec![
        Case::new(BALANCER, move || pool.pick(|| pool.now(), &ThreadRng)),
        Case::new(SEED, move || seed.pick()),
        Case::new(FLOOR, move || floor.pick()),
        Case::new(FLOOR_AND_CLOCK, move || floor_and_clock.pick_with_clock()),
    ];
    #[cfg(feature = "peers")]
    cases.extend(crate::peers::cases(shape, state));
    Section::new(name(shape, state), cases)
}
