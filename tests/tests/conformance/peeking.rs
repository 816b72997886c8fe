//! Streams that announce a refusal are looked into, and no others.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use lb_core::Fault;
use lb_emulator::{Reply, StreamGate};

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Failure, Reply as Response, SocketStack, assert_counted, backend, cooling, pool, snapshot},
    upstream::{Emulated, PATIENCE, Upstream},
};

const CREATED: &str = r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}"#;
const DELTA: &str = r#"{"type":"response.output_text.delta","delta":"Hi"}"#;
const DONE: &str = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed"}}"#;

fn chat() -> Call {
    streaming(Call::chat(), "")
}

fn responses() -> Call {
    streaming(Call::post("/openai/v1/responses"), r#""model":"gpt","#)
}

fn streaming(call: Call, model: &str) -> Call {
    let body = format!(r#"{{{model}"messages":[{{"role":"user","content":"Hello"}}],"stream":true}}"#);
    // What is held for ever is a failure.
    call.body(Body::Bytes(body.into_bytes())).timeout(PATIENCE)
}

/// A stream whose head says that a limit is used up, as it is after the last request that was granted.
fn announced(events: &[&str]) -> Reply {
    Reply::stream(events).header("x-ratelimit-remaining-tokens", "0")
}

fn written(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// Reads the next `count` events, which were released.
fn read(reply: &mut Response, count: usize) -> String {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        text += &String::from_utf8((reply.next_chunk)().unwrap().expect("the stream goes on")).unwrap();
    }
    text
}

/// A stack with two backends, of which the first answers so and the second with its name.
fn two<S: SocketStack>(protocol: Protocol, reply: Reply) -> (S, Emulated, Emulated) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.emulator.script(reply);
    (stack, first, second)
}

pub fn a_refusal_inside_a_stream_fails_over_unseen<S: SocketStack>(protocol: Protocol) {
    for call in [chat(), responses()] {
        let (stack, first, second) = two::<S>(protocol, Reply::throttled_stream(Duration::from_secs(7)));
        let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
        let reply = stack.send(&pool, call).unwrap();
        if S::LOOKS_INTO_STREAMS {
            assert_eq!(reply.served(), ("second", 2));
            assert_eq!(reply.text(), "second");
            assert_eq!(cooling(&pool, "first"), Some(Duration::from_secs(7)));
            assert_eq!(snapshot(&pool, "first").counters.throttles, 1);
        } else {
            assert_eq!((reply.status, reply.served()), (200, ("first", 1)));
            assert!(reply.text().contains("rate limit"));
            assert_eq!((cooling(&pool, "first"), second.received().len()), (None, 0));
        }
        assert_counted(&pool, &first);
    }
}

pub fn a_refusal_inside_a_stream_of_the_last_backend_is_a_429<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    only.emulator.script(Reply::throttled_stream(Duration::from_secs(7)));
    let (pool, _) = pool([backend(&only, 1)]);
    let reply = stack.send(&pool, chat()).unwrap();
    if S::LOOKS_INTO_STREAMS {
        reply.assert_exhausted::<S>(Duration::from_secs(7));
    } else {
        assert_eq!((reply.status, reply.served()), (200, ("only", 1)));
    }
}

