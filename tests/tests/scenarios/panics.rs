//! Clocks and random numbers of the user's that panic: at the expense of one caller.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use futures::executor::block_on;
use lb_core::{
    BlockingLoadBalancer, Clock, Counters, Instant, LoadBalancer, MockClock, Pool, Rng, SeededRng, State,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::stage::{ask, pool_of};

/// Panics at the how-many-th call; whole numbers below one are never reached.
#[derive(Debug, Clone, Default)]
struct Fuse(Arc<AtomicI64>);

impl Fuse {
    fn burn(&self) {
        assert!(self.0.fetch_sub(1, Relaxed) != 1, "on purpose");
    }

    /// Whether it went off since it was set.
    fn is_burnt(&self) -> bool {
        self.0.load(Relaxed) < 1
    }
}

#[derive(Debug)]
struct Odd {
    clock: MockClock,
    rng: SeededRng,
    fuse: Fuse,
}

impl Clock for Odd {
    fn now(&self) -> Instant {
        self.fuse.burn();
        self.clock.now()
    }

    fn wall(&self) -> SystemTime {
        self.fuse.burn();
        self.clock.wall()
    }
}

impl Rng for Odd {
    fn next_u64(&self) -> u64 {
        self.fuse.burn();
        self.rng.next_u64()
    }
}

/// Sends three requests, of which the first meets a panic at its `burns_at`-th call of the clock or of the numbers. Gives
/// whether it came to that.
fn play(burns_at: i64, is_blocking: bool, reads_at_begin: bool) -> bool {
    let told = format!("{burns_at}, blocking: {is_blocking}, reads at the beginning: {reads_at_begin}");
    let (fuse, clock) = (Fuse::default(), MockClock::new());
    let odd = |seed| Odd { clock: clock.clone(), rng: SeededRng::new(seed), fuse: fuse.clone() };
    let pool = pool_of(&[("a", 1), ("b", 1), ("c", 2)]).clock(odd(1));
    // Then an attempt that is dropped asks for the time too, also one that a panic drops.
    let pool = if reads_at_begin { pool.stalled_after(Duration::from_secs(1)) } else { pool };
    let pool = Arc::new(pool.build().unwrap());
    let transport = ScriptedTransport::new();
    for name in ["a", "b"] {
        transport.reply(name, Reply::status(429).header("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT"));
    }
    let send = || match is_blocking {
        true => BlockingLoadBalancer::with_parts(Arc::clone(&pool), transport.clone(), odd(2)).send(ask()),
        false => block_on(LoadBalancer::with_parts(Arc::clone(&pool), transport.clone(), odd(2)).send(ask())),
    };
    fuse.0.store(burns_at, Relaxed);
    let first = catch_unwind(AssertUnwindSafe(send));
    let is_burnt = fuse.is_burnt();
    assert_eq!(first.is_err(), is_burnt, "{told}");
    fuse.0.store(0, Relaxed);
    check_at_rest(&pool, &told);
    for _ in 0..2 {
        assert_eq!(send().unwrap().status(), 200, "{told}");
    }
    check_at_rest(&pool, &told);
    is_burnt
}

fn check_at_rest(pool: &Pool, told: &str) {
    for backend in pool.snapshot().backends {
        let Counters { attempts, successes, throttles, cancelled, in_flight, .. } = backend.counters;
        assert_eq!((attempts, in_flight), (successes + throttles + cancelled, 0), "{told}: {backend:?}");
        assert!(!matches!(backend.state, State::Suspect { .. }), "{told}: {backend:?}");
    }
}

#[test]
fn a_clock_or_numbers_that_panic_harm_one_request() {
    for is_blocking in [false, true] {
        for reads_at_begin in [false, true] {
            let met = (1..100).take_while(|burns_at| play(*burns_at, is_blocking, reads_at_begin)).count();
            assert!((4..99).contains(&met), "{met} calls were met");
        }
    }
}
