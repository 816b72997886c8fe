//! Many threads on one pool: nothing is lost, nothing is counted twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use futures::executor::block_on;
use lb_core::{
    BlockingLoadBalancer, Event, Exhausted, Fault, Hint, HintSource, LoadBalancer, MockClock, Observer, Outcome, Pool,
    SeededRng, Served, State, Step, ThreadRng, Verdict, test_util::Reply, test_util::ScriptedTransport,
};
use lb_tests::stage::{ask, host, pool_of};

const THREADS: u64 = 8;

/// Counts cooldowns and recoveries per backend.
#[derive(Debug, Clone, Default)]
struct Episodes(Arc<Mutex<HashMap<String, (u64, u64)>>>);

impl Observer for Episodes {
    fn on_event(&self, event: &Event<'_>) {
        let mut episodes = self.0.lock().unwrap();
        match event {
            Event::Cooling { backend, .. } => episodes.entry(backend.name().to_owned()).or_default().0 += 1,
            Event::Available { backend } => episodes.entry(backend.name().to_owned()).or_default().1 += 1,
            _ => {}
        }
    }
}

fn refused(delay: Duration) -> Outcome {
    Outcome::Answered { status: 429, hint: Some(Hint::new(delay, HintSource::RetryAfterMs)) }
}

/// Every attempt ended, in one of the counted ways.
fn at_rest(pool: &Pool) -> u64 {
    let counters = pool.snapshot().backends.into_iter().map(|backend| backend.counters);
    let attempts = counters.map(|c| {
        assert_eq!(c.in_flight, 0, "{c:?}");
        let ended = c.successes + c.throttles + c.server_errors + c.faults + c.rejected + c.cancelled;
        assert_eq!(c.attempts, ended, "{c:?}");
        c.attempts
    });
    attempts.sum()
}

/// Makes so many requests on each of the threads at once; each moves the clock by 40 microseconds.
fn hammer(clock: &MockClock, requests: u64, request: impl Fn(u64, u64) + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let request = &request;
            scope.spawn(move || {
                for n in 0..requests {
                    request(thread, n);
                    clock.advance(Duration::from_micros(40));
                }
            });
        }
    });
}

#[test]
fn no_request_is_refused_while_a_healthy_untried_backend_exists() {
    let clock = MockClock::new();
    let transport = ScriptedTransport::new();
    // Five backends of three tiers flap with hints of a few milliseconds; the last tier is always healthy.
    let backends = [("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2), ("healthy", 3)];
    for (millis, (name, _)) in backends.into_iter().take(5).enumerate() {
        let reply = Reply::status(if millis % 2 == 0 { 429 } else { 503 });
        transport.always(name, reply.header("retry-after-ms", &(millis + 1).to_string()));
    }
    let episodes = Episodes::default();
    let pool = Arc::new(pool_of(&backends).clock(clock.clone()).observer(episodes.clone()).build().unwrap());
    let balancer = BlockingLoadBalancer::new(Arc::clone(&pool), transport);
    hammer(&clock, 1500, |_, _| {
        let response = balancer.send(ask()).unwrap();
        assert_eq!(response.status(), 200, "lost: {:?}", response.extensions().get::<Exhausted>());
        assert_eq!(response.extensions().get::<Served>().unwrap().backend(), "healthy");
    });
    at_rest(&pool);
    let counters = pool.snapshot().backends[5].counters;
    assert_eq!((counters.attempts, counters.successes), (THREADS * 1500, THREADS * 1500));
    let episodes = episodes.0.lock().unwrap();
    assert_eq!(episodes.len(), 5, "every other backend did flap: {episodes:?}");
    assert!(episodes.values().all(|(began, ended)| *began >= 20 && ended <= began), "{episodes:?}");
}

#[test]
fn equal_backends_that_flap_lose_no_request_as_long_as_one_of_them_is_healthy() {
    let clock = MockClock::new();
    let transport = ScriptedTransport::new();
    transport.always("a", Reply::status(429).header("retry-after-ms", "1"));
    transport.always("b", Reply::fault(Fault::Connect));
    let pool = pool_of(&[("a", 1), ("b", 1), ("healthy", 1)]).probe_after(Duration::from_micros(700));
    let pool = Arc::new(pool.clock(clock.clone()).build().unwrap());
    let balancer = BlockingLoadBalancer::new(Arc::clone(&pool), transport);
    hammer(&clock, 1500, |_, _| assert_eq!(balancer.send(ask()).unwrap().status(), 200));
    at_rest(&pool);
    let [a, b, healthy] = [0, 1, 2].map(|slot| pool.snapshot().backends[slot].counters);
    assert_eq!(healthy.successes, THREADS * 1500);
    assert!(a.throttles >= 20 && b.faults >= 20, "they did flap: {a:?} {b:?}");
}

#[test]
fn counters_are_exact_at_rest_whatever_the_threads_did() {
    let clock = MockClock::new();
    let pool = Arc::new(pool_of(&[("a", 1), ("b", 1), ("c", 2)]).clock(clock.clone()).build().unwrap());
    let settled: [AtomicU64; 5] = Default::default();
    let rng = ThreadRng;
    hammer(&clock, 1500, |thread, n| {
        let mut dispatch = pool.dispatch();
        let kind = (n + thread) % 5;
        while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
            settled[usize::try_from(kind).unwrap()].fetch_add(1, Ordering::Relaxed);
            let outcome = match kind {
                0 => Outcome::Answered { status: 200, hint: None },
                1 => refused(Duration::from_micros(30)),
                2 => Outcome::Answered { status: 500, hint: Some(Hint::new(Duration::ZERO, HintSource::RetryAfter)) },
                3 => Outcome::Faulted(Fault::Timeout),
                _ => break,
            };
            if dispatch.settle(outcome, || pool.now()) == Verdict::Return {
                break;
            }
        }
    });
    at_rest(&pool);
    let sum = |read: fn(&lb_core::Counters) -> u64| -> u64 {
        pool.snapshot().backends.iter().map(|backend| read(&backend.counters)).sum()
    };
    let counted =
        [sum(|c| c.successes), sum(|c| c.throttles), sum(|c| c.server_errors), sum(|c| c.faults), sum(|c| c.cancelled)];
    assert_eq!(counted, settled.map(AtomicU64::into_inner));
    assert!(counted.iter().all(|&times| times >= 100), "{counted:?}");
}

#[test]
fn each_cooldown_is_told_as_over_exactly_once_however_many_threads_notice() {
    let clock = MockClock::new();
    let episodes = Episodes::default();
    let backends = [("a", 1), ("b", 1), ("c", 2)];
    let pool = Arc::new(pool_of(&backends).clock(clock.clone()).observer(episodes.clone()).build().unwrap());
    let rounds = 200;
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pool, barrier, clock) = (&pool, &barrier, &clock);
            scope.spawn(move || {
                let rng = SeededRng::new(thread);
                for round in 0..rounds {
                    // All mark all backends at once, each with another hint of 1 to 8 ms.
                    let mut dispatch = pool.dispatch();
                    barrier.wait();
                    while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
                        let _ = dispatch.settle(refused(Duration::from_millis(thread + 1)), || pool.now());
                    }
                    barrier.wait();
                    if thread == round % THREADS {
                        clock.advance(Duration::from_millis(8));
                    }
                    barrier.wait();
                    // All notice the end at once. None marks: the attempt is dropped.
                    let mut dispatch = pool.dispatch();
                    let mut noticed = 0;
                    while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
                        noticed += 1;
                    }
                    assert_eq!(noticed, 3, "all are available again");
                    barrier.wait();
                }
            });
        }
    });
    let episodes = episodes.0.lock().unwrap();
    for (name, _) in backends {
        let (began, ended) = episodes[name];
        assert_eq!(ended, rounds, "{name}");
        assert!((rounds..=rounds * THREADS).contains(&began), "{name} was told {began} times as cooling");
    }
    at_rest(&pool);
}

