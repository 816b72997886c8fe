//! A caller that gives up blames nobody.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use http::Version;
use lb_core::Wait;
use lb_emulator::Reply;

use crate::{
    protocol::Protocol,
    stack::{AsyncStack, Call, assert_counted, backend, cooling, pool, pool_with, snapshot},
    upstream::{Answer, PATIENCE, Upstream},
};

pub fn a_dropped_future_blames_nobody_and_abandons_its_request<S: AsyncStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.emulator.script(Reply::no_head());
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let arrived = first.emulator.wait_for_requests_async(1, PATIENCE);
    stack.send_until(&pool, Call::chat(), Box::pin(arrived));
    assert_eq!(snapshot(&pool, "first").counters.cancelled, 1);
    assert_eq!(snapshot(&pool, "first").counters.in_flight, 0);
    assert_eq!(cooling(&pool, "first"), None);
    assert!(second.received().is_empty());
    if S::ABANDONS_AT_ONCE {
        assert!(first.emulator.wait_until_clients_left(1, PATIENCE), "the request must be abandoned");
    }
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("first", 1));
    // HTTP/2 abandons a stream of the connection, HTTP/1.1 the connection.
    let connections = if protocol.version() == Version::HTTP_2 { 1 } else { 2 };
    assert_eq!(first.emulator.connections(), connections);
}

pub fn a_future_dropped_on_its_second_attempt_keeps_what_the_first_one_taught<S: AsyncStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.script(Answer::throttled(30));
    second.emulator.script(Reply::no_head());
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let arrived = second.emulator.wait_for_requests_async(1, PATIENCE);
    stack.send_until(&pool, Call::chat(), Box::pin(arrived));
    assert!(cooling(&pool, "first").is_some());
    assert_eq!(cooling(&pool, "second"), None);
    assert_eq!(snapshot(&pool, "second").counters.cancelled, 1);
    assert_counted(&pool, &first);
}

pub fn a_future_dropped_while_it_waits_gives_its_place_back<S: AsyncStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, clock) =
        pool_with([backend(&only, 1)], |pool| pool.wait(Wait { longest: Duration::from_secs(60), queue: 1 }));
    only.script(Answer::throttled(30));
    let waits = {
        let pool = Arc::clone(&pool);
        poll_fn(move |context| {
            context.waker().wake_by_ref();
            if pool.snapshot().waits.waiting == 1 { Poll::Ready(true) } else { Poll::Pending }
        })
    };
    stack.send_until(&pool, Call::chat(), Box::pin(waits));
    assert_eq!((pool.snapshot().waits.waiting, pool.snapshot().waits.begun), (0, 1));
    clock.advance(Duration::from_secs(30));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("only", 1));
    assert_counted(&pool, &only);
}

macro_rules! cancel {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            cancel,
            [
                a_dropped_future_blames_nobody_and_abandons_its_request,
                a_future_dropped_on_its_second_attempt_keeps_what_the_first_one_taught,
                a_future_dropped_while_it_waits_gives_its_place_back,
            ]
        );
    };
}
pub(crate) use cancel;