pub fn a_stream_that_announced_a_refusal_and_answers_is_handed_on_whole<S: SocketStack>(protocol: Protocol) {
    let refused = r#"{"type":"error","error":{"code":"rate_limit_exceeded"}}"#;
    let events = [CREATED, CREATED, DELTA, refused];
    let (stack, first, second) = two::<S>(protocol, announced(&events).header("x-kept", "a"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let reply = stack.send(&pool, chat()).unwrap();
    assert_eq!((reply.status, reply.served(), reply.header("x-kept")), (200, ("first", 1), Some("a")));
    if let Some(url) = &reply.url {
        assert!(url.starts_with(&first.endpoint()), "{url}");
    }
    assert_eq!(reply.text(), written(&events));
    assert!(second.received().is_empty());
    assert_counted(&pool, &first);
}

/// Sends, while the first of these events are released, and reads what follows one by one.
fn expect_one_by_one<S: SocketStack>(stack: &S, first: &Emulated, gate: &StreamGate, released: usize, events: &[&str]) {
    let (pool, _) = pool([backend(first, 1)]);
    gate.release(released);
    let mut reply = stack.send(&pool, chat()).unwrap();
    assert_eq!(read(&mut reply, released), written(&events[..released]));
    for event in &events[released..] {
        gate.release_one();
        assert_eq!(read(&mut reply, 1), written(&[event]));
    }
    gate.release_one();
    assert_eq!(reply.text(), "");
}

pub fn a_stream_that_was_looked_into_goes_on_event_by_event<S: SocketStack>(protocol: Protocol) {
    let events = [CREATED, DELTA, DELTA, DONE];
    let (stack, first, _second) = two::<S>(protocol, announced(&events));
    let gate = first.emulator.hold_streams();
    expect_one_by_one(&stack, &first, &gate, 2, &events);
}

pub fn a_stream_that_announces_nothing_is_handed_on_with_its_first_event<S: SocketStack>(protocol: Protocol) {
    let events = [CREATED, DELTA, DONE];
    let (stack, first, _second) = two::<S>(protocol, Reply::stream(events));
    let gate = first.emulator.hold_streams();
    expect_one_by_one(&stack, &first, &gate, 1, &events);
}

pub fn a_stream_that_breaks_while_it_is_held_is_the_callers<S: SocketStack>(protocol: Protocol) {
    let (stack, first, second) = two::<S>(protocol, announced(&[CREATED, DELTA]).reset_after(1));
    let gate = first.emulator.hold_streams();
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    gate.release_one();
    let mut reply = match stack.send(&pool, chat()) {
        Ok(reply) => reply,
        // The head may be lost with the rest.
        Err(Failure::Transport(Fault::Reset)) if !S::GIVES_ALL_BEFORE_A_RESET => return,
        Err(error) => panic!("{error:?}"),
    };
    let mut text = Vec::new();
    while let Ok(chunk) = (reply.next_chunk)() {
        text.extend(chunk.expect("the caller must see that the stream broke"));
        gate.release_one();
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text == written(&[CREATED]) || text.is_empty() && !S::GIVES_ALL_BEFORE_A_RESET, "{text}");
    assert_eq!((first.received().len(), second.received().len()), (1, 0));
    assert_eq!(snapshot(&pool, "first").counters.successes, 1);
}

pub fn a_stream_that_says_nothing_is_the_callers_after_two_seconds<S: SocketStack>(protocol: Protocol) {
    let (stack, first, second) = two::<S>(protocol, announced(&[CREATED, DELTA]));
    let gate = first.emulator.hold_streams();
    let (pool, clock) = pool([backend(&first, 1), backend(&second, 2)]);
    gate.release_one();
    let is_here = AtomicBool::new(false);
    let mut reply = thread::scope(|scope| {
        scope.spawn(|| {
            // It begins to be held at some moment of this clock, and two seconds of it pass.
            while !is_here.load(Ordering::Relaxed) {
                clock.advance(Duration::from_millis(100));
                thread::sleep(Duration::from_millis(1));
            }
        });
        let reply = stack.send(&pool, chat());
        is_here.store(true, Ordering::Relaxed);
        reply.unwrap()
    });
    assert_eq!(reply.served(), ("first", 1));
    assert_eq!(read(&mut reply, 1), written(&[CREATED]));
    gate.release_one();
    assert_eq!(read(&mut reply, 1), written(&[DELTA]));
    assert_eq!(snapshot(&pool, "first").counters.successes, 1);
}

macro_rules! peeking {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            peeking,
            [
                a_refusal_inside_a_stream_fails_over_unseen,
                a_refusal_inside_a_stream_of_the_last_backend_is_a_429,
                a_stream_that_announced_a_refusal_and_answers_is_handed_on_whole,
                a_stream_that_was_looked_into_goes_on_event_by_event,
                a_stream_that_announces_nothing_is_handed_on_with_its_first_event,
                a_stream_that_breaks_while_it_is_held_is_the_callers,
                a_stream_that_says_nothing_is_the_callers_after_two_seconds,
            ]
        );
    };
}
pub(crate) use peeking;
