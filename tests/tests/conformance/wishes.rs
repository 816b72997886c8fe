//! What a request wishes reaches the balancer by the stack's way, and no backend.

use lb_core::{WishError, Wishes};

use crate::{
    protocol::Protocol,
    stack::{Call, Failure, Stack, assert_counted, backend, cooling, pool},
    upstream::{Answer, Upstream},
};

pub fn a_pinned_request_gets_its_backends_own_answer<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let pinned = || Call::chat().wishing(Wishes::new().pin("second"));
    assert_eq!(stack.send(&pool, pinned()).unwrap().served(), ("second", 1));
    second.script(Answer::throttled(7).header("x-own", "second"));
    let refused = stack.send(&pool, pinned()).unwrap();
    assert_eq!(
        (refused.status, refused.header("x-own"), refused.header("retry-after")),
        (429, Some("second"), Some("7"))
    );
    refused.assert_refused_by::<S>(&pool, "second", 1);
    assert!(cooling(&pool, "second").is_some());
    assert!(first.received().is_empty());
    assert_counted(&pool, &second);
}

pub fn a_key_keeps_requests_together<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["one", "two", "three"].map(|name| stack.upstream(name));
    let (pool, _) = pool(upstreams.iter().map(|upstream| backend(upstream, 1)));
    let homes = |key: &str| {
        let call = || Call::chat().wishing(Wishes::new().affinity(key));
        let names: Vec<_> = (0..5).map(|_| stack.send(&pool, call()).unwrap().served().0.to_owned()).collect();
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        names[0].clone()
    };
    let homes: std::collections::BTreeSet<_> = (0..12).map(|key| homes(&key.to_string())).collect();
    assert!(homes.len() > 1, "twelve keys have more than one home");
}

pub fn no_wish_is_sent<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _) = pool([backend(&only, 1)]);
    let wishes = Wishes::new().pin("only").affinity("CANARY").wait(true).within(std::time::Duration::from_secs(99));
    stack.send(&pool, Call::chat()).unwrap().text();
    stack.send(&pool, Call::chat().wishing(wishes)).unwrap().text();
    let received = only.received();
    assert_eq!(received[0].headers, received[1].headers);
    assert_eq!((&received[0].path_and_query, &received[0].body), (&received[1].path_and_query, &received[1].body));
}

pub fn a_pin_to_nobody_is_an_error_that_names_it<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _) = pool([backend(&only, 1)]);
    let error = stack.send(&pool, Call::chat().wishing(Wishes::new().pin("other"))).unwrap_err();
    assert!(matches!(&error, Failure::Wish(WishError::UnknownBackend(name)) if &**name == "other"), "{error:?}");
    assert!(only.received().is_empty());
}

pub fn a_stateful_path_stays_where_it_was_sent_if_the_pool_guards_it<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    let (pool, _) =
        crate::stack::pool_with([backend(&first, 1), backend(&second, 2)], |pool| pool.guard_stateful_paths(true));
    for path in ["/openai/v1/responses/resp_1/cancel", "/openai/threads/t_1/runs?api-version=2024-10-21"] {
        first.script(Answer::throttled(0).header("x-own", "first"));
        let reply = stack.send(&pool, Call::post(path)).unwrap();
        assert_eq!((reply.status, reply.header("x-own")), (429, Some("first")), "{path}");
    }
    first.script(Answer::throttled(0));
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 2));
}

macro_rules! wishes {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            wishes,
            [
                a_pinned_request_gets_its_backends_own_answer,
                a_key_keeps_requests_together,
                no_wish_is_sent,
                a_pin_to_nobody_is_an_error_that_names_it,
                a_stateful_path_stays_where_it_was_sent_if_the_pool_guards_it,
            ]
        );
    };
}
pub(crate) use wishes;
