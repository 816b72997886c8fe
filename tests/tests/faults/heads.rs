//! Heads that are odd, large or hostile.

use std::time::Duration;

use lb_core::Fault;

use crate::{
    answer::Answer,
    pool::{PROBE_AFTER, canary, cooling, counters},
    scene::Scene,
    server::Behaviour,
    stack::{Protocol, Settings, Stack, with_timeouts},
};

pub fn informational_answers_are_skipped<S: Stack>() {
    const fn after(code: u16, times: usize) -> Answer {
        Answer { before: (code, times), body: (b"x", 3), ..Answer::OK }
    }
    static ANSWERS: [Answer; 4] = [after(100, 1), after(102, 1), after(103, 1), after(103, 20)];
    for answer in &ANSWERS {
        let scene = Scene::<S>::new(Behaviour::Answers(answer));
        let reply = scene.fetch("a request").unwrap();
        assert_eq!(reply.status, 200, "{:?}", answer.before);
        assert_eq!(reply.read().bytes, b"xxx", "{:?}", answer.before);
        assert_eq!((scene.b1.received(), scene.b2.received(), scene.strikes()), (1, 0, 0));
        scene.check_at_rest();
    }
}

pub fn informational_answers_without_end_are_a_timeout<S: Stack>() {
    // In HTTP/2 all that can be written at once: then nothing comes.
    static FLOOD: Answer = Answer { before: (103, 100_000), status: 103, ..Answer::OK };
    with_timeouts(|answer| {
        let settings = Settings { answer, ..Settings::patient(S::PROTOCOL) };
        let scene = Scene::<S>::with(settings, Behaviour::Answers(&FLOOD), |options| options);
        let found = scene.fetch("a request").map(|reply| reply.status);
        (scene.b1.received() == 1).then(|| {
            // Some count them, and call it an end.
            assert!(matches!(found, Err(Fault::Timeout | Fault::Reset)), "{found:?}");
            assert_eq!((scene.b1.received(), scene.b2.received(), scene.strikes()), (1, 0, 1));
            scene.check_at_rest();
        })
    });
}

pub fn ten_thousand_headers_are_bounded_work<S: Stack>() {
    static MANY: Answer = Answer { headers: &[("x-many", b"1")], times: 10_000, ..Answer::OK };
    let scene = Scene::<S>::new(Behaviour::Answers(&MANY));
    let found = scene.fetch("a request").map(|reply| reply.status);
    assert_eq!(found, Err(Fault::Reset));
    assert_eq!((scene.b1.received(), scene.b2.received(), scene.strikes()), (1, 0, 1));
    scene.check_at_rest();
}

pub fn ninety_hints_are_one<S: Stack>() {
    static HINTS: Answer = Answer { status: 429, headers: &[("retry-after", b"7")], times: 90, ..Answer::OK };
    let scene = Scene::<S>::new(Behaviour::Answers(&HINTS));
    assert_eq!(scene.fetch("a request").unwrap().status, 200);
    assert_eq!(cooling(&scene.pool, "b1"), Some(Duration::from_secs(7)));
    assert_eq!((scene.b1.received(), scene.b2.received()), (1, 1));
    scene.check_at_rest();
}

pub fn bytes_that_are_no_text_are_passed_through<S: Stack>() {
    const HEADERS: &[(&str, &[u8])] = &[("x-name", b"caf\xe9"), ("retry-after", b"\xb2")];
    static NO_TEXT: Answer = Answer { reason: b"d\xe9j\xe0 vu", headers: HEADERS, ..Answer::OK };
    let scene = Scene::<S>::new(Behaviour::Answers(&NO_TEXT));
    let reply = scene.fetch("a request").unwrap();
    assert_eq!(reply.status, 200);
    match reply.header("x-name") {
        Some(value) if S::HEADERS_ARE_BYTES => assert_eq!(value, b"caf\xe9"),
        other => assert!(!S::HEADERS_ARE_BYTES, "{other:?}"),
    }
    assert_eq!((scene.b1.received(), scene.b2.received()), (1, 0));

    // What is no number is no hint.
    static REFUSAL: Answer = Answer { status: 429, ..NO_TEXT };
    scene.b1.turn(Behaviour::Answers(&REFUSAL));
    assert_eq!(scene.fetch("another").unwrap().status, 200);
    assert_eq!(cooling(&scene.pool, "b1"), Some(Duration::from_secs(10)));
    assert_eq!((scene.b1.received(), scene.b2.received()), (2, 1));
    scene.check_at_rest();
}

pub fn what_a_backend_sets_stays_with_it<S: Stack>() {
    // `Connection` and what it names is malformed in HTTP/2 (RFC 9113, 8.2.2): there it is left out.
    const HOSTILE: &[(&str, &[u8])] = &[
        ("set-cookie", b"c=&&&&&&&&&&&&&&&&; Path=/"),
        ("location", b"http://127.0.0.1:1/"),
        ("alt-svc", b"h2=\"127.0.0.1:1\", h3=\"127.0.0.1:1\""),
        ("refresh", b"0; url=http://127.0.0.1:1/"),
        ("x-secret", b"1"),
        ("connection", b"x-secret, authorization, api-key"),
    ];
    const REFUSAL: Answer = Answer { status: 429, headers: HOSTILE, ..Answer::OK };
    static OVER_HTTP1: Answer = REFUSAL;
    static OVER_HTTP2: Answer = Answer { headers: HOSTILE.split_at(4).0, ..REFUSAL };
    let over_http1 = S::PROTOCOL == Protocol::Http1 || !S::SPEAKS_HTTP2;
    let answer = if over_http1 { &OVER_HTTP1 } else { &OVER_HTTP2 };
    let scene = Scene::<S>::new(Behaviour::Answers(answer));
    for (number, received) in [(1, (1, 1)), (2, (2, 2))] {
        assert_eq!(scene.fetch(&format!("request {number}")).unwrap().status, 200);
        assert_eq!((scene.b1.received(), scene.b2.received()), received);
        scene.clock.advance(PROBE_AFTER);
    }
    assert_eq!(counters(&scene.pool, "b1").throttles, 2);
    assert!(!scene.b1.has_seen(canary("cookie")) && !scene.b2.has_seen(canary("cookie")));
    scene.check_at_rest();
}
