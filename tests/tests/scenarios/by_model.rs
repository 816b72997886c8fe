//! Pools by model: which one serves a request, and what cannot be built.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures::executor::block_on;
use http::Request;
use lb_core::{
    BlockingLoadBalancer, Error, LoadBalancer, MockClock, Pool, Pools, ReplaceablePool, Served, Wait,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::stage::pool_of;

const SECOND: Duration = Duration::from_secs(1);

fn pool(name: &str) -> Arc<Pool> {
    let wait = Wait { longest: 60 * SECOND, queue: 9 };
    Arc::new(pool_of(&[(name, 1)]).wait(wait).clock(MockClock::new()).build().unwrap())
}

fn request(path: &str) -> Request<Bytes> {
    Request::post(path).header("content-type", "application/json").body(Bytes::from(r#"{"model":"embed"}"#)).unwrap()
}

fn for_chat() -> Request<Bytes> {
    request("/openai/deployments/chat/chat/completions?api-version=1")
}

#[test]
fn what_cannot_be_built_is_refused_with_what_to_do() {
    let error = |pools: lb_core::PoolsByModel| pools.build().unwrap_err().to_string();
    let (none, nested): ([&str; 0], _) = ([], Pools::by_model().pool(["a"], pool("a")).build().unwrap());
    assert!(error(Pools::by_model()).contains("there is no pool"));
    assert!(error(Pools::by_model().without_model(pool("a"))).contains("there is no pool"));
    assert!(error(Pools::by_model().pool(none, pool("a"))).contains("must have models"));
    assert!(error(Pools::by_model().pool(["a", ""], pool("a"))).contains("each a name"));
    assert!(error(Pools::by_model().pool(["a"], pool("a")).pool(["b", "a"], pool("b"))).contains("named twice"));
    assert!(error(Pools::by_model().pool(["a", "a"], pool("a"))).contains("named twice"));
    assert!(error(Pools::by_model().pool(["b"], &nested)).contains("by model itself"));
    assert!(error(Pools::by_model().pool(["b"], pool("b")).without_model(&nested)).contains("by model itself"));
}

#[test]
fn the_path_goes_before_the_body_and_what_names_no_model_goes_where_it_was_said() {
    let [chat, embed, files] = ["chat", "embed", "files"].map(pool);
    let pools = Pools::by_model().pool(["chat"], &chat).pool(["embed"], &embed).without_model(&files).build().unwrap();
    let balancer = BlockingLoadBalancer::new(&pools, ScriptedTransport::new());
    let whom = |request| balancer.send(request).unwrap().extensions().get::<Served>().unwrap().backend().to_owned();
    assert_eq!(whom(for_chat()), "chat");
    assert_eq!(whom(request("/openai/v1/embeddings")), "embed");
    assert_eq!(whom(Request::get("/openai/v1/files").body(Bytes::new()).unwrap()), "files");
    assert!(matches!(balancer.send(request("/openai/deployments/other/x")), Err(Error::NoPool(_))));
    assert!(Arc::ptr_eq(&balancer.pool(), &chat));
}

#[test]
fn every_pool_is_listed_once_also_where_it_serves_several_models() {
    let [a, b] = ["a", "b"].map(pool);
    let (handle, models) = (ReplaceablePool::from(Arc::clone(&b)), ["x", "y"]);
    let pools = Pools::by_model().pool(models, &a).pool(["z"], &handle).without_model(&a).build().unwrap();
    let listed =
        |pools: &Pools| pools.pools().iter().map(|pool| pool.backends()[0].name().to_owned()).collect::<Vec<_>>();
    assert_eq!(listed(&pools), ["a", "b"]);
    let _ = handle.replace(pool_of(&[("c", 1)])).unwrap();
    assert_eq!(listed(&pools), ["a", "c"]);
    assert_eq!(pools.pool_for(Some("z")).unwrap().backends()[0].name(), "c");
}

#[test]
fn a_name_of_any_length_and_kind_is_shown_safely() {
    let pools = Pools::by_model().pool(["chat"], pool("a")).build().unwrap();
    let error = pools.pool_for(Some(&format!("a\n\u{1b}[31m{}", "x".repeat(10_000)))).unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 250 && !text.contains(['\n', '\u{1b}']), "{text}");
}

#[test]
fn a_request_waits_in_the_pool_of_its_model_and_no_place_leaks() {
    let [chat, embed] = ["chat", "embed"].map(pool);
    let pools = Pools::by_model().pool(["chat"], &chat).pool(["embed"], &embed).build().unwrap();
    let transport = ScriptedTransport::new();
    transport.reply("chat", Reply::status(429).header("retry-after", "5"));
    let response = BlockingLoadBalancer::new(&pools, transport).send(for_chat()).unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!((served.backend(), served.attempts(), served.waited()), ("chat", 2, 5 * SECOND));
    assert_eq!((chat.snapshot().waits.waiting, embed.snapshot().waits.begun), (0, 0));

    assert!(chat.cool("chat", 5 * SECOND));
    let balancer = LoadBalancer::new(&pools, ScriptedTransport::new());
    {
        let mut sent = pin!(balancer.send(for_chat()));
        assert!(sent.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(chat.snapshot().waits.waiting, 1);
        assert_eq!(
            block_on(balancer.send(request("/openai/v1/embeddings"))).unwrap().status(),
            200,
            "the other goes on"
        );
    }
    assert_eq!(chat.snapshot().waits.waiting, 0);
}
