//! Discarded answers cost no connections.

use std::time::Duration;

use http::Version;
use lb_emulator::Reply;

use crate::{
    protocol::Protocol,
    stack::{Call, SocketStack, backend, pool},
    upstream::PATIENCE,
};

const REFUSALS: u64 = 30;

pub fn refusals_share_connections<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    // A hint of zero: the backend is asked again by the next request. Each has a body that comes after its head.
    let refusal = Reply::status(429).header("retry-after", "0").body(vec![b'x'; 20_000]);
    first.emulator.always(refusal.body_delay(Duration::from_millis(5)));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    for sent in 1..=REFUSALS {
        let reply = stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(reply.served(), ("second", 2));
        reply.text();
        // On a busy machine the time for a discarded answer may be over before it is read: over HTTP/2 that ends its stream.
        assert!(first.emulator.wait_until_answers_ended(sent, PATIENCE));
    }
    let most = match protocol.version() {
        Version::HTTP_2 => 1,
        _ if S::DRAINS_BEFORE_THE_NEXT => 3,
        _ => REFUSALS / 2,
    };
    let connections = first.emulator.connections();
    assert!(connections <= most, "{connections} connections for {REFUSALS} refusals");
}

macro_rules! reuse {
    ($stack:ty, $protocol:expr) => {
        tests_for!($stack, $protocol, reuse, [refusals_share_connections]);
    };
}
pub(crate) use reuse;
