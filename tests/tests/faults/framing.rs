//! What can go wrong on a connection of HTTP/1.1 between two answers.

use lb_core::Fault;

use crate::{
    answer::{Answer, Framing},
    pool::counters,
    scene::Scene,
    server::Behaviour,
    stack::{LATE, Settings, Stack, with_timeouts},
};

pub fn an_answer_of_two_lengths_confuses_nobody<S: Stack>() {
    static BOTH: Answer = Answer { framing: Framing::Both, body: (b"xx", 5), ..Answer::OK };
    let scene = Scene::<S>::new(Behaviour::Answers(&BOTH));
    // RFC 9112, 6.3: chunks go before a length, or it is an error.
    match scene.fetch("a request") {
        Ok(reply) => assert_eq!(reply.read().bytes, b"xxxxxxxxxx"),
        Err(fault) => assert_eq!(fault, Fault::Reset),
    }
    expect_next_answer_whole(&scene);
}

pub fn bytes_after_an_answer_are_no_other_answer<S: Stack>() {
    static SMUGGLED: Answer = Answer {
        framing: Framing::WrongLength(2),
        body: (b"xxHTTP/1.1 418 Smuggled\r\ncontent-length: 0\r\n\r\n", 1),
        ..Answer::OK
    };
    let scene = Scene::<S>::new(Behaviour::Answers(&SMUGGLED));
    let reply = scene.fetch("a request").unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.read().bytes, b"xx");
    if S::SEES_EXCESS {
        expect_next_answer_whole(&scene);
        return;
    }
    // It may be taken for the next answer of the same backend, and goes no further.
    let next = scene.fetch("the next").unwrap().status;
    assert!(next == 418 || next == 200, "{next}");
    assert_eq!((scene.strikes(), scene.b2.received()), (0, 0));
}

fn expect_next_answer_whole<S: Stack>(scene: &Scene<S>) {
    assert_eq!((scene.b1.received(), scene.b2.received()), (1, 0));
    static NEXT: Answer = Answer { status: 404, body: (b"next", 1), ..Answer::OK };
    scene.b1.turn(Behaviour::Answers(&NEXT));
    let reply = scene.fetch("the next").unwrap();
    assert_eq!(reply.status, 404);
    assert_eq!(reply.read().bytes, b"next");
    assert_eq!((scene.b1.received(), scene.b2.received()), (2, 0));
    scene.check_at_rest();
}

pub fn a_kept_connection_that_is_forgotten_harms_one_request<S: Stack>() {
    with_timeouts(|answer| {
        let scene =
            Scene::<S>::with(Settings { answer, ..Settings::patient(S::PROTOCOL) }, Behaviour::Serves, |options| {
                options
            });
        assert_eq!(scene.fetch("the first").ok()?.read().bytes, b"");
        scene.b1.turn(Behaviour::ForgetsKeptConnections);
        let failed = (1..=10).filter(|number| scene.fetch(&format!("request {number}")).is_err()).count();
        let faults = counters(&scene.pool, "b1").faults;
        if (faults > 1 || counters(&scene.pool, "b2").attempts > 0) && answer < LATE {
            return None;
        }
        // The connection ends with the request that waited on it. Where it was not kept in time, there was none.
        assert!(failed <= 1 && failed as u64 == faults, "{failed} failed: {:?}", scene.pool.snapshot());
        assert_eq!((scene.b1.received(), scene.b2.received(), scene.strikes()), (11, 0, 0));
        scene.check_at_rest();
        Some(())
    });
}
