//! What is on the wire: addresses, credentials, bodies, and answers as they came.

use std::time::Duration;

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Failure, Stack, assert_counted, backend, cooling, pool, snapshot},
    upstream::{Answer, Upstream},
};

pub fn prefix_and_deployment_are_each_backends_own_on_every_attempt<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["a", "b", "c"].map(|name| {
        let upstream = stack.upstream(name);
        upstream.always(Answer::throttled(5));
        upstream
    });
    let [a, b, c] = upstreams.each_ref();
    let at = |upstream: &S::Upstream, priority, prefix| {
        let endpoint = format!("{}{prefix}", upstream.endpoint());
        lb_core::Backend::builder(endpoint).name(upstream.name()).priority(priority)
    };
    let (pool, _) =
        pool([at(a, 1, "/team-a").deployment("gpt-a"), at(b, 2, ""), at(c, 3, "/x/y/").deployment("gpt-c")]);
    stack.send(&pool, Call::chat()).unwrap();
    let tail = "chat/completions?api-version=2024-10-21";
    let paths = upstreams.each_ref().map(|upstream| upstream.received()[0].path_and_query.clone());
    assert_eq!(
        paths,
        [
            format!("/team-a/openai/deployments/gpt-a/{tail}"),
            format!("/openai/deployments/caller/{tail}"),
            format!("/x/y/openai/deployments/gpt-c/{tail}"),
        ]
    );
}

pub fn a_path_without_a_deployment_is_left_alone<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _) = pool([backend(&only, 1).deployment("mine")]);
    stack.send(&pool, Call::post("/openai/v1/chat/completions?x=%20y&z=/deployments/q")).unwrap();
    assert_eq!(only.received()[0].path_and_query, "/openai/v1/chat/completions?x=%20y&z=/deployments/q");
}

pub fn the_host_is_each_backends_own<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.script(Answer::throttled(5));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    stack.send(&pool, Call::chat()).unwrap();
    for upstream in [&first, &second] {
        let endpoint = upstream.endpoint();
        let (_, own) = endpoint.split_once("://").unwrap();
        let received = &upstream.received()[0];
        assert_eq!(received.authority.as_deref(), Some(own));
        // HTTP/2 needs no such header, but one that contradicts `:authority` is believed by some servers.
        assert!(received.headers.get_all("host").iter().all(|host| host == own), "{received:?} at {own}");
        assert!(!received.contains("caller.invalid"));
    }
}

pub fn each_backend_gets_its_own_key_and_no_other<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["a", "b", "c"].map(|name| {
        let upstream = stack.upstream(name);
        upstream.always(Answer::throttled(5));
        upstream
    });
    let [a, b, c] = upstreams.each_ref();
    let (pool, _) = pool([
        backend(a, 1).api_key("CANARY-A"),
        backend(b, 2).bearer_token("CANARY-B"),
        backend(c, 3).forward_caller_credential(),
    ]);
    let parameters = lb_core::CALLER_CREDENTIAL_PARAMETERS.map(|name| format!("{name}=CANARY-CALLER")).join("&");
    let path = format!("/v1/chat/completions?{parameters}&api-version=1");
    let names = lb_core::CALLER_CREDENTIALS.into_iter();
    let call = names.fold(Call::post(&path), |call, name| call.header(name, "CANARY-CALLER"));
    stack.send(&pool, call).unwrap();

    let [at_a, at_b, at_c] = upstreams.each_ref().map(|upstream| upstream.received().remove(0));
    assert_eq!((at_a.header("api-key"), at_a.header("authorization")), (Some("CANARY-A"), None));
    assert_eq!((at_b.header("api-key"), at_b.header("authorization")), (None, Some("Bearer CANARY-B")));
    for name in lb_core::CALLER_CREDENTIALS {
        assert_eq!(at_c.header(name), Some("CANARY-CALLER"), "{name}");
    }
    assert_eq!(at_a.path_and_query, "/v1/chat/completions?api-version=1");
    assert_eq!(at_b.path_and_query, at_a.path_and_query);
    assert_eq!(at_c.path_and_query, path, "this one asked for the caller's");
    for (received, foreign) in [
        (&at_a, ["CANARY-B", "CANARY-CALLER"]),
        (&at_b, ["CANARY-A", "CANARY-CALLER"]),
        (&at_c, ["CANARY-A", "CANARY-B"]),
    ] {
        assert!(foreign.iter().all(|canary| !received.contains(canary)), "{received:?}");
    }
}