#[test]
fn concurrent_marks_leave_the_latest_deadline() {
    let clock = MockClock::new();
    let pool = Arc::new(pool_of(&[("a", 1)]).clock(clock.clone()).build().unwrap());
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    for round in 0..200 {
        thread::scope(|scope| {
            for thread in 1..=THREADS {
                let (pool, barrier) = (&pool, &barrier);
                scope.spawn(move || {
                    let mut dispatch = pool.dispatch();
                    assert!(matches!(dispatch.next(|| pool.now(), &ThreadRng), Step::Try(_)));
                    barrier.wait();
                    let _ = dispatch.settle(refused(Duration::from_millis(thread * 10)), || pool.now());
                });
            }
        });
        let State::Cooling { remaining, .. } = pool.snapshot().backends[0].state else { panic!("round {round}") };
        assert_eq!(remaining, Duration::from_millis(THREADS * 10), "round {round}");
        clock.advance(remaining);
    }
}

#[test]
fn one_pool_serves_an_async_and_a_blocking_balancer_at_once() {
    let clock = MockClock::new();
    let transport = ScriptedTransport::new();
    transport.always("a", Reply::status(429).header("retry-after-ms", "2").after_polls(1));
    let pool = Arc::new(pool_of(&[("a", 1), ("b", 2)]).clock(clock.clone()).build().unwrap());
    let running = LoadBalancer::new(Arc::clone(&pool), transport.clone());
    let blocking = BlockingLoadBalancer::new(Arc::clone(&pool), transport.clone());
    hammer(&clock, 500, |thread, _| {
        let answer = if thread % 2 == 0 { block_on(running.send(ask())) } else { blocking.send(ask()) };
        assert_eq!(answer.unwrap().extensions().get::<Served>().unwrap().backend(), "b");
    });
    assert_eq!(at_rest(&pool), transport.requests().len() as u64);
    let [a, b] = [0, 1].map(|slot| pool.snapshot().backends[slot].counters);
    assert_eq!(b.successes, THREADS * 500);
    assert!(a.throttles >= 1 && a.throttles < THREADS * 500, "both saw the other's cooldowns: {a:?}");
}

#[test]
fn a_cooldown_seen_through_one_balancer_holds_for_the_other() {
    let transport = ScriptedTransport::new();
    transport.reply("a", Reply::status(429));
    let pool = Arc::new(
        Pool::builder()
            .backends([host("a", 1).build().unwrap(), host("b", 2).build().unwrap()])
            .clock(MockClock::new())
            .build()
            .unwrap(),
    );
    let blocking = BlockingLoadBalancer::new(Arc::clone(&pool), transport.clone());
    assert_eq!(blocking.send(ask()).unwrap().status(), 200);
    let running = LoadBalancer::new(pool, transport.clone());
    assert_eq!(block_on(running.send(ask())).unwrap().status(), 200);
    let asked: Vec<_> = transport.requests().into_iter().map(|sent| sent.backend).collect();
    assert_eq!(asked, ["a", "b", "b"]);
}
