//! What a request may wish: a deadline, a pin, a timeout of its head; and what a pool says of late failures and of paths.

use std::{future::Future, pin::pin, sync::Arc, task::Context, time::Duration};

use futures::task::noop_waker_ref;
use http::Request;
use lb_core::{
    Backend, BlockingLoadBalancer, Error, Exhausted, Fault, Instant, LoadBalancer, Outcome, Pool, SeededRng, Served,
    ServedBy, State, Step, Verdict, WishError, Wishes,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::{
    journal::Journal,
    stage::{Drive, Stage, ask, header, host, on_every_drive, pool_of},
};

const SECOND: Duration = Duration::from_secs(1);

fn wishing(wishes: Wishes) -> Request<bytes::Bytes> {
    let mut request = ask();
    request.extensions_mut().insert(wishes);
    request
}

fn at(path: &str) -> Request<bytes::Bytes> {
    Request::get(path).body(bytes::Bytes::new()).unwrap()
}

fn status(status: u16) -> Outcome {
    Outcome::Answered { status, hint: None }
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    for (wishes, passes, goes_on) in [
        (Wishes::new().within(2 * SECOND), 2 * SECOND - Duration::from_nanos(1), true),
        (Wishes::new().within(2 * SECOND), 2 * SECOND, false),
        (Wishes::new().within(9 * SECOND).deadline(Instant::from_nanos(3_000_000_000)), 3 * SECOND, false),
        (Wishes::new().within(2 * SECOND).deadline(Instant::from_nanos(3_000_000_000)), 2 * SECOND, false),
    ] {
        let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1), ("b", 2)]));
        let (now, rng) = (|| stage.pool.now(), SeededRng::new(1));
        let mut dispatch = stage.pool.dispatch_with(wishes).unwrap();
        let Step::Try(_) = dispatch.next(now, &rng) else { panic!("it is early") };
        stage.wait(passes);
        assert_eq!(dispatch.settle(status(500), now), Verdict::FailOver);
        let step = dispatch.next(now, &rng);
        match goes_on {
            true => assert!(matches!(step, Step::Try(_))),
            false => assert!(matches!(step, Step::ReturnLast(exhausted) if exhausted.is_late())),
        }
    }
}

#[test]
fn a_deadline_that_has_passed_is_a_refusal_that_says_so() {
    on_every_drive(
        || pool_of(&[("a", 1)]),
        |stage| {
            stage.wait(5 * SECOND);
            let request = || wishing(Wishes::new().deadline(Instant::from_nanos(4_000_000_000)));
            let response = stage.send(request()).unwrap();
            assert_eq!(response.status(), 503);
            assert!(String::from_utf8_lossy(response.body()).contains("the deadline of the request has passed"));
            assert!(response.extensions().get::<Exhausted>().unwrap().is_late());
            assert!(matches!(stage.try_send(request()), Err(Error::Exhausted(exhausted)) if exhausted.is_late()));
            assert!(stage.asked().is_empty());
        },
    );
}

#[test]
fn a_pools_deadline_is_everybodys_and_a_request_may_wish_an_earlier_one() {
    let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1), ("b", 2)]).deadline(4 * SECOND));
    let (now, rng) = (|| stage.pool.now(), SeededRng::new(1));
    for (wishes, passes) in
        [(Wishes::new(), 4), (Wishes::new().within(9 * SECOND), 4), (Wishes::new().within(SECOND), 1)]
    {
        for early in [0, 1] {
            let mut dispatch = stage.pool.dispatch_with(wishes.clone()).unwrap();
            let Step::Try(_) = dispatch.next(now, &rng) else { panic!("it is early") };
            stage.wait(passes * SECOND - Duration::from_nanos(early));
            let _ = dispatch.settle(Outcome::Faulted(Fault::Unprocessed), now);
            assert_eq!(matches!(dispatch.next(now, &rng), Step::Try(_)), early == 1);
        }
    }
}

