//! Deployments that bodies name, at backends that look at the names.

use crate::{
    protocol::Protocol,
    stack::{Body, Call, SocketStack, backend, pool},
    upstream::{Answer, Emulated, Upstream},
};

pub fn a_deployment_is_found_by_its_backends_name<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["a", "b", "c"].map(|name| Emulated::with_deployment(name, &format!("gpt-{name}"), protocol));
    for upstream in &upstreams[..2] {
        upstream.script(Answer::throttled(5));
    }
    let body = br#"{"model":"gpt","messages":[{"role":"user","content":"Hello"}]}"#;
    let call = || Call::post("/openai/v1/chat/completions").body(Body::Bytes(body.to_vec()));
    let named = upstreams
        .iter()
        .zip(1..)
        .map(|(upstream, priority)| backend(upstream, priority).model_for("gpt", format!("gpt-{}", upstream.name())));
    let (pool_of_named, _) = pool(named);
    let reply = stack.send(&pool_of_named, call()).unwrap();
    assert_eq!((reply.status, reply.served()), (200, ("c", 3)));
    assert!(reply.text().contains(r#""model":"gpt-c""#));

    let (unnamed, _) = pool([backend(&upstreams[2], 1)]);
    assert_eq!(stack.send(&unnamed, call()).unwrap().status, 404, "it looks at the name");
}

macro_rules! deployments {
    ($stack:ty, $protocol:expr) => {
        tests_for!($stack, $protocol, deployments, [a_deployment_is_found_by_its_backends_name]);
    };
}
pub(crate) use deployments;
