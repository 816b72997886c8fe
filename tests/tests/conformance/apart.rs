//! Pools by model: one client for several models, of which each has its own cooldowns.

use lb_core::{MockClock, Pool, Pools};

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Failure, Stack, backend, snapshot},
    upstream::{Answer, Upstream},
};

const CHAT: &str = "/openai/deployments/chat/chat/completions?api-version=2024-10-21";
const EMBEDDINGS: &str = "/openai/deployments/embed/embeddings?api-version=2024-10-21";

/// Pools for chat and for embeddings, at the same two resources.
fn chat_and_embeddings<U: Upstream>(upstreams: &[U; 2]) -> Pools {
    let of = |deployment: &str| {
        let backend = |(upstream, priority)| backend(upstream, priority).deployment(deployment).build().unwrap();
        Pool::builder().backends(upstreams.iter().zip(1..).map(backend)).clock(MockClock::new()).build().unwrap()
    };
    Pools::by_model().pool(["chat", "gpt"], of("chat-here")).pool(["embed"], of("embed-here")).build().unwrap()
}

fn on_v1(body: Body) -> Call {
    Call::post("/openai/v1/responses").body(body)
}

pub fn a_429_for_one_model_leaves_the_other_where_it_was<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["ptu", "standard"].map(|name| stack.upstream(name));
    let pools = chat_and_embeddings(&upstreams);
    upstreams[0].script(Answer::throttled(30));
    let served = |call: Call| {
        let reply = stack.send_over(&pools, call).unwrap();
        reply.served().0.to_owned()
    };
    assert_eq!(served(Call::post(EMBEDDINGS)), "standard");
    assert_eq!(served(Call::post(EMBEDDINGS)), "standard");
    assert_eq!(served(Call::post(CHAT)), "ptu");
    // On v1 the body says which; it is a small JSON document in memory.
    assert_eq!(served(on_v1(Body::Bytes(br#"{"input":"Hello","model":"embed"}"#.to_vec()))), "standard");
    assert_eq!(served(on_v1(Body::Bytes(br#"{"input":"Hello","model":"gpt"}"#.to_vec()))), "ptu");
    let paths: Vec<_> = upstreams[0].received().into_iter().map(|received| received.path_and_query).collect();
    assert!(paths[0].contains("/embed-here/") && paths[1].contains("/chat-here/"), "{paths:?}");
    let embeddings = pools.pool_for(Some("embed")).unwrap();
    assert_eq!(snapshot(&embeddings, "ptu").counters.throttles, 1);
    assert_eq!(snapshot(&pools.pool(), "ptu").counters.throttles, 0);
}

pub fn a_request_for_a_model_that_no_pool_has_is_an_error_that_names_those_there_are<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["ptu", "standard"].map(|name| stack.upstream(name));
    let pools = chat_and_embeddings(&upstreams);
    for (call, model) in [
        (Call::chat(), "the model caller;"),
        (on_v1(Body::Bytes(br#"{"model":"other"}"#.to_vec())), "the model other;"),
        (on_v1(Body::Bytes(br#"{"input":"model"}"#.to_vec())), "names no model"),
        (Call::post("/openai/v1/files?api-version=1"), "names no model"),
    ] {
        match stack.send_over(&pools, call).unwrap_err() {
            Failure::NoPool(text) => assert!(text.contains(model) && text.contains("chat, embed, gpt"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(upstreams.iter().all(|upstream| upstream.received().is_empty()), "something was sent");
}

macro_rules! apart {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            apart,
            [
                a_429_for_one_model_leaves_the_other_where_it_was,
                a_request_for_a_model_that_no_pool_has_is_an_error_that_names_those_there_are,
            ]
        );
    };
}
pub(crate) use apart;
