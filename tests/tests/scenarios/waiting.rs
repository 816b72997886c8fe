//! Requests that wait for a cooldown to end instead of being refused.

use std::{future::Future, pin::pin, task::Context, time::Duration};

use futures::task::noop_waker_ref;
use lb_core::{
    Dispatch, Exhausted, Hint, HintSource, Instant, LoadBalancer, Outcome, Pool, PoolBuilder, SeededRng, Served, Step,
    Verdict, Wait, Wishes, test_util::Reply,
};
use lb_tests::stage::{Drive, Stage, ask, ask_once, header, pool_of};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn waiting(backends: &[(&str, u32)], longest: Duration, queue: usize) -> PoolBuilder {
    pool_of(backends).wait(Wait { longest, queue })
}

/// A pool of one, that is out for five seconds, in which up to so many wait for half a minute.
fn out_for_five_seconds(queue: usize) -> Stage {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1)], 30 * SECOND, queue));
    refuse(&stage, &mut stage.pool.dispatch(), 5 * SECOND);
    stage
}

fn next(stage: &Stage, dispatch: &mut Dispatch<&Pool>) -> Step {
    dispatch.next(|| stage.pool.now(), &SeededRng::new(1))
}

fn settle(stage: &Stage, dispatch: &mut Dispatch<&Pool>, status: u16, hint: Option<Duration>) -> Verdict {
    let hint = hint.map(|delay| Hint::new(delay, HintSource::RetryAfterMs));
    dispatch.settle(Outcome::Answered { status, hint }, || stage.pool.now())
}

/// Sends a request, and refuses it with this hint.
fn refuse(stage: &Stage, dispatch: &mut Dispatch<&Pool>, hint: Duration) {
    assert!(matches!(next(stage, dispatch), Step::Try(_)));
    assert_eq!(settle(stage, dispatch, 429, Some(hint)), Verdict::FailOver);
}

/// How long from now a request waits.
fn waits(stage: &Stage, dispatch: &mut Dispatch<&Pool>) -> Duration {
    match next(stage, dispatch) {
        Step::Wait(until) => until.saturating_since(stage.pool.now()),
        other => panic!("it does not wait: {other:?}"),
    }
}

fn refused(stage: &Stage, dispatch: &mut Dispatch<&Pool>) -> Exhausted {
    match next(stage, dispatch) {
        Step::Exhausted(exhausted) => exhausted,
        other => panic!("it is not refused: {other:?}"),
    }
}

#[test]
fn it_waits_until_the_first_backend_is_back_and_goes_there() {
    let stage = out_for_five_seconds(10);
    let mut dispatch = stage.pool.dispatch();
    assert_eq!(waits(&stage, &mut dispatch), 5 * SECOND);
    stage.wait(5 * SECOND - MILLI);
    assert_eq!(waits(&stage, &mut dispatch), MILLI, "asked too early it is the same moment");
    assert_eq!(stage.pool.snapshot().waits.waiting, 1);
    stage.wait(MILLI);
    assert!(matches!(next(&stage, &mut dispatch), Step::Try(_)));
    assert_eq!(dispatch.waited(), 5 * SECOND);
    let waits = stage.pool.snapshot().waits;
    assert_eq!((waits.waiting, waits.begun, waits.waited), (0, 1, 5 * SECOND));
}

#[test]
fn it_waits_for_the_soonest_of_those_that_are_cooling() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1), ("b", 2), ("c", 3)], 30 * SECOND, 9));
    let mut dispatch = stage.pool.dispatch();
    for secs in [9, 4, 6] {
        refuse(&stage, &mut dispatch, secs * SECOND);
    }
    assert_eq!(waits(&stage, &mut dispatch), 4 * SECOND);
    stage.wait(4 * SECOND);
    assert!(matches!(next(&stage, &mut dispatch), Step::Try(attempt) if attempt.slot() == 1));
}

#[test]
fn nobody_waits_where_the_pool_does_not_say_so() {
    let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1)]));
    refuse(&stage, &mut stage.pool.dispatch(), 5 * SECOND);
    assert_eq!(refused(&stage, &mut stage.pool.dispatch()).retry_after(), Some(5 * SECOND));
}

#[test]
fn one_goes_then_two_then_four() {
    let stage = out_for_five_seconds(100);
    let mut dispatches: Vec<_> = (0..15).map(|_| stage.pool.dispatch()).collect();
    let moments: Vec<_> = dispatches.iter_mut().map(|dispatch| waits(&stage, dispatch).as_millis()).collect();
    let steps = [0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3];
    assert_eq!(moments, steps.map(|step| 5_000 + 100 * step));
}