pub fn the_callers_credential_goes_everywhere_if_no_backend_has_one<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.script(Answer::throttled(5));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    stack.send(&pool, Call::chat().header("authorization", "Bearer entra")).unwrap();
    for upstream in [&first, &second] {
        assert_eq!(upstream.received()[0].header("authorization"), Some("Bearer entra"));
    }
}

pub fn every_attempt_carries_exactly_the_callers_body_and_headers<S: Stack>(protocol: Protocol) {
    let bodies = [Vec::new(), vec![0], (0..=255).cycle().take(300_000).collect::<Vec<u8>>()];
    for body in bodies {
        let stack = S::new(protocol);
        let upstreams = ["a", "b", "c"].map(|name| {
            let upstream = stack.upstream(name);
            upstream.always(Answer::status(503));
            upstream
        });
        let (pool, _) = pool(upstreams.iter().map(|upstream| backend(upstream, 1)));
        let call = Call::chat().header("x-custom", "one").header("x-ms-client-request-id", "two");
        stack.send(&pool, call.body(Body::Bytes(body.clone()))).unwrap();
        for upstream in &upstreams {
            let received = &upstream.received()[0];
            assert!(received.body == body, "{} bytes arrived of {}", received.body.len(), body.len());
            assert_eq!(received.method, http::Method::POST);
            assert_eq!(received.header("content-type"), Some("application/json"));
            assert_eq!(
                (received.header("x-custom"), received.header("x-ms-client-request-id")),
                (Some("one"), Some("two"))
            );
            if let Some(length) = received.header("content-length") {
                assert_eq!(length, body.len().to_string());
            }
        }
    }
}

pub fn a_body_that_cannot_be_replayed_gets_one_attempt_and_its_real_answer<S: Stack>(protocol: Protocol) {
    for backends in [1, 2] {
        let stack = S::new(protocol);
        let (first, second) = (stack.upstream("first"), stack.upstream("second"));
        first.script(Answer::throttled(5).body("too busy"));
        let both = [backend(&first, 1), backend(&second, 2)];
        let (pool, _) = pool(both.into_iter().take(backends));
        let call = Call::chat().body(Body::OneShot(b"streamed".to_vec()));
        let reply = stack.send(&pool, call).unwrap();
        assert_eq!(first.received()[0].body, b"streamed");
        if !S::HAS_ONE_SHOT_BODIES {
            match backends {
                1 => reply.assert_exhausted::<S>(Duration::from_secs(5)),
                _ => assert_eq!(reply.served(), ("second", 2)),
            }
            assert!(second.received().iter().all(|received| received.body == b"streamed"));
            continue;
        }
        assert_eq!(reply.status, 429);
        reply.assert_refused_by::<S>(&pool, "first", 1);
        assert_eq!(reply.text(), "too busy");
        assert!(second.received().is_empty());
        assert!(cooling(&pool, "first").is_some(), "the backend still cools down");
    }
}

pub fn an_answer_is_returned_exactly_as_it_came<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let answer = Answer::status(201).header("x-one", "1").header("apim-request-id", "id");
    only.script(answer.header("content-type", "application/octet-stream").body(body.clone()));
    let (pool, _) = pool([backend(&only, 1)]);
    let reply = stack.send(&pool, Call::chat()).unwrap();
    assert_eq!(reply.status, 201);
    assert_eq!((reply.header("x-one"), reply.header("apim-request-id")), (Some("1"), Some("id")));
    if let Some(url) = &reply.url {
        assert_eq!(*url, format!("{}{}", only.endpoint(), Call::chat().path_and_query));
    }
    assert!(reply.body() == body);
}

