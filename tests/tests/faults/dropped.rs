//! Callers that give up: timeouts in Rust are dropped futures.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use lb_core::{Pool, Reason};

use crate::{
    RUNTIME,
    answer::Answer,
    pool::{PROBE_AFTER, counters, is_available, pool, suspect},
    reply::Reply,
    server::{Behaviour, Server},
    stack::{AsyncStack, Failure, Settings},
};

/// What callers wait, on the pool's clock.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn a_backend_that_never_answers_is_found_by_callers_that_give_up<S: AsyncStack>() {
    for b2_priority in [1, 2] {
        let stack = S::new(Settings::patient(S::PROTOCOL));
        let (b1, b2) =
            (Server::start(S::PROTOCOL, Behaviour::NeverAnswers), Server::start(S::PROTOCOL, Behaviour::Serves));
        let (pool, clock) =
            pool([("b1", b1.url(), 1), ("b2", b2.url(), b2_priority)], |options| options.stalled_after(PATIENCE));
        let mut sent = 0;
        let mut given_up = |requests: usize| {
            let mut given_up = 0;
            for _ in 0..requests {
                sent += 1;
                // From before it is sent.
                let another_request = b1.another_request();
                let stalls = async {
                    another_request.await;
                    clock.advance(PATIENCE);
                };
                match stack.send_until(&pool, &format!("request {sent}"), stalls) {
                    Some(result) => assert_eq!(result.unwrap(), 200),
                    None => given_up += 1,
                }
            }
            given_up
        };
        let two = given_up(100);
        assert!(two <= 2, "{two} gave up");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Stalled));
        clock.advance(PROBE_AFTER);
        assert_eq!(given_up(10), 1, "one probe came due");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Stalled));

        let (one, two) = (counters(&pool, "b1"), counters(&pool, "b2"));
        assert_eq!((one.attempts, one.in_flight), (one.cancelled, 0), "{one:?}");
        assert_eq!(one.attempts, b1.received() as u64);
        assert_eq!((two.attempts, two.successes), (b2.received() as u64, b2.received() as u64), "{two:?}");
        assert_eq!((b1.repeated(), b2.repeated()), (0, 0));
    }
}

/// Drops a request after no poll, after one, and so on, until one is served. Which of them fall into an attempt is up to
/// the machine, so that it may take another go.
pub fn a_request_that_is_dropped_at_any_poll_blames_nobody<S: AsyncStack>() {
    static REFUSAL: Answer = Answer { status: 429, headers: &[("retry-after", b"0")], ..Answer::OK };
    let protocol = <S as AsyncStack>::PROTOCOL;
    let stack = <S as AsyncStack>::new(Settings::patient(protocol));
    // `b1` refuses, so that there are two attempts to be dropped in.
    let (b1, b2) = (Server::start(protocol, Behaviour::Answers(&REFUSAL)), Server::start(protocol, Behaviour::Serves));
    let (pool, _) = pool([("b1", b1.url(), 1), ("b2", b2.url(), 2)], |options| options);
    let cancelled = || counters(&pool, "b1").cancelled + counters(&pool, "b2").cancelled;
    let has_hit = (0..20).any(|go| {
        let served = (0..1_000).find_map(|polls| {
            let result = send_with_polls(&stack, &pool, &format!("request {go}.{polls}"), polls);
            let (one, two) = (counters(&pool, "b1"), counters(&pool, "b2"));
            assert_eq!((one.in_flight, two.in_flight), (0, 0), "after {polls} polls");
            assert_eq!((one.attempts, two.attempts), (one.throttles + one.cancelled, two.successes + two.cancelled));
            assert!(is_available(&pool, "b1") && is_available(&pool, "b2"), "{polls} polls: {:?}", pool.snapshot());
            result
        });
        assert_eq!(served.expect("it ends").unwrap().status, 200);
        cancelled() > 0
    });
    assert!(has_hit, "no attempt was dropped");
    assert_eq!((b1.repeated(), b2.repeated()), (0, 0));
}

/// What comes of so many polls, before the future is dropped.
fn send_with_polls<S: AsyncStack>(
    stack: &S,
    pool: &Arc<Pool>,
    id: &str,
    polls: usize,
) -> Option<Result<Reply, Failure>> {
    RUNTIME.block_on(async {
        let mut sending = stack.sending(pool, id);
        let mut left = polls;
        poll_fn(|context| match left.checked_sub(1) {
            None => Poll::Ready(None),
            Some(fewer) => {
                left = fewer;
                sending.as_mut().poll(context).map(Some)
            }
        })
        .await
    })
}
