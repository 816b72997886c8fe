//! Bodies that do not come as announced, or never end.

use std::time::Duration;

use crate::{
    answer::{Answer, End, Framing},
    pool::{PROBE_AFTER, counters, is_available},
    scene::Scene,
    server::Behaviour,
    stack::{Encoded, Stack},
};

/// The length that is announced.
const LENGTH: usize = 5_000;

const fn cut(piece: &'static [u8], times: usize, end: End) -> Answer {
    Answer { framing: Framing::WrongLength(LENGTH), body: (piece, times), end, ..Answer::OK }
}

pub fn a_body_that_is_cut_is_an_error_and_sent_once<S: Stack>() {
    static CUTS: [Answer; 6] = [
        cut(b"", 0, End::Closes),
        cut(b"x", 1, End::Closes),
        cut(b"x", LENGTH - 1, End::Closes),
        cut(b"", 0, End::Resets),
        cut(b"x", 1, End::Resets),
        cut(b"x", LENGTH - 1, End::Resets),
    ];
    for answer in &CUTS {
        expect_broken::<S>(answer, answer.body.1);
    }
}

pub fn a_body_that_is_framed_wrong_is_an_error_and_sent_once<S: Stack>() {
    static BROKEN: Answer = Answer { framing: Framing::Broken, body: (b"xx", 5), ..Answer::OK };
    expect_broken::<S>(&BROKEN, 10);
}

/// Expects that a caller gets an error and no more than was sent, and that nobody else is asked.
fn expect_broken<S: Stack>(answer: &'static Answer, sent: usize) {
    let scene = Scene::<S>::new(Behaviour::Answers(answer));
    match scene.fetch("a request") {
        Ok(reply) => {
            assert_eq!(reply.status, 200, "{answer:?}");
            let content = reply.read();
            assert!(content.is_broken, "{answer:?}: {content:?}");
            assert!(content.bytes.len() <= sent && content.bytes.iter().all(|byte| *byte == b'x'), "{answer:?}");
            // The head was an answer: what comes after is between the backend and the caller.
            assert_eq!(counters(&scene.pool, "b1").successes, 1, "{answer:?}");
            assert_eq!(scene.strikes(), 0, "{answer:?}");
        }
        // The end came before the head was handed over: its fault is the request's.
        Err(fault) => {
            assert_eq!(fault, lb_core::Fault::Reset, "{answer:?}");
            assert_eq!(scene.strikes(), 1, "{answer:?}");
        }
    }
    assert_eq!((scene.b1.received(), scene.b2.received()), (1, 0), "{answer:?}");
    scene.check_at_rest();
}

pub fn an_encoded_error_is_passed_through<S: Stack>() {
    // `gzip -9 -n <<< '{"error":{}}'`
    const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x2d\x2a\xca\x2f\x52\xb2\xaa\xae\xad\xe5\x02\x00\xce\xbf\x1b\x9b\x0d\x00\x00\x00";
    static ENCODED: Answer =
        Answer { status: 400, headers: &[("content-encoding", b"gzip")], body: (GZIP, 1), ..Answer::OK };
    let scene = Scene::<S>::new(Behaviour::Answers(&ENCODED));
    let reply = scene.fetch("a request").unwrap();
    assert_eq!(reply.status, 400);
    let expected = match S::ENCODED_ERRORS {
        Encoded::AsTheyCame => GZIP,
        Encoded::Decoded => b"{\"error\":{}}\n",
        Encoded::AsText => String::from_utf8_lossy(GZIP).into_owned().leak().as_bytes(),
    };
    assert_eq!(reply.read().bytes, expected);
    assert_eq!((scene.b1.received(), scene.b2.received(), scene.strikes()), (1, 0, 0));
    scene.check_at_rest();
}

pub fn a_refusal_whose_body_has_no_end_delays_nobody<S: Stack>() {
    static MIB: [u8; 1 << 20] = [b'x'; 1 << 20];
    const REFUSAL: Answer = Answer { status: 429, headers: &[("retry-after", b"7")], ..Answer::OK };
    static ENDLESS: [Answer; 3] = [
        Answer { body: (&MIB, 1 << 10), ..REFUSAL },
        Answer { body: (&MIB, 1 << 10), framing: Framing::Chunks, ..REFUSAL },
        Answer { body: (b"x", 1 << 20), pause: Duration::from_millis(20), ..REFUSAL },
    ];
    for answer in &ENDLESS {
        let scene = Scene::<S>::new(Behaviour::Answers(answer));
        assert_eq!(scene.fetch("a request").unwrap().status, 200);
        assert_eq!((scene.b1.received(), scene.b2.received()), (1, 1));
        assert_eq!(counters(&scene.pool, "b1").throttles, 1);
        assert!(!is_available(&scene.pool, "b1"));
        if S::DRAINS_BRIEFLY {
            scene.b1.wait_until_left(1);
        }
        assert!(scene.b1.written() < 16 << 20, "{} bytes were taken", scene.b1.written());
        // What was thrown away keeps nobody from coming back.
        scene.b1.turn(Behaviour::Serves);
        scene.clock.advance(PROBE_AFTER);
        assert_eq!(scene.fetch("another").unwrap().status, 200);
        assert_eq!((scene.b1.received(), scene.b2.received()), (2, 1));
        scene.check_at_rest();
    }
}
