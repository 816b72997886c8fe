//! What happens to a request and to a backend, driven by hand: no transport, no bodies, and the time is an argument.

use std::{
    hint::black_box,
    time::{Duration, Instant as WallInstant, SystemTime},
};

use lb_core::{Dispatch, Instant, Outcome, Pool, Step, ThreadRng};

use crate::{
    case::{Case, Section},
    state::{self, Shape, State},
};

/// A mark and its recovery, together.
pub const MARK_AND_RECOVER: &str = "mark and recover one";

const COOLDOWN: Duration = Duration::from_secs(10);
const THROTTLED: Outcome = Outcome::Answered { status: 429, hint: None };
const SUCCEEDED: Outcome = Outcome::Answered { status: 200, hint: None };

/// How many backends of other pools recover between two reads of the clock.
const POOLS: usize = 16;

/// A section per event, with a case per number of backends; the fewest are the base, so that a ratio near 1 is flat.
#[must_use]
pub fn sections() -> Vec<Section> {
    let all = [3, 8, 64, 1000];
    vec![
        section("request answered 200", all, request(SUCCEEDED)),
        section("request answered 429: mark", all, mark),
        section("recover one", all, recover),
        section(MARK_AND_RECOVER, all, mark_and_recover),
        section("verdict: all are cooling", all, verdict),
        section("failover after 1", all, failover_after(1)),
        section("failover after 2", all, failover_after(2)),
        section("failover until all are tried", [3, 8, 64], failover_after(usize::MAX)),
    ]
}

fn section<const N: usize>(name: &str, sizes: [usize; N], case: impl Fn(String, Shape) -> Case) -> Section {
    let shapes = sizes.map(|backends| Shape { backends, tiers: 1 });
    Section::new(name, shapes.map(|shape| case(format!("{} backends", shape.backends), shape)))
}

/// A whole dispatch of one attempt.
fn request(outcome: Outcome) -> impl Fn(String, Shape) -> Case {
    move |name, shape| {
        let pool = state::pool(shape);
        Case::new(name, move || attempt(&mut pool.dispatch(), outcome, Instant::from_nanos(0)))
    }
}

/// A dispatch whose backend is marked; it recovers outside of the time that is measured.
fn mark(name: String, shape: Shape) -> Case {
    timed_in_pools(name, shape, |_, _| true, throttle, pick_after)
}

/// A pick that finds that a cooldown is over; it began outside of the time that is measured.
fn recover(name: String, shape: Shape) -> Case {
    timed_in_pools(name, shape, throttle, pick_after, |_, _| true)
}

/// A dispatch that marks, and the pick that finds that the cooldown is over.
fn mark_and_recover(name: String, shape: Shape) -> Case {
    let pool = state::pool_with_cooldown(shape, COOLDOWN);
    let mut now = Instant::from_nanos(1);
    Case::new(name, move || {
        attempt(&mut pool.dispatch(), THROTTLED, now);
        now = now.saturating_add(COOLDOWN);
        black_box(pool.pick(|| now, &ThreadRng)).is_some()
    })
}

/// A dispatch that finds nothing, and says until when.
fn verdict(name: String, shape: Shape) -> Case {
    let pool = state::pool_in(shape, State::All);
    let now = pool.now();
    Case::new(name, move || matches!(black_box(pool.dispatch().next(|| now, &ThreadRng)), Step::Exhausted(_)))
}

/// A dispatch of which so many attempts fail, at backends that ask to be left out of this request only.
fn failover_after(failures: usize) -> impl Fn(String, Shape) -> Case {
    let left_out = Outcome::answered(429, [("retry-after", "0")].as_slice(), || SystemTime::UNIX_EPOCH);
    move |name, shape| {
        let pool = state::pool(shape);
        Case::new(name, move || {
            let mut dispatch = pool.dispatch();
            let now = Instant::from_nanos(1);
            let mut failed = 0;
            while failed < failures && attempt(&mut dispatch, left_out, now) {
                failed += 1;
            }
            if failed == failures {
                attempt(&mut dispatch, SUCCEEDED, now);
            }
            failed
        })
    }
}

/// One attempt; false if there was no backend for it.
fn attempt(dispatch: &mut Dispatch<&Pool>, outcome: Outcome, now: Instant) -> bool {
    match dispatch.next(|| now, &ThreadRng) {
        Step::Try(attempt) => {
            black_box(attempt);
            let _ = black_box(dispatch.settle(outcome, || now));
            true
        }
        _ => false,
    }
}

/// A request that is answered 429.
fn throttle(pool: &Pool, now: Instant) -> bool {
    attempt(&mut pool.dispatch(), THROTTLED, now)
}

/// A pick when every cooldown that began at `now` is over.
fn pick_after(pool: &Pool, now: Instant) -> bool {
    black_box(pool.pick(|| now.saturating_add(COOLDOWN), &ThreadRng)).is_some()
}

/// Measures one step of three: in some pools at a time, so that reading the clock does not count.
fn timed_in_pools(
    name: String,
    shape: Shape,
    before: impl Fn(&Pool, Instant) -> bool + 'static,
    measured: impl Fn(&Pool, Instant) -> bool + 'static,
    after: impl Fn(&Pool, Instant) -> bool + 'static,
) -> Case {
    let pools: Vec<_> = (0..POOLS).map(|_| state::pool_with_cooldown(shape, COOLDOWN)).collect();
    let mut now = Instant::from_nanos(1);
    Case::timed(name, move |times| {
        let mut total = Duration::ZERO;
        let mut left = usize::try_from(times).unwrap_or(usize::MAX);
        while left > 0 {
            let pools = &pools[..left.min(POOLS)];
            for pool in pools {
                black_box(before(pool, now));
            }
            let start = WallInstant::now();
            for pool in pools {
                black_box(measured(pool, now));
            }
            total += start.elapsed();
            for pool in pools {
                black_box(after(pool, now));
            }
            now = now.saturating_add(COOLDOWN);
            left -= pools.len();
        }
        total
    })
}
