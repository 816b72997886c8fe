//! Other balancers, for the group `selection`: pingora's and tower's.
//!
//! They do a different job. pingora has no priorities; it gives a copy of the backend, after a look at its health in a
//! map. tower's balance needs exclusive access, so that to share it takes a lock on top of what is measured; it
//! includes `poll_ready`, `call` and the count of pending requests. Neither knows how long a backend is out.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use pingora_load_balancing::{LoadBalancer, selection::Random};
use tower::{
    Service,
    balance::p2c::Balance,
    discover::ServiceList,
    load::{CompleteOnResponse, PendingRequests},
};

use crate::{
    case::Case,
    groups::selection::{PINGORA, TOWER},
    state::{Shape, State},
};

/// As many draws as find one among half of the backends, but once in a million.
const MAX_ITERATIONS: usize = 20;

/// The peers that know this shape and state: one tier, of which none or half is out.
#[must_use]
pub fn cases(shape: Shape, state: State) -> Vec<Case> {
    let mut cases = Vec::new();
    if shape.tiers == 1 && matches!(state, State::None | State::Half) {
        let pingora = pingora(shape, state);
        cases.push(Case::new(PINGORA, move || pingora.select(b"", MAX_ITERATIONS)));
    }
    if shape.tiers == 1 && state == State::None {
        let mut tower = tower(shape);
        cases.push(Case::new(TOWER, move || call(&mut tower)));
    }
    cases
}

/// pingora's random choice, with the backends disabled that are out.
fn pingora(shape: Shape, state: State) -> LoadBalancer<Random> {
    let addresses = (0..shape.backends).map(|slot| format!("10.0.{}.{}:80", slot / 256, slot % 256));
    let balancer = LoadBalancer::<Random>::try_from_iter(addresses).expect("valid addresses");
    for (slot, backend) in balancer.backends().get_backend().iter().enumerate() {
        balancer.backends().set_enable(backend, !state.is_out(shape, slot));
    }
    balancer
}

/// A service that is always ready, and answers with its slot.
struct Slot(usize);

impl Service<()> for Slot {
    type Response = usize;
    type Error = Infallible;
    type Future = Ready<Result<usize, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(self.0))
    }
}

type Tower = Balance<ServiceList<Vec<PendingRequests<Slot>>>, ()>;

/// tower's choice of the less loaded of two, by the requests that are pending.
fn tower(shape: Shape) -> Tower {
    let services = (0..shape.backends).map(|slot| PendingRequests::new(Slot(slot), CompleteOnResponse::default()));
    Balance::new(ServiceList::new::<()>(services.collect()))
}

/// One request: `poll_ready`, `call`, and its answer, which is there at once.
fn call(tower: &mut Tower) -> Option<usize> {
    let mut context = Context::from_waker(Waker::noop());
    match tower.poll_ready(&mut context) {
        Poll::Ready(Ok(())) => match pin!(tower.call(())).poll(&mut context) {
            Poll::Ready(Ok(slot)) => Some(slot),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pingora_picks_the_backends_that_are_not_out() {
        let shape = Shape { backends: 8, tiers: 1 };
        for state in [State::None, State::Half] {
            let balancer = pingora(shape, state);
            let mut picked: Vec<_> =
                (0..1000).filter_map(|_| balancer.select(b"", MAX_ITERATIONS)).map(|b| b.addr.to_string()).collect();
            picked.sort();
            picked.dedup();
            assert_eq!(picked.len(), state.candidates(shape).len(), "{picked:?}");
        }
    }

    #[test]
    fn tower_picks_every_backend() {
        let shape = Shape { backends: 8, tiers: 1 };
        let mut tower = tower(shape);
        let mut picked: Vec<_> = (0..1000).filter_map(|_| call(&mut tower)).collect();
        assert_eq!(picked.len(), 1000);
        picked.sort_unstable();
        picked.dedup();
        assert_eq!(picked.len(), 8);
    }
}
