//! A caller that gives up blames nobody.

use lb_emulator::Reply;

use crate::{
    stack::{AsyncStack, Call, assert_counted, backend, cooling, pool, snapshot},
    upstream::{Answer, PATIENCE, Upstream},
};

pub fn a_dropped_future_blames_nobody_and_abandons_its_request<S: AsyncStack>() {
    let stack = S::new();
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
}

pub fn a_future_dropped_on_its_second_attempt_keeps_what_the_first_one_taught<S: AsyncStack>() {
    let stack = S::new();
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

macro_rules! cancel {
    ($stack:ty) => {
        tests_for!(
            $stack,
            cancel,
            [
                a_dropped_future_blames_nobody_and_abandons_its_request,
                a_future_dropped_on_its_second_attempt_keeps_what_the_first_one_taught,
            ]
        );
    };
}
pub(crate) use cancel;