#[test]
fn who_is_refused_again_keeps_its_age() {
    let stage = out_for_five_seconds(100);
    let (mut first, mut second, mut third) = (stage.pool.dispatch(), stage.pool.dispatch(), stage.pool.dispatch());
    for dispatch in [&mut first, &mut second, &mut third] {
        let _ = waits(&stage, dispatch);
    }
    stage.wait(5 * SECOND);
    refuse(&stage, &mut first, 2 * SECOND);
    let mut newcomer = stage.pool.dispatch();
    assert_eq!(waits(&stage, &mut newcomer), 2 * SECOND + 100 * MILLI, "two are older");
    assert_eq!(waits(&stage, &mut first), 2 * SECOND, "it is the oldest");
    assert_eq!(waits(&stage, &mut second), 2 * SECOND + 100 * MILLI);
    assert_eq!(waits(&stage, &mut newcomer), 2 * SECOND + 200 * MILLI, "three are older now");
}

#[test]
fn a_full_queue_refuses_with_the_moment_that_the_next_would_get() {
    let stage = out_for_five_seconds(3);
    let mut dispatches: Vec<_> = (0..3).map(|_| stage.pool.dispatch()).collect();
    for dispatch in &mut dispatches {
        let _ = waits(&stage, dispatch);
    }
    let exhausted = refused(&stage, &mut stage.pool.dispatch());
    assert_eq!(exhausted.retry_after(), Some(5 * SECOND + 200 * MILLI));
    let counted = stage.pool.snapshot().waits;
    assert_eq!((counted.waiting, counted.begun, counted.turned_away), (3, 3, 1));
    // One that goes away makes room, and those behind it move up.
    drop(dispatches.remove(0));
    assert_eq!(waits(&stage, &mut dispatches[0]), 5 * SECOND);
    assert_eq!(waits(&stage, &mut stage.pool.dispatch()), 5 * SECOND + 100 * MILLI);
}

#[test]
fn who_would_wait_too_long_is_refused_at_once() {
    let with = |wishes| {
        let stage = out_for_five_seconds(100);
        let mut dispatch = stage.pool.dispatch_with(wishes).unwrap();
        let step = next(&stage, &mut dispatch);
        matches!(step, Step::Wait(_))
    };
    assert!(with(Wishes::new().within(5 * SECOND)));
    assert!(!with(Wishes::new().within(5 * SECOND - MILLI)));
    assert!(!with(Wishes::new().deadline(Instant::from_nanos(4_999_999_999))));
    assert!(!with(Wishes::new().wait(false)));
    for (longest, is_enough) in [(5 * SECOND, true), (5 * SECOND - MILLI, false)] {
        let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1)], longest, 9));
        refuse(&stage, &mut stage.pool.dispatch(), 5 * SECOND);
        assert_eq!(matches!(next(&stage, &mut stage.pool.dispatch()), Step::Wait(_)), is_enough);
    }
}

#[test]
fn all_waits_of_a_request_together_are_bounded() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1)], 12 * SECOND, 9));
    let mut dispatch = stage.pool.dispatch();
    for _ in 0..2 {
        refuse(&stage, &mut dispatch, 5 * SECOND);
        assert_eq!(waits(&stage, &mut dispatch), 5 * SECOND);
        stage.wait(5 * SECOND);
    }
    refuse(&stage, &mut dispatch, 5 * SECOND);
    let exhausted = refused(&stage, &mut dispatch);
    assert_eq!((exhausted.retry_after(), dispatch.waited()), (Some(5 * SECOND), 10 * SECOND));
    assert_eq!((stage.pool.snapshot().waits.given_up, stage.pool.snapshot().waits.waiting), (1, 0));
}

#[test]
fn every_round_may_ask_every_backend_and_max_attempts_counts_over_all() {
    let pool = waiting(&[("a", 1), ("b", 2)], 30 * SECOND, 9).max_attempts(3);
    let stage = Stage::new(Drive::Blocking, pool);
    let mut dispatch = stage.pool.dispatch();
    for _ in 0..2 {
        refuse(&stage, &mut dispatch, 5 * SECOND);
    }
    assert_eq!(waits(&stage, &mut dispatch), 5 * SECOND);
    stage.wait(5 * SECOND);
    refuse(&stage, &mut dispatch, 5 * SECOND);
    assert_eq!(dispatch.attempts(), 3);
    let _ = refused(&stage, &mut dispatch);
}

