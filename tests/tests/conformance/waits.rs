//! Time that passes: waits, deadlines and late failures, in real time and over real sockets.

use std::{sync::Arc, time::Duration};

use lb_core::{BackendBuilder, Pool, PoolBuilder, Wait, Wishes};
use lb_emulator::Reply;

use crate::{
    protocol::Protocol,
    stack::{Call, SocketStack, assert_counted, backend},
    upstream::{Answer, Upstream},
};

/// So long a backend asks for, and an answer that is late takes.
const WHILE: Duration = Duration::from_millis(150);
/// Longer than any test takes on a machine that is busy.
const LONG: Duration = Duration::from_secs(600);

/// A pool whose time is real.
fn pool(
    backends: impl IntoIterator<Item = BackendBuilder>,
    options: impl FnOnce(PoolBuilder) -> PoolBuilder,
) -> Arc<Pool> {
    let backends = backends.into_iter().map(|backend| backend.build().unwrap());
    Arc::new(options(Pool::builder().backends(backends)).build().unwrap())
}

pub fn who_waits_is_served_when_a_backend_is_back<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let pool = pool([backend(&only, 1)], |pool| pool.wait(Wait { longest: LONG, queue: 10 }));
    only.script(Answer::status(429).header("retry-after-ms", "150"));
    let reply = stack.send(&pool, Call::chat()).unwrap();
    let served = reply.served.clone().unwrap();
    assert_eq!((reply.status, served.attempts()), (200, 2));
    assert!(served.waited() >= WHILE, "{:?}", served.waited());
    assert_eq!(reply.text(), "only");
    let waits = pool.snapshot().waits;
    assert_eq!((waits.waiting, waits.begun, waits.waited), (0, 1, served.waited()));
    assert_counted(&pool, &only);
}

pub fn who_would_wait_beyond_its_deadline_is_refused_at_once<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let pool = pool([backend(&only, 1)], |pool| pool.wait(Wait { longest: LONG, queue: 10 }));
    only.script(Answer::status(429).header("retry-after", "500"));
    for wishes in [Wishes::new().within(LONG / 2), Wishes::new().wait(false)] {
        let reply = stack.send(&pool, Call::chat().wishing(wishes)).unwrap();
        assert_eq!(reply.status, 429);
        let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!(after > 100 && after <= 500, "{after}");
    }
    assert_eq!((only.received().len(), pool.snapshot().waits.begun), (1, 0));
}

pub fn no_attempt_begins_after_the_deadline<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let pool = pool([backend(&first, 1), backend(&second, 2)], |pool| pool);
    for (within, is_over) in [(WHILE, true), (LONG, false)] {
        first.emulator.script(Reply::status(503).head_delay(WHILE).header("retry-after-ms", "1"));
        let reply = stack.send(&pool, Call::chat().wishing(Wishes::new().within(within))).unwrap();
        assert_eq!(reply.status, if is_over { 503 } else { 200 });
        let _ = reply.body();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!((first.received().len(), second.received().len()), (2, 1));
}

pub fn a_failure_that_comes_late_is_returned<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    for (within, is_late) in [(WHILE, true), (LONG, false)] {
        let pool = pool([backend(&first, 1), backend(&second, 2)], |pool| pool.fail_over_within(within));
        first.emulator.script(Reply::status(504).head_delay(WHILE));
        let reply = stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(reply.status, if is_late { 504 } else { 200 });
        let _ = reply.body();
    }
    assert_eq!((first.received().len(), second.received().len()), (2, 1));
}

pub fn a_head_that_does_not_come_is_given_up<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let pool = pool([backend(&first, 1), backend(&second, 2)], |pool| pool.fail_over_after_send(true));
    first.emulator.script(Reply::no_head());
    let result = stack.send(&pool, Call::chat().wishing(Wishes::new().head_timeout(WHILE)));
    if S::IS_BLOCKING {
        let error = result.unwrap_err();
        assert!(matches!(error, crate::stack::Failure::Wish(_)), "{error:?}");
        assert!(first.received().is_empty());
    } else {
        assert_eq!(result.unwrap().served(), ("second", 2));
    }
}

macro_rules! waits {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            waits,
            [
                who_waits_is_served_when_a_backend_is_back,
                who_would_wait_beyond_its_deadline_is_refused_at_once,
                no_attempt_begins_after_the_deadline,
                a_failure_that_comes_late_is_returned,
                a_head_that_does_not_come_is_given_up,
            ]
        );
    };
}
pub(crate) use waits;
