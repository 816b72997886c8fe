//! Discarded answers cost no connections.

use std::time::Duration;

use lb_emulator::Reply;

use crate::{
    stack::{Call, SocketStack, backend, pool},
    upstream::PATIENCE,
};

const REFUSALS: u64 = 30;

/// How many connections 30 sequential refusals take, each with a body that comes after its head. Each request starts
/// after the body before was sent.
fn connections_of_refusals<S: SocketStack>() -> u64 {
    let stack = S::new();
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    // A hint of zero: the backend is asked again by the next request.
    let refusal = Reply::status(429).header("retry-after", "0").body(vec![b'x'; 20_000]);
    first.emulator.always(refusal.body_delay(Duration::from_millis(5)));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    for sent in 1..=REFUSALS {
        let reply = stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(reply.served(), ("second", 2));
        reply.text();
        assert!(first.emulator.wait_until_bodies_sent(sent, PATIENCE));
    }
    let connections = first.emulator.connections();
    println!("{REFUSALS} refusals took {connections} connections");
    connections
}

pub fn refusals_share_connections<S: SocketStack>() {
    let connections = connections_of_refusals::<S>();
    assert!(connections <= 3, "{connections} connections for {REFUSALS} refusals");
}

pub fn refusals_mostly_share_connections<S: SocketStack>() {
    // Drained by threads, which the next request may overtake.
    let connections = connections_of_refusals::<S>();
    assert!(connections <= REFUSALS / 2, "{connections} connections for {REFUSALS} refusals");
}