#[test]
fn a_request_strikes_a_backend_once_in_all_its_rounds() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1), ("b", 2)], 30 * SECOND, 9));
    let mut dispatch = stage.pool.dispatch();
    for _ in 0..3 {
        refuse(&stage, &mut dispatch, 2 * SECOND);
        assert!(matches!(next(&stage, &mut dispatch), Step::Try(_)));
        assert_eq!(settle(&stage, &mut dispatch, 500, None), Verdict::FailOver);
        assert_eq!(waits(&stage, &mut dispatch), 2 * SECOND);
        stage.wait(2 * SECOND);
    }
    assert_eq!(stage.strikes(), [0, 1]);
}

#[test]
fn nobody_waits_for_a_suspect_nor_where_its_own_prompt_is_the_matter() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1)], 30 * SECOND, 9));
    // Two make it suspect, and a third closes it for a second.
    for _ in 0..3 {
        let mut dispatch = stage.pool.dispatch();
        assert!(matches!(next(&stage, &mut dispatch), Step::Try(_)));
        let _ = settle(&stage, &mut dispatch, 500, None);
    }
    assert_eq!(refused(&stage, &mut stage.pool.dispatch()).suspect(), 1);

    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1), ("b", 2)], 30 * SECOND, 9));
    refuse(&stage, &mut stage.pool.dispatch(), 5 * SECOND);
    let mut dispatch = stage.pool.dispatch();
    assert!(matches!(next(&stage, &mut dispatch), Step::Try(_)));
    let _ = settle(&stage, &mut dispatch, 500, None);
    assert!(matches!(next(&stage, &mut dispatch), Step::ReturnLast(_)));
}

#[test]
fn a_pinned_request_waits_for_its_backend_only() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1), ("b", 1)], 30 * SECOND, 9));
    let pinned = || stage.pool.dispatch_with(Wishes::new().pin("b")).unwrap();
    let mut dispatch = pinned();
    refuse(&stage, &mut dispatch, 5 * SECOND);
    assert_eq!(waits(&stage, &mut dispatch), 5 * SECOND);
    assert_eq!(waits(&stage, &mut pinned()), 5 * SECOND + 100 * MILLI, "a is available, and of no use");
    assert!(matches!(next(&stage, &mut stage.pool.dispatch()), Step::Try(_)));
}

#[test]
fn a_blocking_balancer_sleeps_by_the_clock_and_the_response_says_how_long() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1)], 30 * SECOND, 9));
    stage.transport.reply("a", Reply::status(429).header("retry-after", "7"));
    let response = stage.ask();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!((served.attempts(), served.waited()), (2, 7 * SECOND));
    assert_eq!(stage.transport.discarded().len(), 1, "what was refused is drained before the wait");
}

#[test]
fn an_async_balancer_sleeps_by_the_clock_and_gives_its_place_back_when_dropped() {
    let stage = Stage::new(Drive::Async, waiting(&[("a", 1)], 30 * SECOND, 9));
    let balancer = LoadBalancer::new(&stage.pool, stage.transport.clone());
    let mut context = Context::from_waker(noop_waker_ref());
    for is_dropped in [true, false] {
        stage.transport.reply("a", Reply::status(429).header("retry-after", "7"));
        let mut sent = Box::pin(balancer.send(ask()));
        assert!(sent.as_mut().poll(&mut context).is_pending());
        assert_eq!(stage.pool.snapshot().waits.waiting, 1);
        if is_dropped {
            drop(sent);
            assert_eq!(stage.pool.snapshot().waits.waiting, 0);
            stage.wait_secs(7);
            continue;
        }
        stage.wait_secs(6);
        assert!(sent.as_mut().poll(&mut context).is_pending());
        stage.wait_secs(1);
        let response = pin!(sent).poll(&mut context);
        assert!(matches!(response, std::task::Poll::Ready(Ok(response)) if response.status() == 200));
    }
}

#[test]
fn nothing_is_left_behind_wherever_a_request_is_dropped() {
    let mut ended = false;
    for polls in 0..30 {
        let stage = Stage::new(Drive::Async, waiting(&[("a", 1), ("b", 2)], 30 * SECOND, 9));
        for name in ["a", "b"] {
            stage.transport.reply(name, Reply::status(429).header("retry-after", "2").after_polls(2));
        }
        stage.transport.always("a", Reply::status(200).after_polls(2));
        let balancer = LoadBalancer::new(&stage.pool, stage.transport.clone());
        let mut context = Context::from_waker(noop_waker_ref());
        let mut sent = Box::pin(balancer.send(ask()));
        for _ in 0..polls {
            stage.wait(SECOND / 2);
            ended = sent.as_mut().poll(&mut context).is_ready();
            if ended {
                break;
            }
        }
        drop(sent);
        assert_eq!(stage.pool.snapshot().waits.waiting, 0, "after {polls} polls");
        assert!(["a", "b"].iter().all(|name| stage.counters(name).in_flight == 0), "after {polls} polls");
    }
    assert!(ended, "the last of them was served");
}

