//! A dispatch driven by hand: one that owns its pool, and what its steps hold.

use std::{collections::HashMap, sync::Arc, thread};

use lb_core::{Attempt, Dispatch, MockClock, Outcome, Pool, SeededRng, Step, Verdict};
use lb_tests::stage::pool_of;

fn pool() -> Arc<Pool> {
    Arc::new(pool_of(&[("a", 1), ("b", 2)]).clock(MockClock::new()).build().unwrap())
}

/// Asks for the next attempt, which must be there.
fn next(dispatch: &mut Dispatch<Arc<Pool>>) -> Attempt {
    let pool = Arc::clone(dispatch.pool());
    match dispatch.next(|| pool.now(), &SeededRng::new(1)) {
        Step::Try(attempt) => attempt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dispatch_that_owns_its_pool_and_its_attempts_can_be_kept_and_go_to_other_threads() {
    let mut kept = HashMap::new();
    for id in 0..2 {
        let mut dispatch = Dispatch::new(pool());
        let attempt = next(&mut dispatch);
        kept.insert(id, (dispatch, attempt));
    }
    let (mut dispatch, attempt) = kept.remove(&0).unwrap();
    thread::spawn(move || {
        let pool = Arc::clone(dispatch.pool());
        assert_eq!((attempt.slot(), attempt.number()), (0, 1));
        assert_eq!(pool.target(&attempt).backend().name(), "a");
        let throttled = Outcome::answered(429, [("retry-after", "7")].as_slice(), || pool.wall());
        assert_eq!(dispatch.settle(throttled, || pool.now()), Verdict::FailOver);
        let attempt = next(&mut dispatch);
        assert_eq!((attempt.slot(), attempt.number()), (1, 2));
        assert_eq!(pool.target(&attempt).backend().name(), "b");
    })
    .join()
    .unwrap();
}

#[test]
fn one_that_owns_its_pool_settles_its_open_attempt_as_cancelled_when_it_is_dropped() {
    let pool = pool();
    let mut dispatch = Dispatch::new(Arc::clone(&pool));
    let _ = next(&mut dispatch);
    assert_eq!(pool.snapshot().backends[0].counters.in_flight, 1);
    drop(dispatch);
    let counters = pool.snapshot().backends[0].counters;
    assert_eq!((counters.in_flight, counters.cancelled), (0, 1));
    assert_eq!(Arc::strong_count(&pool), 1);
}
