//! Who is asked, when another is asked, and what the caller gets when nobody is left.

use std::time::Duration;

use lb_core::{Fault, Reason, StatusAction};

use crate::{
    protocol::Protocol,
    stack::{Call, Failure, Stack, assert_counted, backend, cooling, pool, pool_with, snapshot},
    upstream::{Answer, Upstream},
};

const SECOND: Duration = Duration::from_secs(1);

pub fn the_best_priority_serves_and_says_so<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (best, other) = (stack.upstream("best"), stack.upstream("other"));
    let (pool, _) = pool([backend(&other, 2), backend(&best, 1)]);
    for _ in 0..3 {
        let reply = stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(reply.served(), ("best", 1));
        assert_eq!(reply.exhausted, None);
        assert_eq!(reply.text(), "best");
    }
    assert_eq!((best.received().len(), other.received().len()), (3, 0));
    assert_counted(&pool, &best);
}

pub fn equal_priorities_share_by_weight<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (heavy, light) = (stack.upstream("heavy"), stack.upstream("light"));
    let (pool, _) = pool([backend(&heavy, 1).weight(3), backend(&light, 1)]);
    for _ in 0..60 {
        stack.send(&pool, Call::chat()).unwrap().text();
    }
    // 45 on the mean; five standard deviations of a binomial with n = 60 and p = 3/4 are 17.
    let heavy = heavy.received().len();
    assert!((28..60).contains(&heavy), "{heavy} of 60");
    assert_eq!(light.received().len(), 60 - heavy);
}

pub fn a_429_fails_over_at_once_and_is_remembered<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, clock) = pool([backend(&first, 1), backend(&second, 2)]);
    first.script(Answer::throttled(7).body("slow down"));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 2));
    assert_eq!(cooling(&pool, "first"), Some(7 * SECOND));

    clock.advance(7 * SECOND - Duration::from_nanos(1));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 1));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("first", 1));
    assert_counted(&pool, &first);
    assert_counted(&pool, &second);
}

pub fn a_5xx_fails_over_and_a_second_in_a_row_makes_suspect<S: Stack>(protocol: Protocol) {
    for status in [500, 502, 503, 504, 529] {
        let stack = S::new(protocol);
        let (first, second) = (stack.upstream("first"), stack.upstream("second"));
        let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
        for (strikes, out) in [(1, None), (0, Some(10 * SECOND))] {
            first.script(Answer::status(status).header("apim-request-id", "id-1").header("x-request-id", "id-2"));
            assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 2), "{status}");
            let first = snapshot(&pool, "first");
            assert_eq!((first.strikes, first.state.remaining()), (strikes, out), "{status}");
            assert_eq!(first.last_failure.unwrap().request_id(), Some("id-1"), "{status}");
        }
        assert_eq!(snapshot(&pool, "first").counters.server_errors, 2, "{status}");
    }
}

pub fn other_4xx_are_returned_and_cool_nobody<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    for status in [400, 401, 403, 404, 413, 422] {
        first.script(Answer::status(status).header("retry-after", "60").body("why"));
        let reply = stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(reply.status, status);
        reply.assert_refused_by::<S>(&pool, "first", 1);
        assert_eq!(reply.text(), "why");
        assert_eq!(cooling(&pool, "first"), None, "{status}");
    }
    assert!(second.received().is_empty());
    assert_counted(&pool, &first);
}

pub fn an_added_status_fails_over<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) = pool_with([backend(&first, 1), backend(&second, 2)], |pool| {
        pool.on_status(404, StatusAction::FailOver).on_status(403, StatusAction::FailOverAndCool)
    });
    for (status, out) in [(404, None), (403, Some(300 * SECOND))] {
        first.script(Answer::status(status).header("retry-after", "300"));
        assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 2));
        assert_eq!(cooling(&pool, "first"), out, "{status}");
    }
}