#[test]
fn a_late_failure_is_returned_where_the_request_may_have_been_executed() {
    let pool = || pool_of(&[("a", 1), ("b", 2)]).fail_over_within(10 * SECOND).fail_over_after_send(true);
    for (outcome, is_returned_late) in [
        (status(500), true),
        (status(504), true),
        (status(408), true),
        (Outcome::Faulted(Fault::Timeout), true),
        (Outcome::Faulted(Fault::Reset), true),
        (status(429), false),
        (Outcome::Faulted(Fault::Connect), false),
        (Outcome::Faulted(Fault::ConnectTimeout), false),
        (Outcome::Faulted(Fault::Unprocessed), false),
        (Outcome::Faulted(Fault::Credential), false),
    ] {
        for (took, is_late) in [(10 * SECOND - Duration::from_nanos(1), false), (10 * SECOND, true)] {
            let journal = Journal::new();
            let stage = Stage::new(Drive::Blocking, pool().observer(journal.clone()));
            let mut dispatch = stage.pool.dispatch();
            let Step::Try(_) = dispatch.next(|| stage.pool.now(), &SeededRng::new(1)) else { panic!("it is there") };
            stage.wait(took);
            let verdict = dispatch.settle(outcome, || stage.pool.now());
            let is_returned = is_late && is_returned_late;
            assert_eq!(verdict == Verdict::Return, is_returned, "{outcome:?} after {took:?}");
            let told = journal.lines().iter().any(|line| line.starts_with("not repeated a"));
            assert_eq!(told, is_returned, "{:?}", journal.lines());
            let strikes = u32::from(
                matches!(outcome, Outcome::Faulted(Fault::Timeout | Fault::Reset))
                    || outcome == status(500)
                    || outcome == status(504)
                    || outcome == status(408),
            );
            assert_eq!(stage.strikes()[0], strikes, "it says the same about the backend: {outcome:?}");
        }
    }
}

#[test]
fn a_pinned_request_gets_its_backends_own_answer() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 1), ("c", 2)]),
        |stage| {
            for reply in [429, 500, 404, 200] {
                let reply = Reply::status(reply).header("x-own", "c").header("retry-after-ms", "1500");
                stage.transport.reply("c", reply.clone());
                let response = stage.send(wishing(Wishes::new().pin("c"))).unwrap();
                assert_eq!(header(&response, "x-own"), "c", "{reply:?}");
                assert_eq!(header(&response, "retry-after-ms"), "1500");
                assert_eq!(response.extensions().get::<Served>().unwrap().backend(), "c");
                stage.wait_secs(2);
            }
            assert_eq!(stage.asked(), ["c"; 4]);
        },
    );
}

#[test]
fn a_pin_does_not_ask_a_backend_that_is_cooling_or_drained() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 1)]),
        |stage| {
            stage.transport.reply("b", Reply::status(429).header("retry-after", "7"));
            let pinned = || wishing(Wishes::new().pin("b"));
            let _ = stage.send(pinned());
            let refusal = stage.send(pinned()).unwrap();
            assert_eq!((refusal.status().as_u16(), header(&refusal, "retry-after").as_str()), (429, "7"));
            let exhausted = refusal.extensions().get::<Exhausted>().unwrap();
            assert_eq!((exhausted.backends(), exhausted.unavailable()[0].backend()), (1, "b"));
            stage.wait_secs(7);
            assert!(stage.pool.drain("b"));
            let refusal = stage.send(pinned()).unwrap();
            assert_eq!((refusal.status().as_u16(), refusal.headers().get("retry-after")), (503, None));
            assert_eq!(stage.asked(), ["b"]);
        },
    );
}

#[test]
fn a_pinned_request_reaches_a_suspect_and_heals_it() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            for _ in 0..2 {
                stage.transport.reply("b", Reply::status(500));
                assert_eq!(stage.send(wishing(Wishes::new().pin("b"))).unwrap().status(), 500);
            }
            assert!(matches!(stage.state("b"), State::Suspect { .. }));
            stage.wait_secs(1);
            assert_eq!(stage.send(wishing(Wishes::new().pin("b"))).unwrap().status(), 200);
            assert_eq!(stage.state("b"), State::Available);
        },
    );
}

#[test]
fn a_resource_is_all_backends_with_one_origin_and_prefix() {
    let backend = |name: &str, endpoint: &str, priority| {
        Backend::builder(endpoint).name(name).priority(priority).deployment(name).build().unwrap()
    };
    let pool = || {
        Pool::builder().backends([
            backend("eu-1", "https://eu.example", 1),
            backend("us-1", "https://us.example", 1),
            backend("eu-2", "https://EU.example:443/", 2),
            backend("eu-team", "https://eu.example/team", 1),
        ])
    };
    on_every_drive(pool, |stage| {
        stage.transport.reply("eu-1", Reply::status(500)).reply("eu-2", Reply::status(500).header("x-own", "eu-2"));
        let response = stage.send(wishing(Wishes::new().pin_resource("eu-2"))).unwrap();
        assert_eq!(header(&response, "x-own"), "eu-2", "it fails over inside the resource, and gets the last answer");
        assert_eq!(stage.asked(), ["eu-1", "eu-2"]);
    });
}

