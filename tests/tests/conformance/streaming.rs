//! Server-sent events pass through unbuffered, and are never sent twice.

use lb_emulator::{Reply, StreamGate, h2::Reason};

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Reply as Response, SocketStack, assert_counted, backend, pool, snapshot},
    upstream::{Answer, Emulated, PATIENCE, Upstream, emulator},
};

/// The events of a completion of four tokens: one each, the finish reason, and `[DONE]`.
const EVENTS: usize = 6;

fn streaming_call() -> Call {
    let body = br#"{"messages":[{"role":"user","content":"Hello"}],"stream":true}"#;
    // A client that buffers would wait for ever; the timeout turns that into a failure.
    Call::chat().body(Body::Bytes(body.to_vec())).timeout(PATIENCE)
}

fn serving<S: SocketStack>(stack: &S, name: &str) -> Emulated {
    let upstream = stack.upstream(name);
    upstream.emulator.clear_script();
    upstream
}

/// Releases event n + 1 only after event n has been read; the first one has been released.
fn read_in_lockstep(gate: &StreamGate, reply: &mut Response) {
    for number in 1..=EVENTS {
        let mut event = Vec::new();
        while !event.ends_with(b"\n\n") {
            event.extend((reply.next_chunk)().unwrap().expect("the stream goes on"));
        }
        let text = String::from_utf8(event).unwrap();
        assert_eq!(text.matches("data: ").count(), 1, "one event was released: {text}");
        assert_eq!(text == "data: [DONE]\n\n", number == EVENTS, "{number}: {text}");
        gate.release_one();
    }
    // HTTP/2 may end a body by a frame without data.
    while let Some(chunk) = (reply.next_chunk)().unwrap() {
        assert_eq!(chunk, b"");
    }
}

pub fn each_event_arrives_before_the_next_one_is_sent<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = serving(&stack, "only");
    let gate = only.emulator.hold_streams();
    let (pool, _) = pool([backend(&only, 1)]);
    gate.release_one();
    let mut reply = stack.send(&pool, streaming_call()).unwrap();
    assert!(reply.header("content-type").is_some_and(|value| value.starts_with("text/event-stream")));
    read_in_lockstep(&gate, &mut reply);
    assert_counted(&pool, &only);
}

pub fn a_stream_after_a_failover_is_unbuffered_too<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), serving(&stack, "second"));
    first.script(Answer::throttled(5).body("slow down"));
    let gate = second.emulator.hold_streams();
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    gate.release_one();
    let mut reply = stack.send(&pool, streaming_call()).unwrap();
    assert_eq!(reply.served(), ("second", 2));
    read_in_lockstep(&gate, &mut reply);
}

pub fn a_stream_that_breaks_is_an_error_and_is_not_sent_again<S: SocketStack>(protocol: Protocol) {
    // By the connection's end, and by the stream's: over HTTP/1.1 they are the same.
    for broken in [Reply::serve().reset_after(2), Reply::serve().reset_stream_after(2, Reason::INTERNAL_ERROR)] {
        let stack = S::new(protocol);
        let (first, second) = (serving(&stack, "first"), serving(&stack, "second"));
        first.emulator.script(broken);
        let gate = first.emulator.hold_streams();
        let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
        gate.release_one();
        let mut reply = stack.send(&pool, streaming_call()).unwrap();
        let mut events = 0;
        while let Ok(chunk) = (reply.next_chunk)() {
            assert!(chunk.is_some(), "the caller must see that the stream broke");
            events += 1;
            gate.release_one();
        }
        assert!(events == 2 || events == 1 && !S::GIVES_ALL_BEFORE_A_RESET, "{events} events");
        assert_eq!(first.received().len(), 1);
        assert!(second.received().is_empty());
        assert_eq!(snapshot(&pool, "first").counters.successes, 1);
    }
}

pub fn a_real_completion_is_read_to_its_end<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let limited = emulator(protocol).name("only").standard(100_000, 600).key("k").start().unwrap();
    let only = lb_core::Backend::builder(limited.url()).name("only").api_key("k");
    let (pool, _) = pool([only]);
    let text = stack.send(&pool, streaming_call()).unwrap().text();
    assert_eq!(text.matches("data: ").count(), EVENTS, "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"));
}

macro_rules! streaming {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            streaming,
            [
                each_event_arrives_before_the_next_one_is_sent,
                a_stream_after_a_failover_is_unbuffered_too,
                a_stream_that_breaks_is_an_error_and_is_not_sent_again,
                a_real_completion_is_read_to_its_end,
            ]
        );
    };
}
pub(crate) use streaming;
