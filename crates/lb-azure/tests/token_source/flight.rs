//! One fetch at a time, which survives its request.

use futures::{FutureExt, future::join_all, join};
use lb_azure::{Backend, BackendBuilder, BuildError, Pool, RotatingCredential, TokenSource};
use lb_core::{Credential, CredentialSource};

use crate::issuer::{Bench, Issuer, NANO, REFRESHED_AFTER, backend, clock, pool, settle, source};

#[tokio::test]
async fn a_hundred_concurrent_requests_wait_for_one_fetch() {
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    let requests = join_all((0..100).map(|_| bench.send()));
    // Polled after the requests: by then all of them wait.
    let (answers, ()) = join!(requests, async {
        settle().await;
        assert_eq!((issuer.asked(), bench.sent.requests().len()), (1, 0));
        issuer.release(1);
    });
    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 200));
    assert_eq!(issuer.asked(), 1);
    assert_eq!(bench.tokens(), vec!["t-1"; 100]);
}

#[tokio::test]
async fn a_hundred_concurrent_requests_start_one_refresh_and_keep_the_old_token_meanwhile() {
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    issuer.release(1);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    bench.send().await.unwrap();

    clock.advance(REFRESHED_AFTER - NANO);
    join_all((0..100).map(|_| bench.send())).await;
    settle().await;
    assert_eq!(issuer.asked(), 1, "not yet");

    clock.advance(NANO);
    for answer in join_all((0..100).map(|_| bench.send())).await {
        answer.unwrap();
    }
    settle().await;
    assert_eq!(issuer.asked(), 2);
    assert_eq!(bench.tokens(), vec!["t-1"; 201], "nobody waited");

    issuer.release(1);
    settle().await;
    bench.send().await.unwrap();
    assert_eq!((issuer.asked(), bench.last_token().as_str()), (2, "t-2"));
}

#[test]
fn threads_share_one_fetch_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        for _ in 0..50 {
            let clock = clock();
            let issuer = Issuer::new("t", &clock);
            let source = source(&issuer).build();
            let requests = (0..100).map(|_| {
                let source = source.clone();
                tokio::spawn(async move { source.credential().await.unwrap().value().to_str().unwrap().to_owned() })
            });
            for token in join_all(requests).await {
                assert_eq!(token.unwrap(), "Bearer t-1");
            }
            assert_eq!(issuer.asked(), 1);
        }
    });
}

#[tokio::test]
async fn a_fetch_survives_the_drop_of_the_request_that_started_it() {
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    assert!(bench.send().now_or_never().is_none(), "it waits for a token, and is dropped");
    issuer.release(1);
    settle().await;
    let answer = bench.send().now_or_never().expect("the token is here, and nobody has to wait");
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!((issuer.asked(), bench.last_token().as_str()), (1, "t-1"));
    let counters = bench.balancer.pool().snapshot().backends[0].counters;
    assert_eq!((counters.cancelled, counters.faults), (1, 0), "nobody was blamed for the drop");
}

#[tokio::test]
async fn a_refresh_survives_the_drop_of_the_source_of_its_request_and_of_its_waiters() {
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    let source = source(&issuer).build();
    let mut waiting: Vec<_> = (0..10).map(|_| source.credential()).collect();
    for waiter in &mut waiting {
        assert!(waiter.now_or_never().is_none());
    }
    let last = waiting.pop().unwrap();
    drop(waiting);
    issuer.release(1);
    assert_eq!(last.await.unwrap().value(), "Bearer t-1");
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn each_source_has_a_fetch_of_its_own_and_clones_share_one() {
    let clock = clock();
    let (one, two) = (Issuer::new("one", &clock), Issuer::new("two", &clock));
    let (shared, own) = (source(&one).build(), source(&two).build());
    let pool = pool(&clock, [backend("a", 1, &shared), backend("b", 2, &shared), backend("c", 3, &own)]);
    let bench = Bench::new(&pool);
    for name in ["a", "b"] {
        bench.sent.reply(name, lb_core::test_util::Reply::status(503));
    }
    bench.send().await.unwrap();
    assert_eq!(bench.tokens(), ["one-1", "one-1", "two-1"]);
    assert_eq!((one.asked(), two.asked()), (1, 1));
}

#[tokio::test]
async fn the_scope_is_a_parameter() {
    let issuer = Issuer::new("t", &clock());
    source(&issuer).build().warm_up().await.unwrap();
    assert_eq!(issuer.scopes(), [lb_azure::COGNITIVE_SERVICES_SCOPE]);
    source(&issuer).scopes(["https://ai.azure.com/.default"]).build().warm_up().await.unwrap();
    assert_eq!(issuer.scopes(), ["https://ai.azure.com/.default"]);
}

#[tokio::test]
async fn one_identity_is_rotated_for_another_and_for_a_key() {
    let clock = clock();
    let (old, new) = (Issuer::new("old", &clock), Issuer::new("new", &clock));
    let rotating = RotatingCredential::new(source(&old).build());
    let backend = Backend::builder("a.example").credential_source(rotating.clone());
    let bench = Bench::new(&pool(&clock, [backend]));
    bench.send().await.unwrap();
    rotating.rotate(source(&new).build());
    bench.send().await.unwrap();
    assert_eq!(bench.tokens(), ["old-1", "new-1"]);
    rotating.rotate(Credential::api_key("key").unwrap());
    bench.send().await.unwrap();
    assert_eq!(bench.sent.requests()[2].request.headers()["api-key"], "key");
}

#[tokio::test]
async fn a_pool_knows_clones_of_one_source() {
    let clock = clock();
    let (one, other) = (Issuer::new("one", &clock), Issuer::new("other", &clock));
    let (one, other) = (source(&one).build(), source(&other).build());
    let at = |name, source: &TokenSource| Backend::builder("a.example").name(name).credential_source(source.clone());
    let pool = |backends: [BackendBuilder; 2]| Pool::new(backends.map(|backend| backend.build().unwrap()));
    assert!(pool([at("a", &one), at("b", &other)]).is_ok());
    let refused = pool([at("a", &one), at("b", &one)]).unwrap_err();
    assert!(matches!(refused, BuildError::DuplicateEndpoint { .. }), "{refused}");
}
