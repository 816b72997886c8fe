//! Faults on the wire: what is safe to send again, and what is not.

use std::{
    io::Write,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use lb_core::{Backend, Fault, Reason as Cause};
use lb_emulator::{Reply, h2::Reason};

use crate::{
    protocol::Protocol,
    stack::{Call, Failure, SocketStack, assert_counted, backend, cooling, pool, pool_with, snapshot},
    upstream::{Emulated, PATIENCE, Upstream},
};

/// Sends over a pool of a faulty and a healthy backend; expects this fault, and that it is a strike.
fn expect_returned<S: SocketStack>(protocol: Protocol, fault: Fault, call: &Call, reply: &Reply) {
    let stack = S::new(protocol);
    let (faulty, healthy) = (stack.upstream("faulty"), stack.upstream("healthy"));
    faulty.emulator.script(reply.clone());
    let (pool, _) = pool([backend(&faulty, 1), backend(&healthy, 2)]);
    match stack.send(&pool, call.clone()) {
        Err(Failure::Transport(found)) => assert_eq!(found, fault),
        other => panic!("expected a {fault} fault, got {other:?}"),
    }
    assert!(healthy.received().is_empty(), "the first backend may have executed and billed it");
    let faulty = snapshot(&pool, "faulty");
    assert_eq!((faulty.strikes, faulty.state.remaining(), faulty.counters.faults), (1, None, 1));
    assert_eq!(faulty.last_failure.map(|cause| cause.reason()), Some(Cause::Fault(fault)));
}

/// The same, over a pool that opted in to failing over.
fn expect_failover_if_opted_in<S: SocketStack>(protocol: Protocol, call: &Call, reply: &Reply) {
    let stack = S::new(protocol);
    let (faulty, healthy) = (stack.upstream("faulty"), stack.upstream("healthy"));
    faulty.emulator.script(reply.clone());
    let both = [backend(&faulty, 1), backend(&healthy, 2)];
    let (pool, _) = pool_with(both, |pool| pool.fail_over_after_send(true));
    assert_eq!(stack.send(&pool, call.clone()).unwrap().served(), ("healthy", 2));
    assert_eq!(snapshot(&pool, "faulty").strikes, 1);
}

pub fn a_timeout_after_sending_is_returned_unless_opted_in<S: SocketStack>(protocol: Protocol) {
    // Long enough for the healthy backend on a busy machine.
    let call = Call::chat().timeout(Duration::from_secs(2));
    // A head that comes far too late: a stack without timeouts fails the test, and does not hang it.
    let late = Reply::status(200).head_delay(PATIENCE);
    // Side by side, because both wait.
    thread::scope(|scope| {
        scope.spawn(|| expect_returned::<S>(protocol, Fault::Timeout, &call, &late));
        expect_failover_if_opted_in::<S>(protocol, &call, &late);
    });
}

pub fn a_reset_after_sending_is_returned_unless_opted_in<S: SocketStack>(protocol: Protocol) {
    // The connection's end, and the stream's: over HTTP/1.1 they are the same.
    for reset in [Reply::reset(), Reply::reset_stream(Reason::INTERNAL_ERROR)] {
        expect_returned::<S>(protocol, Fault::Reset, &Call::chat(), &reset);
        expect_failover_if_opted_in::<S>(protocol, &Call::chat(), &reset);
    }
}

/// Sends over a pool of `endpoint` and a healthy backend; expects a failover.
fn expect_connect_fault<S: SocketStack>(protocol: Protocol, endpoint: &str) {
    let stack = S::new(protocol);
    let healthy = stack.upstream("healthy");
    let faulty = Backend::builder(endpoint).name("faulty");
    let (pool, _) = pool([faulty, backend(&healthy, 2)]);
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("healthy", 2), "{endpoint}");
    assert_eq!(cooling(&pool, "faulty"), Some(Duration::from_secs(10)));
}

pub fn a_name_that_does_not_resolve_fails_over<S: SocketStack>(protocol: Protocol) {
    // RFC 6761: `.invalid` never resolves.
    expect_connect_fault::<S>(protocol, &format!("{}://name.invalid", protocol.scheme()));
}

pub fn a_tls_handshake_that_fails_fails_over<S: SocketStack>(protocol: Protocol) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        // Not TLS: the client gives up on the first bytes.
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    expect_connect_fault::<S>(protocol, &endpoint);
    server.join().unwrap();
}

pub fn a_refusal_whose_body_stalls_delays_nobody<S: SocketStack>(protocol: Protocol) {
    let refusal = Reply::status(429).header("retry-after", "5").body(vec![b'x'; 20_000]);
    let stalls = [S::HEAD_NEEDS_NO_BODY.then_some(0), Some(1), Some(19_999)];
    for bytes in stalls.into_iter().flatten() {
        let stack = S::new(protocol);
        let (first, second) = (stack.upstream("first"), stack.upstream("second"));
        first.emulator.script(refusal.clone().stall_after_bytes(bytes));
        let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
        let start = Instant::now();
        // The body stalls for ever: who waits for it runs into the timeout.
        assert_eq!(stack.send(&pool, Call::chat().timeout(PATIENCE)).unwrap().served(), ("second", 2));
        assert!(start.elapsed() < PATIENCE);
    }
}

pub fn a_slow_head_is_waited_for<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only: Emulated = stack.upstream("only");
    only.emulator.script(Reply::status(200).head_delay(Duration::from_millis(100)).body("late"));
    let (pool, _) = pool([backend(&only, 1)]);
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().text(), "late");
    assert_counted(&pool, &only);
}

macro_rules! faults {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            faults,
            [
                a_timeout_after_sending_is_returned_unless_opted_in,
                a_reset_after_sending_is_returned_unless_opted_in,
                a_name_that_does_not_resolve_fails_over,
                a_tls_handshake_that_fails_fails_over,
                a_refusal_whose_body_stalls_delays_nobody,
                a_slow_head_is_waited_for,
            ]
        );
    };
}
pub(crate) use faults;