pub fn redirects_are_returned_and_never_followed<S: Stack>(protocol: Protocol) {
    for status in [301, 302, 303, 307, 308] {
        let stack = S::new(protocol);
        let (only, elsewhere) = (stack.upstream("only"), stack.upstream("elsewhere"));
        only.script(Answer::status(status).header("location", &format!("{}/stolen", elsewhere.endpoint())));
        let (pool, _) = pool([backend(&only, 1).api_key("CANARY")]);
        let reply = stack.send(&pool, Call::chat()).unwrap();
        assert_eq!(reply.status, status);
        reply.assert_refused_by::<S>(&pool, "only", 1);
        assert!(reply.header("location").is_some_and(|location| location.ends_with("/stolen")));
        assert!(elsewhere.received().is_empty(), "a redirect was followed with a key on board");
        assert_eq!(snapshot(&pool, "only").counters.successes, 1);
    }
}

pub fn a_request_that_cannot_be_addressed_blames_nobody<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let at_prefix = lb_core::Backend::builder(format!("{}/{}", only.endpoint(), "p".repeat(100))).name("only");
    let (pool, _) = pool([at_prefix]);
    // Just short enough for the caller's URI, and too long with the backend's prefix.
    let long = format!("/{}?api-version=1", "x".repeat(65_490));
    match stack.send(&pool, Call::post(&long)) {
        Err(Failure::Address(message)) => assert!(message.contains("only"), "{message}"),
        other => panic!("expected an address error, got {other:?}"),
    }
    assert_eq!(cooling(&pool, "only"), None);
    assert_eq!(snapshot(&pool, "only").counters.cancelled, 1);
    assert!(only.received().is_empty());
    assert_counted(&pool, &only);
}

pub fn no_path_leads_out_of_the_prefix<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _) = pool([lb_core::Backend::builder(format!("{}/team-a", only.endpoint())).name("only")]);
    for path in ["/..%2fadmin", "/..%5Cadmin", "/x/..%2f..%2fadmin", "/..;/admin", "/%252e%252e/admin", "/..%3b/admin"]
    {
        match stack.send(&pool, Call::post(path)) {
            Err(Failure::Address(message)) => {
                assert!(message.contains("only") && !message.contains("admin"), "{message}")
            }
            other => panic!("{path}: expected an address error, got {other:?}"),
        }
    }
    assert!(only.received().is_empty(), "{:?}", only.received());
    // URLs of the `url` crate resolve these before the balancer sees them.
    for path in ["/../admin", "/%2e%2e/admin", "/..\\admin", "/x/..\\..\\admin"] {
        match stack.send(&pool, Call::post(path)) {
            Err(Failure::Address(message)) => assert!(!message.contains("admin"), "{message}"),
            Ok(_) => {
                let arrived = only.received().pop().unwrap().path_and_query;
                assert_eq!(arrived, "/team-a/admin", "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(cooling(&pool, "only"), None);
}

pub fn an_encoded_slash_and_dots_in_a_query_arrive_as_they_were_written<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _) = pool([lb_core::Backend::builder(format!("{}/team-a", only.endpoint())).name("only")]);
    let path = "/v1/models/meta%2Fllama-3.1/a%5Cb/.well-known?after=a%2F..%2Fb&next=/../x";
    stack.send(&pool, Call::post(path)).unwrap();
    assert_eq!(only.received()[0].path_and_query, format!("/team-a{path}"));
}

macro_rules! wire {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            wire,
            [
                prefix_and_deployment_are_each_backends_own_on_every_attempt,
                a_path_without_a_deployment_is_left_alone,
                the_host_is_each_backends_own,
                each_backend_gets_its_own_key_and_no_other,
                the_callers_credential_goes_everywhere_if_no_backend_has_one,
                every_attempt_carries_exactly_the_callers_body_and_headers,
                a_body_that_cannot_be_replayed_gets_one_attempt_and_its_real_answer,
                an_answer_is_returned_exactly_as_it_came,
                redirects_are_returned_and_never_followed,
                a_request_that_cannot_be_addressed_blames_nobody,
                no_path_leads_out_of_the_prefix,
                an_encoded_slash_and_dots_in_a_query_arrive_as_they_were_written,
            ]
        );
    };
}
pub(crate) use wire;
