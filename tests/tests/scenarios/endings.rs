//! How requests end, and how long they took: one event for each, and the last.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use futures::FutureExt;
use lb_core::{
    BlockingLoadBalancer, Ending, Event, Fault, LoadBalancer, MockClock, NotRepeated, Observer, Outcome, Pool,
    PoolBuilder, SeededRng, Served, Step, Verdict, Wait, Wishes,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::stage::{ask, ask_once, on_every_drive, pool_of};

const SECOND: Duration = Duration::from_secs(1);

/// How a request ended, as an observer is told.
#[derive(Debug, Clone, PartialEq)]
struct End {
    ending: Ending,
    attempts: u32,
    backend: Option<String>,
    waited: Duration,
    elapsed: Option<Duration>,
}

fn end(ending: Ending, attempts: u32, backend: Option<&str>) -> End {
    End { ending, attempts, backend: backend.map(str::to_owned), waited: Duration::ZERO, elapsed: None }
}

/// What was told: how requests ended, and how long attempts took.
type Told = (Vec<End>, Vec<Option<Duration>>);

/// Keeps the ends of requests and how long their attempts took, and checks that nothing is told of a request after its end.
#[derive(Debug, Clone, Default)]
struct Ends {
    told: Arc<Mutex<Told>>,
    finished: Arc<Mutex<Vec<u64>>>,
    wants_time: bool,
    /// Each attempt takes a second of this clock.
    clock: Option<MockClock>,
}

impl Observer for Ends {
    fn on_event(&self, event: &Event<'_>) {
        let mut finished = self.finished.lock().unwrap();
        let mut told = self.told.lock().unwrap();
        let request = match event {
            Event::Sent { request, .. } => {
                if let Some(clock) = &self.clock {
                    clock.advance(SECOND);
                }
                *request
            }
            Event::Settled { request, elapsed, .. } => {
                told.1.push(*elapsed);
                *request
            }
            Event::FailedOver { request, .. }
            | Event::NotRepeated { request, .. }
            | Event::Waiting { request, .. }
            | Event::Waited { request, .. }
            | Event::Exhausted { request, .. }
            | Event::Cooling { request, .. } => *request,
            Event::Finished { request, ending, attempts, waited, elapsed, backend, .. } => {
                let backend = backend.map(|backend| backend.name().to_owned());
                let (ending, attempts, waited, elapsed) = (*ending, *attempts, *waited, *elapsed);
                told.0.push(End { ending, attempts, backend, waited, elapsed });
                assert!(!finished.contains(request), "request {request} has ended twice");
                finished.push(*request);
                return;
            }
            _ => return,
        };
        if finished.contains(&request) {
            // A panic of an observer is caught: a line that no test expects.
            told.0.push(end(Ending::Refused, u32::MAX, None));
        }
    }

    fn wants_time(&self) -> bool {
        self.wants_time
    }
}

impl Ends {
    fn timed(clock: &MockClock) -> Self {
        Self { wants_time: true, clock: Some(clock.clone()), ..Self::default() }
    }

    fn take(&self) -> Vec<End> {
        std::mem::take(&mut self.told.lock().unwrap().0)
    }

    fn attempts(&self) -> Vec<Option<Duration>> {
        std::mem::take(&mut self.told.lock().unwrap().1)
    }
}

fn two() -> PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

#[test]
fn the_loop_tells_each_way_in_which_a_request_ends() {
    use Ending::{Exhausted, Refused, Returned, Served};
    let throttled = Reply::status(429).header("retry-after-ms", "1");
    for (replies, request, expected) in [
        (vec![], ask(), end(Served, 1, Some("a"))),
        (vec![("a", throttled.clone())], ask(), end(Served, 2, Some("b"))),
        (vec![("a", Reply::status(400))], ask(), end(Returned, 1, Some("a"))),
        (vec![("a", Reply::fault(Fault::Timeout))], ask(), end(Returned, 1, Some("a"))),
        (vec![("a", Reply::status(500)), ("b", Reply::status(503))], ask(), end(Returned, 2, Some("b"))),
        (vec![("a", throttled.clone()), ("b", throttled.clone())], ask(), end(Exhausted, 2, None)),
        (vec![("a", Reply::status(503))], ask_once(), end(Returned, 1, Some("a"))),
        (vec![("b", throttled.clone())], with(Wishes::new().pin("b")), end(Returned, 1, Some("b"))),
        (vec![], with(Wishes::new().pin("nobody")), end(Refused, 0, None)),
    ] {
        let ends = Ends::default();
        on_every_drive(
            || two().observer(ends.clone()),
            |stage| {
                for (backend, reply) in &replies {
                    stage.transport.reply(backend, reply.clone());
                }
                let _ = stage.send(request.clone());
                assert_eq!(ends.take(), std::slice::from_ref(&expected));
                ends.finished.lock().unwrap().clear();
            },
        );
    }
}

fn with(wishes: Wishes) -> http::Request<bytes::Bytes> {
    let mut request = ask();
    request.extensions_mut().insert(wishes);
    request
}

#[test]
fn a_refusal_that_is_a_value_and_a_wish_that_blocking_cannot_grant_are_told_too() {
    let ends = Ends::default();
    let transport = ScriptedTransport::new();
    transport.reply("a", Reply::status(429)).reply("b", Reply::status(429));
    let balancer = BlockingLoadBalancer::with_parts(
        two().clock(MockClock::new()).observer(ends.clone()).build().unwrap(),
        transport,
        SeededRng::new(1),
    );
    assert!(balancer.try_send(ask()).is_err());
    assert!(balancer.send_with(ask(), Wishes::new().head_timeout(SECOND)).is_err());
    assert_eq!(ends.take(), [end(Ending::Exhausted, 2, None), end(Ending::Refused, 0, None)]);
}

#[test]
fn a_request_that_is_dropped_is_cancelled_wherever_it_is() {
    let (ends, clock, transport) = (Ends::default(), MockClock::new(), ScriptedTransport::new());
    transport.reply("a", Reply::never());
    let wait = Wait { longest: 60 * SECOND, queue: 9 };
    let pool = Arc::new(two().wait(wait).clock(clock).observer(ends.clone()).build().unwrap());
    let balancer = LoadBalancer::with_parts(Arc::clone(&pool), transport.clone(), SeededRng::new(1));
    let drop_it = || {
        let mut sending = Box::pin(balancer.send(ask()));
        assert!(sending.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(sending);
        ends.take()
    };
    assert_eq!(drop_it(), [end(Ending::Cancelled, 1, None)], "while an attempt is open");
    assert!(pool.cool("a", SECOND) && pool.cool("b", SECOND));
    assert_eq!(drop_it(), [end(Ending::Cancelled, 0, None)], "while it waits");
    assert!(pool.end_cooldown("a") && pool.end_cooldown("b"));
    transport.reply("a", Reply::status(429)).reply("b", Reply::status(429));
    assert_eq!(drop_it(), [end(Ending::Cancelled, 2, None)], "while it waits, after it was refused");
    drop(pool.dispatch());
    assert_eq!(ends.take(), [end(Ending::Cancelled, 0, None)], "before its first attempt");
    assert_eq!(pool.snapshot().waits.waiting, 0);
}

#[test]
fn a_walk_by_hand_ends_once_and_as_its_last_step_said() {
    let ends = Ends::default();
    let pool = two().clock(MockClock::new()).observer(ends.clone()).build().unwrap();
    let rng = SeededRng::new(1);
    let ended_by = |outcome: Outcome, and_then: &dyn Fn(&mut lb_core::Dispatch<&Pool>)| {
        let mut dispatch = pool.dispatch();
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
        let _ = dispatch.settle(outcome, || pool.now());
        and_then(&mut dispatch);
        assert_eq!(ends.take(), [], "it has not ended while it is kept");
        drop(dispatch);
        ends.take()
    };
    let status = |status| Outcome::Answered { status, hint: None };
    assert_eq!(ended_by(status(204), &|_| ()), [end(Ending::Served, 1, Some("a"))]);
    assert_eq!(ended_by(Outcome::Cancelled, &|_| ()), [end(Ending::Cancelled, 1, None)]);
    // A driver that stops although it could go on has returned what it has.
    assert_eq!(ended_by(status(500), &|_| ()), [end(Ending::Returned, 1, Some("a"))]);
    let not_again = ended_by(status(500), &|dispatch| dispatch.cannot_repeat(NotRepeated::BodySpent));
    assert_eq!(not_again, [end(Ending::Returned, 1, Some("a"))]);
    // One that asks again while an attempt is open has given that one up, and not the request.
    let asks_again = ended_by(status(404), &|dispatch| {
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::ReturnLast(_) | Step::Exhausted(_)));
    });
    assert_eq!(asks_again.len(), 1);
}