#[test]
fn who_waits_for_a_backend_that_is_drained_meanwhile_is_refused() {
    let stage = out_for_five_seconds(9);
    let mut dispatch = stage.pool.dispatch();
    let _ = waits(&stage, &mut dispatch);
    assert!(stage.pool.drain("a"));
    stage.wait(5 * SECOND);
    assert_eq!(refused(&stage, &mut dispatch).drained(), 1);
    assert_eq!((stage.pool.snapshot().waits.waiting, dispatch.waited()), (0, 5 * SECOND));
}

#[test]
fn a_body_that_was_spent_cannot_wait_and_one_that_was_not_can() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1)], 30 * SECOND, 9));
    stage.transport.reply("a", Reply::status(429).header("retry-after", "7"));
    let response = stage.send(ask_once()).unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "retry-after").as_str()), (429, "7"));
    let served = stage.send(ask_once()).unwrap().extensions().get::<Served>().unwrap().waited();
    assert_eq!(served, 7 * SECOND);
}

#[test]
fn who_sleeps_counts_anew_from_the_end_of_the_last_cooldown_though_it_has_ended() {
    let stage = out_for_five_seconds(100);
    let mut dispatches: Vec<_> = (0..4).map(|_| stage.pool.dispatch()).collect();
    for dispatch in &mut dispatches {
        let _ = waits(&stage, dispatch);
    }
    stage.wait(5 * SECOND);
    refuse(&stage, &mut dispatches[0], 150 * MILLI);
    assert_eq!(waits(&stage, &mut dispatches[0]), 150 * MILLI);
    // The fourth was told to come now. The backend is back for 50 ms, but not for it: three are older.
    stage.wait(200 * MILLI);
    assert_eq!(waits(&stage, &mut dispatches[3]), 150 * MILLI);
    assert!(matches!(next(&stage, &mut dispatches[0]), Step::Try(_)));
    stage.wait(150 * MILLI);
    assert!(matches!(next(&stage, &mut dispatches[3]), Step::Try(_)));
}

#[test]
fn who_comes_anew_goes_behind_those_who_wait() {
    let stage = out_for_five_seconds(2);
    let (mut first, mut too_early) = (stage.pool.dispatch(), stage.pool.dispatch());
    let _ = waits(&stage, &mut first);
    stage.wait(5 * SECOND);
    let mut second = stage.pool.dispatch();
    assert_eq!(waits(&stage, &mut second), 100 * MILLI, "the backend is back, but one is older");
    // There are two places: who comes third cannot be told to wait, and goes where it can.
    assert!(matches!(next(&stage, &mut stage.pool.dispatch()), Step::Try(_)));
    // Nor can who may not wait, or not for so long; and who began before anybody waited does not look.
    for wishes in [Wishes::new().wait(false), Wishes::new().within(99 * MILLI)] {
        let mut dispatch = stage.pool.dispatch_with(wishes).unwrap();
        assert!(matches!(next(&stage, &mut dispatch), Step::Try(_)));
    }
    assert!(matches!(next(&stage, &mut too_early), Step::Try(_)));
    drop(first);
    assert!(matches!(next(&stage, &mut second), Step::Try(_)), "nobody is older any more");
    assert_eq!(stage.pool.snapshot().waits.turned_away, 0);
}

#[test]
fn who_comes_anew_takes_a_backend_that_has_been_back_for_long_enough() {
    let stage = Stage::new(Drive::Blocking, waiting(&[("a", 1), ("b", 2)], 30 * SECOND, 9));
    let mut dispatch = stage.pool.dispatch();
    refuse(&stage, &mut dispatch, 5 * SECOND);
    refuse(&stage, &mut dispatch, SECOND);
    let _ = waits(&stage, &mut dispatch);
    stage.wait(SECOND + 99 * MILLI);
    assert_eq!(waits(&stage, &mut stage.pool.dispatch()), MILLI);
    stage.wait(MILLI);
    match next(&stage, &mut stage.pool.dispatch()) {
        Step::Try(attempt) => assert_eq!(stage.pool.target(&attempt).backend().name(), "b"),
        other => panic!("{other:?}"),
    }
}