pub fn every_form_of_hint_sets_the_cooldown<S: Stack>(protocol: Protocol) {
    let reset = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m30s")];
    let dates = [("date", "Sun, 22 Nov 2026 12:00:00 GMT"), ("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT")];
    let forms: [(&[(&str, &str)], Duration); 6] = [
        (&[("retry-after", "5")], 5 * SECOND),
        (&[("retry-after-ms", "250"), ("retry-after", "1")], SECOND / 4),
        (&[("x-ms-retry-after-ms", "1500")], SECOND * 3 / 2),
        (&dates, 30 * SECOND),
        (&reset, 90 * SECOND),
        (&[], 10 * SECOND),
    ];
    for (headers, expected) in forms {
        let stack = S::new(protocol);
        let (first, second) = (stack.upstream("first"), stack.upstream("second"));
        let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
        let answer = headers.iter().fold(Answer::status(429), |answer, (name, value)| answer.header(name, value));
        first.script(answer);
        stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(cooling(&pool, "first"), Some(expected), "{headers:?}");
    }
}

pub fn a_hint_of_zero_takes_a_backend_out_of_this_request_only<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    first.script(Answer::throttled(0));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 2));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("first", 1));
}

pub fn exhaustion_is_a_429_with_the_soonest_hint<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = [(44, "a"), (4, "b"), (7, "c")].map(|(secs, name)| {
        let upstream = stack.upstream(name);
        upstream.always(Answer::throttled(secs));
        upstream
    });
    let (pool, clock) = pool(upstreams.iter().map(|upstream| backend(upstream, 1)));
    for attempts in [3, 0] {
        let reply = stack.send(&pool, Call::chat()).unwrap();
        reply.assert_exhausted::<S>(4 * SECOND);
        assert_eq!(reply.header("retry-after"), Some("4"));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        if let Some(url) = &reply.url {
            assert_eq!(*url, Call::chat().url(), "a synthesised response has the caller's URL");
        }
        let body: serde_json::Value = serde_json::from_slice(&reply.body()).unwrap();
        assert_eq!(body["error"]["code"], "rate_limit_exceeded");
        assert_eq!(body["error"]["type"], "rate_limit_error");
        assert!(body["error"]["message"].is_string() && body["error"]["param"].is_null());
        let received: usize = upstreams.iter().map(|upstream| upstream.received().len()).sum();
        assert_eq!(received, 3, "attempts of the second request: {attempts}");
    }
    clock.advance(4 * SECOND);
    upstreams[1].always(Answer::status(200));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("b", 1));
}

pub fn exhaustion_is_a_typed_value_for_those_who_ask<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    only.script(Answer::throttled(9));
    let (pool, _) = pool([backend(&only, 1)]);
    if !S::HAS_TRY_SEND {
        stack.send(&pool, Call::chat()).unwrap().assert_exhausted::<S>(9 * SECOND);
        return;
    }
    match stack.try_send(&pool, Call::chat()) {
        Err(Failure::Exhausted(exhausted)) => assert_eq!(exhausted.retry_after(), Some(9 * SECOND)),
        other => panic!("expected exhaustion, got {other:?}"),
    }
}

pub fn without_a_429_the_final_answer_is_returned_as_it_came<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.always(Answer::status(500).body("first is broken"));
    second.always(Answer::status(503).header("x-why", "busy").body("second is busy"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let reply = stack.send(&pool, Call::chat()).unwrap();
    assert_eq!(reply.status, 503);
    reply.assert_refused_by::<S>(&pool, "second", 2);
    assert_eq!(reply.header("x-why"), Some("busy"));
    assert_eq!(reply.text(), "second is busy");
}

pub fn a_refusal_is_a_503_where_nobody_is_throttled<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    only.always(Answer::status(503).header("retry-after", "9"));
    let (pool, _) = pool([backend(&only, 1)]);
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().header("retry-after-ms"), None, "the backend's own");
    let reply = stack.send(&pool, Call::chat()).unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("9")));
    let body: serde_json::Value = serde_json::from_slice(&reply.body()).unwrap();
    assert_eq!(
        (&body["error"]["code"], &body["error"]["type"]),
        (&"service_unavailable".into(), &"server_error".into())
    );
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("cooling after status 503 (only)"), "{message}");
}

pub fn a_backends_own_key_that_is_refused_fails_over<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) = pool([backend(&first, 1).api_key("first"), backend(&second, 2).api_key("second")]);
    first.always(Answer::status(401));
    for attempts in [2, 2, 1] {
        assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", attempts));
    }
    assert_eq!(cooling(&pool, "first"), Some(10 * SECOND));
}