#[test]
fn a_panic_that_unwinds_reads_no_clock_and_ends_the_request_all_the_same() {
    let clock = MockClock::new();
    let ends = Ends { clock: None, ..Ends::timed(&clock) };
    let pool = two().stalled_after(SECOND).clock(clock.clone()).observer(ends.clone()).build().unwrap();
    let rng = SeededRng::new(1);
    let panics_after = |outcome: Option<Outcome>| {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let mut dispatch = pool.dispatch();
            assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
            if let Some(outcome) = outcome {
                let _ = dispatch.settle(outcome, || pool.now());
            }
            let reads = clock.reads();
            std::panic::panic_any(reads);
        }));
        assert_eq!(*unwound.unwrap_err().downcast::<u64>().unwrap(), clock.reads());
        let mut ended = ends.take();
        assert_eq!(ended.len(), 1);
        ended.remove(0)
    };
    assert_eq!(panics_after(None), end(Ending::Cancelled, 1, None));
    let (failed, served) = (Outcome::Faulted(Fault::Connect), Outcome::Answered { status: 200, hint: None });
    let failed = panics_after(Some(failed));
    assert_eq!((failed.ending, failed.backend), (Ending::Cancelled, None));
    // What its caller made of the answer is the caller's.
    assert_eq!(panics_after(Some(served)).ending, Ending::Served);
    assert_eq!(ends.attempts()[0], None, "nor is it told how long the open attempt took");
}

