//! A pool is replaced while requests run, wait and fail over.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use futures::executor::block_on;
use lb_core::{
    Backend, BlockingLoadBalancer, BuildError, Dispatch, Error, Fault, Hint, HintSource, LoadBalancer, MockClock,
    Outcome, Pool, PoolBuilder, ReplaceablePool, SeededRng, Served, State, Step, Verdict, Wait, WishError, Wishes,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::{
    journal::Journal,
    stage::{ask, header, host, pool_of},
};

const SECOND: Duration = Duration::from_secs(1);

fn started(pool: PoolBuilder) -> (ReplaceablePool, MockClock) {
    let clock = MockClock::new();
    (ReplaceablePool::from(pool.clock(clock.clone()).build().unwrap()), clock)
}

fn state(pool: &ReplaceablePool, name: &str) -> State {
    find(pool, name).state
}

fn find(pool: &ReplaceablePool, name: &str) -> lb_core::BackendSnapshot {
    let snapshot = pool.pool().snapshot();
    snapshot.backends.into_iter().find(|backend| backend.backend.name() == name).expect("a backend of the pool")
}

fn throttled(hint: Duration) -> Outcome {
    Outcome::Answered { status: 429, hint: Some(Hint::new(hint, HintSource::RetryAfterMs)) }
}

const SERVED: Outcome = Outcome::Answered { status: 200, hint: None };

/// Where a dispatch goes next; it must go somewhere.
fn next(dispatch: &mut Dispatch<Arc<Pool>>) -> String {
    let pool = Arc::clone(dispatch.pool());
    match dispatch.next(|| pool.now(), &SeededRng::new(1)) {
        Step::Try(attempt) => pool.target(&attempt).backend().name().to_owned(),
        step => panic!("{step:?}"),
    }
}

#[test]
fn what_is_known_stays_with_a_name_and_its_endpoint() {
    let (pool, _) = started(pool_of(&[("a", 1), ("b", 1), ("c", 2), ("d", 3)]));
    for name in ["a", "b", "c"] {
        assert!(pool.pool().cool(name, 60 * SECOND));
    }
    assert!(pool.pool().drain("d"));
    let replaced = pool
        .replace(
            Pool::builder()
                .backend(host("d", 1).build().unwrap())
                // Priority and weight may be others.
                .backend(host("a", 7).weight(3).build().unwrap())
                .backend(host("b", 1).deployment("elsewhere").build().unwrap())
                .backend(host("e", 2).build().unwrap()),
        )
        .unwrap();
    assert_eq!(replaced.to_string(), "added e; removed c; changed b");
    assert_eq!(state(&pool, "a").remaining(), Some(60 * SECOND));
    assert_eq!(
        [state(&pool, "b"), state(&pool, "d"), state(&pool, "e")],
        [State::Available, State::Drained, State::Available]
    );

    assert_eq!(pool.replace(pool_of(&[("a", 1), ("c", 1)])).unwrap().to_string(), "added c; removed d, b, e");
    assert_eq!(state(&pool, "c"), State::Available, "one that comes back is new");
    assert_eq!(pool.replace(pool_of(&[("c", 1), ("a", 1)])).unwrap().to_string(), "the same backends");
    assert_eq!(state(&pool, "a").remaining(), Some(60 * SECOND));
}

#[test]
fn a_key_may_be_rotated_by_a_replacement() {
    let keyed = |key: &str| Pool::builder().backend(host("a", 1).api_key(key).build().unwrap());
    let (pool, _) = started(keyed("old"));
    assert!(pool.pool().cool("a", SECOND));
    assert_eq!(pool.replace(keyed("new")).unwrap().to_string(), "the same backends");
    assert_eq!(state(&pool, "a").remaining(), Some(SECOND));
}

#[test]
fn news_of_requests_on_the_old_pool_reach_the_new_one() {
    let (pool, _) = started(pool_of(&[("a", 1), ("b", 2)]).strikes(1));
    let [mut first, mut second, mut third] = [(); 3].map(|()| Dispatch::new(pool.pool()));
    for dispatch in [&mut first, &mut second, &mut third] {
        assert_eq!(next(dispatch), "a");
    }
    // Another order, so that the slots are others.
    let _ = pool.replace(pool_of(&[("b", 1), ("a", 2)])).unwrap();
    assert_eq!(first.settle(Outcome::Faulted(Fault::Connect), || pool.pool().now()), Verdict::FailOver);
    assert!(matches!(state(&pool, "a"), State::Suspect { .. }));
    let _ = second.settle(throttled(9 * SECOND), || pool.pool().now());
    assert_eq!(state(&pool, "a").remaining(), Some(9 * SECOND));
    let _ = third.settle(throttled(5 * SECOND), || pool.pool().now());
    assert_eq!(state(&pool, "a").remaining(), Some(9 * SECOND), "the longest wins");
    assert_eq!(state(&pool, "b"), State::Available);
}

#[test]
fn a_request_on_the_old_pool_goes_by_the_news_of_the_new_one_and_sees_one_set() {
    let (pool, clock) = started(pool_of(&[("a", 1), ("b", 2), ("c", 3)]));
    let [mut old, mut other] = [(); 2].map(|()| Dispatch::new(pool.pool()));
    assert_eq!([next(&mut old), next(&mut other)], ["a", "a"]);
    let _ = pool.replace(pool_of(&[("b", 1), ("d", 1)])).unwrap();
    assert!(pool.pool().cool("b", 5 * SECOND));
    let _ = old.settle(Outcome::Faulted(Fault::Connect), || clock_now(&clock));
    assert_eq!(next(&mut old), "c", "b is out by the word of the new pool, c is of the old set, and d is not");
    assert_eq!(old.settle(SERVED, || clock_now(&clock)), Verdict::Return);

    clock.advance(5 * SECOND);
    assert!(pool.pool().drain("b"));
    let _ = other.settle(Outcome::Faulted(Fault::Connect), || clock_now(&clock));
    assert_eq!(next(&mut other), "c", "b is drained for everybody");
}

fn clock_now(clock: &MockClock) -> lb_core::Instant {
    use lb_core::Clock;
    clock.now()
}

#[test]
fn counters_of_stragglers_are_counted_and_those_of_removed_backends_not_lost() {
    let (pool, clock) = started(pool_of(&[("a", 1), ("b", 2)]));
    let mut straggler = Dispatch::new(pool.pool());
    assert_eq!(next(&mut straggler), "a");
    for _ in 0..3 {
        let mut dispatch = Dispatch::new(pool.pool());
        let _ = (next(&mut dispatch), dispatch.settle(SERVED, || clock_now(&clock)));
        let _ = pool.replace(pool_of(&[("b", 2), ("a", 1)])).unwrap();
    }
    let a = find(&pool, "a").counters;
    assert_eq!((a.attempts, a.successes, a.in_flight), (4, 3, 1));

    let _ = pool.replace(pool_of(&[("b", 2)])).unwrap();
    let snapshot = pool.pool().snapshot();
    assert_eq!((snapshot.removed.attempts, snapshot.removed.in_flight), (4, 1));
    let _ = straggler.settle(SERVED, || clock_now(&clock));
    drop(straggler);
    let _ = pool.replace(pool_of(&[("b", 2), ("a", 1)])).unwrap();
    let snapshot = pool.pool().snapshot();
    assert_eq!((snapshot.removed.successes, snapshot.removed.in_flight), (4, 0));
    assert_eq!((find(&pool, "a").counters.attempts, snapshot.counters().successes), (0, 4));
}

#[test]
fn what_cannot_be_built_changes_nothing() {
    let (pool, _) = started(pool_of(&[("a", 1)]));
    let before = pool.pool();
    assert_eq!(pool.replace(Pool::builder()).unwrap_err(), BuildError::NoBackends);
    let clock = pool.replace(pool_of(&[("a", 1)]).clock(MockClock::new())).unwrap_err().to_string();
    assert!(clock.contains("clock") && clock.contains("leave the option out"), "{clock}");
    assert!(Arc::ptr_eq(&before, &pool.pool()));
}

#[test]
fn the_observers_stay_unless_others_are_given_and_requests_are_numbered_on() {
    let (first, second) = (Journal::new(), Journal::new());
    let (pool, _) = started(pool_of(&[("a", 1)]).observer(first.clone()));
    let balancer = BlockingLoadBalancer::new(&pool, ScriptedTransport::new());
    balancer.send(ask()).unwrap();
    let _ = pool.replace(pool_of(&[("a", 1), ("b", 2)])).unwrap();
    balancer.send(ask()).unwrap();
    let told = first.take().join(", ");
    assert!(told.contains("replaced: added b"), "{told}");
    let _ = pool.replace(pool_of(&[("b", 1)]).observer(second.clone())).unwrap();
    balancer.send(ask()).unwrap();
    assert!(first.take().is_empty() && second.take().join(", ").contains("replaced: removed a"));
}

#[test]
fn a_balancer_over_a_handle_goes_to_the_new_pool_and_its_options() {
    let (pool, _) = started(pool_of(&[("a", 1)]));
    let transport = ScriptedTransport::new();
    transport.always("b", Reply::status(404));
    let balancer = LoadBalancer::new(pool.clone(), transport);
    let whom = || {
        let response = block_on(balancer.send(ask())).unwrap();
        response.extensions().get::<Served>().unwrap().backend().to_owned()
    };
    assert_eq!(whom(), "a");
    let _ = pool.replace(pool_of(&[("b", 1), ("c", 2)])).unwrap();
    assert_eq!(whom(), "b");
    let builder = pool_of(&[("b", 1), ("c", 2)]).on_status(404, lb_core::StatusAction::FailOver);
    let _ = pool.replace(builder).unwrap();
    assert_eq!(whom(), "c");
    assert_eq!(balancer.pool().backends().len(), 2);
}

fn waiting(backends: &[(&str, u32)]) -> PoolBuilder {
    pool_of(backends).wait(Wait { longest: 60 * SECOND, queue: 9 })
}

/// Notes that it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Does something by hand while an async request waits for `a` and expects that it is woken and served by `whom`.
fn wakes(by_hand: impl Fn(&ReplaceablePool), whom: &str) {
    let (pool, _) = started(waiting(&[("a", 1)]));
    assert!(pool.pool().cool("a", 30 * SECOND));
    let balancer = LoadBalancer::new(&pool, ScriptedTransport::new());
    let (woken, mut sent) = (Arc::new(Woken::default()), pin!(balancer.send(ask())));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    assert!(sent.as_mut().poll(&mut context).is_pending());
    assert_eq!(pool.pool().snapshot().waits.waiting, 1);
    let before = woken.0.load(Ordering::SeqCst);
    by_hand(&pool);
    assert!(woken.0.load(Ordering::SeqCst) > before, "it sleeps on");
    let Poll::Ready(answer) = sent.as_mut().poll(&mut context) else { panic!("it waits on") };
    assert_eq!(answer.unwrap().extensions().get::<Served>().unwrap().backend(), whom);
    assert_eq!(pool.pool().snapshot().waits.waiting, 0);
}

#[test]
fn who_waits_is_woken_by_what_is_done_by_hand() {
    wakes(|pool| drop(pool.replace(waiting(&[("b", 1)])).unwrap()), "b");
    wakes(|pool| drop(pool.replace(waiting(&[("a", 1), ("b", 2)])).unwrap()), "b");
    // Where nobody waits any more it has its turn, and no second one.
    wakes(|pool| drop(pool.replace(pool_of(&[("b", 1)])).unwrap()), "b");
    wakes(|pool| assert!(pool.pool().end_cooldown("a")), "a");
}

#[test]
fn a_request_that_was_refused_waits_and_goes_on_with_all_its_attempts_counted_and_one_end_told() {
    for is_replaced in [false, true] {
        let journal = Journal::new();
        let (pool, _) = started(waiting(&[("a", 1), ("b", 2)]).observer(journal.clone()));
        let transport = ScriptedTransport::new();
        for name in ["a", "b"] {
            transport.reply(name, Reply::status(429).header("retry-after", "5"));
        }
        let balancer = LoadBalancer::new(&pool, transport);
        let mut sent = pin!(balancer.send(ask()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sent.as_mut().poll(&mut context).is_pending());
        if is_replaced {
            let _ = pool.replace(waiting(&[("c", 1), ("a", 2)])).unwrap();
        } else {
            assert!(pool.pool().end_cooldown("a"));
        }
        let Poll::Ready(answer) = sent.as_mut().poll(&mut context) else { panic!("it waits on") };
        let answer = answer.unwrap();
        let served = answer.extensions().get::<Served>().unwrap();
        assert_eq!((served.backend(), served.attempts()), (if is_replaced { "c" } else { "a" }, 3));
        let trail: Vec<_> = served.trail().iter().map(ToString::to_string).collect();
        assert_eq!(trail, ["a: 429", "b: 429"]);
        let told = journal.take();
        let ends: Vec<_> = told.iter().filter(|line| line.starts_with("finished")).collect();
        assert_eq!(ends.len(), 1, "{told:#?}");
        assert!(ends[0].contains("served"), "{ends:?}");
    }
}

#[test]
fn an_attempt_that_is_open_ends_where_it_was_made() {
    let journal = Journal::new();
    let (pool, _) = started(pool_of(&[("a", 1), ("b", 1), ("c", 1)]).observer(journal.clone()));
    let mut dispatch = Dispatch::new(pool.pool());
    let whom = next(&mut dispatch);
    // Fewer backends: a slot of the old pool would be none of the new one.
    let _ = pool.replace(pool_of(&[("d", 1)])).unwrap();
    drop(dispatch.go_on(pool.pool()).unwrap());
    let told = journal.take();
    assert!(told.last().is_some_and(|line| line.starts_with("finished") && line.contains("cancelled")), "{told:#?}");
    assert_eq!(pool.pool().snapshot().removed.cancelled, 1, "{whom}");
}

#[test]
fn who_waits_goes_on_waiting_in_the_new_pool_and_keeps_its_age() {
    let (pool, clock) = started(waiting(&[("a", 1)]));
    assert!(pool.pool().cool("a", 10 * SECOND));
    let rng = SeededRng::new(1);
    let now = || clock_now(&clock);
    let [mut first, mut second] = [(); 2].map(|()| Dispatch::new(pool.pool()));
    assert!(matches!(first.next(now, &rng), Step::Wait(_)) && matches!(second.next(now, &rng), Step::Wait(_)));
    let _ = pool.replace(waiting(&[("a", 1), ("b", 2)])).unwrap();
    assert!(pool.pool().cool("b", 20 * SECOND));
    let mut second = second.go_on(pool.pool()).unwrap();
    let mut first = first.go_on(pool.pool()).unwrap();
    let Step::Wait(until) = second.next(now, &rng) else { panic!("it has nowhere to go") };
    assert!(until > now().saturating_add(10 * SECOND), "the older one goes first, whoever moved first");
    let Step::Wait(until) = first.next(now, &rng) else { panic!("it has nowhere to go") };
    assert_eq!(until, now().saturating_add(10 * SECOND));
    clock.advance(10 * SECOND);
    assert!(matches!(first.next(now, &rng), Step::Try(_)));
    assert_eq!(first.waited(), 10 * SECOND);
    assert_eq!(pool.pool().snapshot().waits.begun, 2);
    drop((first, second));
    assert_eq!(pool.pool().snapshot().waits.waiting, 0);
}

#[test]
fn a_thread_that_waits_looks_up_and_finds_the_new_pool() {
    // In real time: a blocking sleep on a mock clock is over before anybody could do anything.
    let pool = ReplaceablePool::from(waiting(&[("a", 1)]).build().unwrap());
    assert!(pool.pool().cool("a", 50 * SECOND));
    let balancer = BlockingLoadBalancer::new(&pool, ScriptedTransport::new());
    thread::scope(|scope| {
        let sent = scope.spawn(|| balancer.send(ask()).unwrap());
        while pool.pool().snapshot().waits.waiting == 0 {
            thread::yield_now();
        }
        let _ = pool.replace(waiting(&[("b", 1)])).unwrap();
        let served = sent.join().unwrap();
        assert_eq!(served.extensions().get::<Served>().unwrap().backend(), "b");
    });
}

#[test]
fn who_waits_for_a_pinned_backend_that_is_removed_is_told() {
    let (pool, _) = started(waiting(&[("a", 1), ("b", 1)]));
    assert!(pool.pool().cool("a", 30 * SECOND));
    let balancer = LoadBalancer::new(&pool, ScriptedTransport::new());
    let mut sent = pin!(balancer.send_with(ask(), Wishes::new().pin("a")));
    let mut context = Context::from_waker(Waker::noop());
    assert!(sent.as_mut().poll(&mut context).is_pending());
    let _ = pool.replace(waiting(&[("b", 1)])).unwrap();
    let Poll::Ready(Err(error)) = sent.as_mut().poll(&mut context) else { panic!("it waits on") };
    assert!(matches!(error, Error::Wish(WishError::UnknownBackend(name)) if &*name == "a"));
    assert_eq!(pool.pool().snapshot().waits.waiting, 0, "its place is given back");
}

#[test]
fn a_pin_to_a_resource_finds_what_the_new_pool_has_of_it() {
    let at = |name: &str, deployment: &str, priority| {
        Backend::builder("https://r.example").name(name).deployment(deployment).priority(priority).build().unwrap()
    };
    let builder =
        |backends: Vec<Backend>| Pool::builder().backends(backends).wait(Wait { longest: 60 * SECOND, queue: 9 });
    let (pool, _) = started(builder(vec![at("a", "1", 1)]));
    assert!(pool.pool().cool("a", 30 * SECOND));
    let mut waiter = Dispatch::with(pool.pool(), Wishes::new().pin_resource("a")).unwrap();
    assert!(matches!(waiter.next(|| pool.pool().now(), &SeededRng::new(1)), Step::Wait(_)));
    let _ = pool.replace(builder(vec![at("a", "1", 1), at("new", "2", 2), host("other", 1).build().unwrap()])).unwrap();
    assert_eq!(next(&mut waiter.go_on(pool.pool()).unwrap()), "new");
}

#[test]
fn a_dispatch_that_goes_on_in_a_pool_of_another_family_leaves_no_ticket_behind() {
    let (pool, _) = started(waiting(&[("a", 1)]));
    let (stranger, _) = started(waiting(&[("a", 1)]));
    assert!(pool.pool().cool("a", 30 * SECOND) && stranger.pool().cool("a", 30 * SECOND));
    let mut waiter = Dispatch::new(pool.pool());
    assert!(matches!(waiter.next(|| pool.pool().now(), &SeededRng::new(1)), Step::Wait(_)));
    let mut waiter = waiter.go_on(stranger.pool()).unwrap();
    assert_eq!(pool.pool().snapshot().waits.waiting, 0);
    assert!(matches!(waiter.next(|| stranger.pool().now(), &SeededRng::new(1)), Step::Wait(_)));
    drop(waiter);
    assert_eq!((stranger.pool().snapshot().waits.waiting, stranger.pool().snapshot().waits.begun), (0, 1));
}

#[test]
fn a_refusal_names_the_backends_of_the_pool_that_the_request_began_on() {
    let (pool, _) = started(pool_of(&[("a", 1)]));
    assert!(pool.pool().cool("a", 30 * SECOND));
    let balancer = BlockingLoadBalancer::new(&pool, ScriptedTransport::new());
    assert_eq!(header(&balancer.send(ask()).unwrap(), "retry-after"), "30");
    let _ = pool.replace(pool_of(&[("b", 1)])).unwrap();
    assert_eq!(balancer.send(ask()).unwrap().status(), 200);
}