pub fn a_prompt_that_nobody_takes_takes_nobody_out<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    for upstream in [&first, &second] {
        upstream.script(Answer::status(429).header("retry-after", "86400").body("larger than the quota"));
    }
    let reply = stack.send(&pool, Call::chat()).unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("86400")));
    reply.assert_refused_by::<S>(&pool, "second", 2);
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("first", 1));
}

pub fn one_429_among_the_answers_makes_exhaustion_a_429<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.always(Answer::throttled(3));
    second.always(Answer::status(503).body("busy"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let reply = stack.send(&pool, Call::chat()).unwrap();
    // The second was struck, and can be asked again.
    reply.assert_exhausted::<S>(SECOND);
}

pub fn a_pool_can_always_synthesise<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    only.always(Answer::status(500));
    let (pool, _) = pool_with([backend(&only, 1)], |pool| pool.always_synthesize(true));
    let reply = stack.send(&pool, Call::chat()).unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
}

pub fn attempts_end_at_their_maximum<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["a", "b", "c"].map(|name| {
        let upstream = stack.upstream(name);
        upstream.always(Answer::throttled(60));
        upstream
    });
    let backends = upstreams.iter().zip(1..).map(|(upstream, priority)| backend(upstream, priority));
    let (pool, _) = pool_with(backends, |pool| pool.max_attempts(2));
    let reply = stack.send(&pool, Call::chat()).unwrap();
    assert_eq!(reply.header("retry-after"), Some("1"), "the third backend is available");
    assert_eq!(upstreams.each_ref().map(|upstream| upstream.received().len()), [1, 1, 0]);
}

pub fn a_refused_connection_fails_over<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (dead, alive) = (stack.upstream("dead"), stack.upstream("alive"));
    dead.refuse_connections();
    let (pool, _) = pool([backend(&dead, 1), backend(&alive, 2)]);
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("alive", 2));
    assert_eq!(cooling(&pool, "dead"), Some(10 * SECOND));
    assert_eq!(snapshot(&pool, "dead").counters.faults, 1);
    let cause = snapshot(&pool, "dead").last_failure.unwrap();
    let text = cause.text().unwrap().to_lowercase();
    assert!(matches!(cause.reason(), Reason::Fault(Fault::Connect)), "{cause}");
    assert!(text.contains("connect") && !text.contains("://") && !text.contains("api-version"), "{text}");
}

pub fn the_last_connect_fault_is_the_callers<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (broken, dead) = (stack.upstream("broken"), stack.upstream("dead"));
    broken.always(Answer::status(500));
    dead.refuse_connections();
    let (pool, _) = pool([backend(&broken, 1), backend(&dead, 2)]);
    match stack.send(&pool, Call::chat()) {
        Err(Failure::Transport(Fault::Connect)) => {}
        other => panic!("expected a connect fault, got {other:?}"),
    }
}

macro_rules! failover {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            failover,
            [
                the_best_priority_serves_and_says_so,
                equal_priorities_share_by_weight,
                a_429_fails_over_at_once_and_is_remembered,
                a_5xx_fails_over_and_a_second_in_a_row_makes_suspect,
                other_4xx_are_returned_and_cool_nobody,
                an_added_status_fails_over,
                every_form_of_hint_sets_the_cooldown,
                a_hint_of_zero_takes_a_backend_out_of_this_request_only,
                exhaustion_is_a_429_with_the_soonest_hint,
                exhaustion_is_a_typed_value_for_those_who_ask,
                without_a_429_the_final_answer_is_returned_as_it_came,
                one_429_among_the_answers_makes_exhaustion_a_429,
                a_refusal_is_a_503_where_nobody_is_throttled,
                a_backends_own_key_that_is_refused_fails_over,
                a_prompt_that_nobody_takes_takes_nobody_out,
                a_pool_can_always_synthesise,
                attempts_end_at_their_maximum,
                a_refused_connection_fails_over,
                the_last_connect_fault_is_the_callers,
            ]
        );
    };
}
pub(crate) use failover;