#[test]
fn attempts_and_requests_say_how_long_they_took_to_whoever_wants_to_know() {
    on_every_drive(two, |stage| {
        let (clock, transport) = (&stage.clock, &stage.transport);
        let ends = Ends::timed(clock);
        let pool = two().wait(Wait { longest: 60 * SECOND, queue: 9 }).clock(clock.clone()).observer(ends.clone());
        let balancer = BlockingLoadBalancer::with_parts(pool.build().unwrap(), transport.clone(), SeededRng::new(1));
        // a: 1 s, b: 1 s, then a comes back 5 s after its 429, and serves within another second.
        transport
            .reply("a", Reply::status(429).header("retry-after", "5"))
            .reply("b", Reply::status(429).header("retry-after", "50"));
        balancer.send(ask()).unwrap();
        let (waited, elapsed) = (4 * SECOND, Some(7 * SECOND));
        assert_eq!(ends.take(), [End { waited, elapsed, ..end(Ending::Served, 3, Some("a")) }]);
        assert_eq!(ends.attempts(), [Some(SECOND); 3]);
    });
}

#[test]
fn a_request_that_is_given_up_says_how_long_that_took_and_one_that_asked_nothing_does_not() {
    let clock = MockClock::new();
    let ends = Ends::timed(&clock);
    let pool = two().clock(clock.clone()).observer(ends.clone()).build().unwrap();
    let rng = SeededRng::new(1);
    let mut dispatch = pool.dispatch();
    assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
    clock.advance(2 * SECOND);
    drop(dispatch);
    drop(pool.dispatch());
    let expected =
        [End { elapsed: Some(3 * SECOND), ..end(Ending::Cancelled, 1, None) }, end(Ending::Cancelled, 0, None)];
    assert_eq!(ends.take(), expected);
    assert_eq!(ends.attempts(), [Some(3 * SECOND)]);
}

#[test]
fn nobody_who_does_not_ask_is_told_a_time() {
    let clock = MockClock::new();
    let ends = Ends { wants_time: false, ..Ends::timed(&clock) };
    let pool = two().clock(clock.clone()).observer(ends.clone()).build().unwrap();
    let reads = clock.reads();
    let mut dispatch = pool.dispatch();
    assert!(matches!(dispatch.next(|| pool.now(), &SeededRng::new(1)), Step::Try(_)));
    assert_eq!(dispatch.settle(Outcome::Answered { status: 200, hint: None }, || pool.now()), Verdict::Return);
    drop(dispatch);
    assert_eq!(clock.reads(), reads);
    assert_eq!((ends.take(), ends.attempts()), (vec![end(Ending::Served, 1, Some("a"))], vec![None]));
}

#[test]
fn a_response_has_the_number_that_its_request_has_in_events() {
    let ends = Ends::default();
    let number = |response: &http::Response<bytes::Bytes>| response.extensions().get::<Served>().unwrap().request();
    on_every_drive(
        || {
            ends.finished.lock().unwrap().clear();
            pool_of(&[("a", 1), ("b", 2)]).observer(ends.clone())
        },
        |stage| {
            stage.transport.reply("a", Reply::status(429));
            let numbers = [number(&stage.ask()), number(&stage.ask())];
            assert_eq!(numbers, [Some(1), Some(2)]);
            assert_eq!(*ends.finished.lock().unwrap(), [1, 2]);
        },
    );
    on_every_drive(|| pool_of(&[("a", 1)]), |stage| assert_eq!(number(&stage.ask()), None));
}