#[test]
fn a_pin_to_nobody_is_an_error_and_nothing_is_sent() {
    on_every_drive(
        || pool_of(&[("a", 1)]),
        |stage| {
            let error = stage.send(wishing(Wishes::new().pin("b"))).unwrap_err();
            assert!(matches!(&error, Error::Wish(WishError::UnknownBackend(name)) if &**name == "b"), "{error:?}");
            assert!(error.to_string().contains("backend b"));
            assert!(stage.asked().is_empty());
        },
    );
}

#[test]
fn a_request_on_a_stateful_path_stays_where_it_was_sent_if_the_pool_guards_it() {
    for (path, is_stateful) in [
        ("/openai/v1/responses/resp_1", true),
        ("/openai/files/file-1/content?api-version=1", true),
        ("/openai/v1/vector_stores/vs_1/files", true),
        ("/openai/threads/t_1/runs", true),
        ("/openai/v1/responses", false),
        ("/openai/v1/files/", false),
        ("/openai/v1/files", false),
        ("/openai/deployments/files/chat/completions", false),
        ("/openai/v1/chat/completions", false),
    ] {
        for guards in [false, true] {
            on_every_drive(
                || pool_of(&[("a", 1), ("b", 2)]).guard_stateful_paths(guards),
                |stage| {
                    stage.transport.reply("a", Reply::status(500));
                    let stays = guards && is_stateful;
                    assert_eq!(
                        stage.send(at(path)).unwrap().status().as_u16(),
                        if stays { 500 } else { 200 },
                        "{path}"
                    );
                    assert_eq!(stage.asked().len(), if stays { 1 } else { 2 }, "{path}");
                },
            );
        }
    }
}

#[test]
fn a_head_that_does_not_come_in_time_is_a_timeout() {
    for opted_in in [false, true] {
        let pool = pool_of(&[("a", 1), ("b", 2)]).fail_over_after_send(opted_in);
        let stage = Stage::new(Drive::Async, pool);
        let balancer = LoadBalancer::new(&stage.pool, stage.transport.clone());
        stage.transport.reply("a", Reply::never());
        let mut context = Context::from_waker(noop_waker_ref());
        let mut sent = pin!(balancer.send_with(ask(), Wishes::new().head_timeout(3 * SECOND)));
        assert!(sent.as_mut().poll(&mut context).is_pending());
        stage.wait(3 * SECOND - Duration::from_nanos(1));
        assert!(sent.as_mut().poll(&mut context).is_pending());
        stage.wait(Duration::from_nanos(1));
        let std::task::Poll::Ready(answer) = sent.as_mut().poll(&mut context) else { panic!("it is not over") };
        match (opted_in, answer) {
            (true, answer) => assert_eq!(answer.unwrap().status(), 200),
            (false, Err(Error::HeadTimeout { backend, after })) => {
                assert_eq!((backend.as_str(), after), ("a", 3 * SECOND))
            }
            (false, other) => panic!("{other:?}"),
        }
        assert_eq!((stage.strikes()[0], stage.counters("a").faults, stage.counters("a").in_flight), (1, 1, 0));
    }
}

#[test]
fn a_blocking_balancer_says_that_it_has_no_head_timeout() {
    let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1)]));
    let error = stage.send(wishing(Wishes::new().head_timeout(SECOND))).unwrap_err();
    assert!(matches!(error, Error::Wish(WishError::HeadTimeoutWhileBlocking)), "{error:?}");
    assert!(stage.asked().is_empty());
}

#[test]
fn an_argument_fills_in_what_the_request_does_not_wish_itself() {
    let transport = ScriptedTransport::new();
    let backends = ["a", "b"].map(|name| host(name, 1).build().unwrap());
    let pool = Arc::new(Pool::new(backends).unwrap());
    let balancer = BlockingLoadBalancer::new(&pool, transport.clone());
    let served_by = ServedBy::new();
    let argument = || Wishes::new().pin("a").tell(&served_by);
    balancer.send_with(wishing(Wishes::new().pin("b")), argument()).unwrap();
    assert_eq!(served_by.get().unwrap().backend(), "b");
    balancer.try_send_with(ask(), argument()).unwrap();
    assert_eq!(served_by.get().unwrap().backend(), "a");
    let sent = transport.requests();
    assert!(sent.iter().all(|sent| sent.request.headers().is_empty()), "no wish is a header");
}

#[test]
fn a_dispatch_that_ends_while_a_panic_unwinds_reads_no_clock_and_leaks_nothing() {
    let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1)]).stalled_after(SECOND));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut dispatch = stage.pool.dispatch();
        let _ = dispatch.next(|| stage.pool.now(), &SeededRng::new(1));
        stage.wait(2 * SECOND);
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    let counters = stage.counters("a");
    assert_eq!((counters.cancelled, counters.in_flight, stage.strikes()), (1, 0, vec![0]));
}
