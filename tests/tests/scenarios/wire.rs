//! What arrives at the backends: paths, headers, keys and bodies, on the first attempt and on later ones.

use bytes::Bytes;
use http::Request;
use lb_core::{BackendBuilder, CALLER_CREDENTIALS, Error, Pool, PoolBuilder, test_util::Reply};
use lb_tests::stage::{ask, host, on_every_drive, pool_of};

fn pool(backends: impl IntoIterator<Item = BackendBuilder>) -> PoolBuilder {
    Pool::builder().backends(backends.into_iter().map(|backend| backend.build().unwrap()))
}

fn at(endpoint: &str, name: &str, priority: u32) -> BackendBuilder {
    lb_core::Backend::builder(endpoint).name(name).priority(priority)
}

#[test]
fn path_prefixes_never_accumulate() {
    let backends = || {
        pool([
            at("https://a.example/team-a", "a", 1),
            at("http://b.example:8080/team/b/", "b", 2),
            at("https://c.example", "c", 3),
        ])
    };
    on_every_drive(backends, |stage| {
        stage.transport.always("a", Reply::status(503)).always("b", Reply::status(503));
        let request = Request::post("https://caller.example:1/openai/v1/chat?x=1&y=%20/z").body(Bytes::new()).unwrap();
        assert_eq!(stage.send(request).unwrap().status(), 200);
        let uris: Vec<_> = stage.arrived().iter().map(|sent| sent.request.uri().to_string()).collect();
        assert_eq!(
            uris,
            [
                "https://a.example/team-a/openai/v1/chat?x=1&y=%20/z",
                "http://b.example:8080/team/b/openai/v1/chat?x=1&y=%20/z",
                "https://c.example/openai/v1/chat?x=1&y=%20/z",
            ]
        );
    });
}

#[test]
fn each_backend_gets_its_own_deployment_name() {
    let backends = || pool([host("a", 1).deployment("gpt-a"), host("b", 2), host("c", 3).deployment("gpt-c")]);
    on_every_drive(backends, |stage| {
        stage.transport.always("a", Reply::status(503)).always("b", Reply::status(503));
        assert_eq!(stage.ask().status(), 200);
        let paths: Vec<_> = stage.arrived().iter().map(|sent| sent.request.uri().path().to_owned()).collect();
        let path = |name| format!("/openai/deployments/{name}/chat/completions");
        assert_eq!(paths, [path("gpt-a"), path("gpt"), path("gpt-c")]);
    });
}

#[test]
fn each_backend_gets_exactly_its_own_key_and_the_callers_goes_nowhere() {
    let backends = || {
        pool([
            host("a", 1).api_key("KEY-A"),
            host("b", 2).bearer_token("TOKEN-B"),
            host("c", 3).api_key("KEY-C"),
            host("d", 4).forward_caller_credential(),
        ])
    };
    on_every_drive(backends, |stage| {
        for name in ["a", "b", "c"] {
            stage.transport.always(name, Reply::status(429));
        }
        let mut request = ask();
        for name in CALLER_CREDENTIALS {
            request.headers_mut().append(name, "CALLER".parse().unwrap());
            request.headers_mut().append(name, "CALLER-TOO".parse().unwrap());
        }
        request.headers_mut().append("host", "caller.example".parse().unwrap());
        request.headers_mut().append("x-own", "kept".parse().unwrap());
        let original = request.headers().clone();
        assert_eq!(stage.send(request).unwrap().status(), 200);

        let sent = stage.arrived();
        let headers = |n: usize| -> Vec<_> {
            let lines = sent[n].request.headers().iter();
            // Sorted: the order of different headers means nothing (RFC 9110, 5.3).
            let mut lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(headers(0), ["api-key: KEY-A", "x-own: kept"]);
        assert_eq!(headers(1), ["authorization: Bearer TOKEN-B", "x-own: kept"]);
        assert_eq!(headers(2), ["api-key: KEY-C", "x-own: kept"]);
        let mut forwarded = original;
        forwarded.remove("host");
        assert_eq!(sent[3].request.headers(), &forwarded, "this one asked for the caller's");
    });
}

#[test]
fn without_keys_in_the_pool_every_backend_gets_the_callers_credential() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            stage.transport.always("a", Reply::status(429));
            let mut request = ask();
            request.headers_mut().insert("authorization", "Bearer one-for-all".parse().unwrap());
            assert_eq!(stage.send(request).unwrap().status(), 200);
            for sent in stage.arrived() {
                assert_eq!(sent.request.headers()["authorization"], "Bearer one-for-all", "{}", sent.backend);
            }
        },
    );
}

#[test]
fn every_attempt_carries_the_callers_body_method_and_version() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2), ("c", 3)]),
        |stage| {
            stage.transport.always("a", Reply::status(503)).always("b", Reply::status(503));
            let body: Vec<u8> = (0..=255).collect();
            let request = Request::put("/x")
                .version(http::Version::HTTP_2)
                .header("content-length", "256")
                .body(Bytes::from(body.clone()))
                .unwrap();
            assert_eq!(stage.send(request).unwrap().status(), 200);
            let sent = stage.arrived();
            assert_eq!(sent.iter().map(|sent| sent.attempt).collect::<Vec<_>>(), [1, 2, 3]);
            for sent in sent {
                assert_eq!(sent.request.body(), &body);
                assert_eq!(sent.request.headers()["content-length"], "256");
                assert_eq!((sent.request.method().as_str(), sent.request.version()), ("PUT", http::Version::HTTP_2));
            }
        },
    );
}

#[test]
fn a_request_that_cannot_be_addressed_is_the_callers_error_and_blames_nobody() {
    let backends = || pool([at("https://a.example/prefix", "a", 1), host("b", 2)]);
    on_every_drive(backends, |stage| {
        let long = format!("/{}", "x".repeat(65_530));
        let paths = [&long, "/../secrets", "/a/%2e%2E/b", "/..\\secrets", "/..%2fsecrets", "/..;/secrets"];
        for path in paths {
            let request = Request::post(path).body(Bytes::new()).unwrap();
            let Err(Error::Address(error)) = stage.send(request) else { panic!("{path} cannot be addressed") };
            assert_eq!(error.backend(), "a");
        }
        assert_eq!(stage.asked(), [""; 0]);
        assert_eq!(stage.cooling_secs(), [None, None]);
        let counters = stage.counters("a");
        assert_eq!((counters.attempts, counters.cancelled, counters.in_flight), (6, 6, 0));
    });
}
