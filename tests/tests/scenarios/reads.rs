//! How often the pool reads the clock, draws randomness and tells its observer.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use lb_core::{
    BlockingLoadBalancer, Clock, Event, Instant, MockClock, Observer, Outcome, Pool, PoolBuilder, Rng, Step,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::stage::{ask, pool_of};
use mockall::mock;

mock! {
    Time {}
    impl Clock for Time {
        fn now(&self) -> Instant;
        fn wall(&self) -> SystemTime;
    }
}

mock! {
    Dice {}
    impl Rng for Dice {
        fn next_u64(&self) -> u64;
    }
}

mock! {
    Watcher {}
    impl Observer for Watcher {
        fn on_event<'a>(&self, event: &Event<'a>);
    }
}

/// A clock that must be read exactly so often; its time stands still.
fn read_times(now: usize, wall: usize) -> MockTime {
    let mut time = MockTime::new();
    time.expect_now().times(now).return_const(Instant::from_nanos(5));
    time.expect_wall().times(wall).return_const(SystemTime::UNIX_EPOCH);
    time
}

fn dice(times: usize) -> MockDice {
    let mut dice = MockDice::new();
    // The smallest draw that no bound rejects for the sake of uniformity.
    dice.expect_next_u64().times(times).return_const(1_u64 << 32);
    dice
}

fn send(pool: PoolBuilder, dice: MockDice, replies: &[(&str, Reply)], requests: u32) {
    let transport = ScriptedTransport::new();
    for (backend, reply) in replies {
        transport.reply(backend, reply.clone());
    }
    let balancer = BlockingLoadBalancer::with_parts(pool.build().unwrap(), transport, dice);
    for _ in 0..requests {
        let _ = balancer.send(ask());
    }
}

fn one() -> PoolBuilder {
    pool_of(&[("a", 1)])
}

fn two() -> PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

#[test]
fn with_nothing_out_no_clock_is_read() {
    let replies = [("a", Reply::status(200)), ("a", Reply::status(400)), ("a", Reply::fault(lb_core::Fault::Request))];
    send(two().clock(read_times(0, 0)), dice(0), &replies, 3);
}

#[test]
fn a_strike_reads_the_clock_once_and_so_does_the_success_that_forgets_it() {
    let replies = [("a", Reply::fault(lb_core::Fault::Timeout)), ("a", Reply::status(200)), ("a", Reply::status(200))];
    send(two().clock(read_times(2, 0)), dice(0), &replies, 3);
}

#[test]
fn only_with_stalled_after_is_the_beginning_of_an_attempt_a_moment() {
    send(two().stalled_after(Duration::from_secs(9)).clock(read_times(3, 0)), dice(0), &[], 3);
}

#[test]
fn a_cooldown_reads_the_clock_once_to_write_its_deadline_and_once_to_look_at_it() {
    // settle(a), then next with the first tier cooling.
    send(two().clock(read_times(2, 0)), dice(0), &[("a", Reply::status(429))], 1);
}

#[test]
fn a_step_reads_the_clock_once_however_many_backends_cool() {
    let names: Vec<String> = (0..20).map(|n| format!("b{n}")).collect();
    let backends: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    // Each of the 20 settles writes a deadline, and each of the 20 steps after them looks at deadlines.
    let pool = pool_of(&backends).clock(read_times(40, 0)).build().unwrap();
    let rng = lb_core::SeededRng::new(1);
    let mut dispatch = pool.dispatch();
    while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
        let _ = dispatch.settle(Outcome::answered(429, &HeaderMap::new(), || pool.wall()), || pool.now());
    }
    assert_eq!(dispatch.attempts(), 20);
}

#[test]
fn a_refusal_reads_the_clock_once_and_draws_nothing() {
    // The 429 reads twice: its deadline, then the search in vain. The refused request reads once.
    send(one().clock(read_times(3, 0)), dice(0), &[("a", Reply::status(429))], 2);
}

#[test]
fn the_wall_clock_is_read_only_for_a_date_without_a_date_to_measure_it_by() {
    let until = Reply::status(429).header("retry-after", "Thu, 01 Jan 1970 00:00:05 GMT");
    let dated = until.clone().header("date", "Thu, 01 Jan 1970 00:00:00 GMT");
    send(one().clock(read_times(2, 1)), dice(0), &[("a", until)], 1);
    send(one().clock(read_times(2, 0)), dice(0), &[("a", dated)], 1);
}

#[test]
fn only_a_choice_draws_randomness() {
    send(one(), dice(0), &[], 5);
    send(two(), dice(0), &[("a", Reply::status(503))], 3);
    send(pool_of(&[("a", 1), ("b", 1)]), dice(5), &[], 5);
    // Of three the smallest draw is `a`; then it is one of two.
    send(pool_of(&[("a", 1), ("b", 1), ("c", 1)]), dice(2), &[("a", Reply::status(503))], 1);
}

#[test]
fn each_decision_is_told_once() {
    let mut watcher = MockWatcher::new();
    let mut expect = |times: usize, which: fn(&Event<'_>) -> bool| {
        watcher.expect_on_event().withf(which).times(times).return_const(());
    };
    expect(2, |event| matches!(event, Event::Sent { .. }));
    expect(2, |event| matches!(event, Event::Settled { .. }));
    expect(1, |event| matches!(event, Event::FailedOver { .. }));
    expect(1, |event| matches!(event, Event::Cooling { duration, .. } if *duration == Duration::from_secs(10)));
    let pool: Pool = two().clock(read_times(2, 0)).observer(watcher).build().unwrap();
    let transport = ScriptedTransport::new();
    transport.reply("a", Reply::status(429));
    let balancer = BlockingLoadBalancer::with_parts(pool, transport, dice(0));
    assert_eq!(balancer.send(ask()).unwrap().status(), 200);
}

#[test]
fn once_a_cooldown_is_over_and_noticed_no_clock_is_read_again() {
    let clock = MockClock::new();
    let transport = ScriptedTransport::new();
    transport.reply("a", Reply::status(429).header("retry-after", "4"));
    let balancer = BlockingLoadBalancer::new(two().clock(clock.clone()).build().unwrap(), transport);
    let _ = balancer.send(ask());
    clock.advance(Duration::from_secs(4));
    let _ = balancer.send(ask());
    let reads = clock.reads();
    for _ in 0..3 {
        let _ = balancer.send(ask());
    }
    assert_eq!(clock.reads(), reads);
}
