//! A balancer as a middleware: one run of the rest of the chain per attempt.

use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::Extensions;
use lb_core::Error as BalancerError;
use lb_emulator::Reply;
use lb_reqwest::{BalanceMiddleware, Exhausted, Served};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};

use crate::{URL, client, counters, nobody_cools, one_shot, pool, refusing_and_serving};

/// Notes where each request goes, and counts them in the extensions.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

/// How often notes were taken of one request.
#[derive(Debug, Clone, Default, PartialEq)]
struct Count(u32);

impl Notes {
    fn hosts(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Middleware for Notes {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        self.0.lock().unwrap().push(request.url().authority().to_owned());
        extensions.get_or_insert_default::<Count>().0 += 1;
        next.run(request, extensions).await
    }
}

/// A middleware that fails once, instead of sending.
struct Failing(Mutex<Option<Error>>);

impl Failing {
    fn with(error: Error) -> Self {
        Self(Mutex::new(Some(error)))
    }
}

#[async_trait]
impl Middleware for Failing {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let error = self.0.lock().unwrap().take();
        match error {
            Some(error) => Err(error),
            None => next.run(request, extensions).await,
        }
    }
}

/// An error of a middleware that has one of reqwest's as its cause.
#[derive(Debug)]
struct Wrapped(reqwest::Error);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gave up")
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn balanced(pool: &Arc<lb_reqwest::Pool>, inside: impl Middleware) -> ClientWithMiddleware {
    ClientBuilder::new(client()).with(BalanceMiddleware::new(Arc::clone(pool))).with(inside).build()
}

#[tokio::test]
async fn middleware_after_it_sees_each_attempt_and_middleware_before_it_the_request() {
    let (refusing, serving) = refusing_and_serving();
    let (outside, inside) = (Notes::default(), Notes::default());
    let client = ClientBuilder::new(client())
        .with(outside.clone())
        .with(BalanceMiddleware::new(pool([&refusing, &serving])))
        .with(inside.clone())
        .build();
    let response = client.post(URL).body("{}").send().await.unwrap();
    assert_eq!(response.extensions().get::<Served>().unwrap().attempts(), 2);
    assert_eq!(response.text().await.unwrap(), "served");
    assert_eq!(outside.hosts(), ["caller.invalid"]);
    assert_eq!(inside.hosts(), [refusing.addr().to_string(), serving.addr().to_string()]);
}

#[tokio::test]
async fn the_callers_extensions_reach_every_attempt_and_come_back() {
    let (refusing, serving) = refusing_and_serving();
    let client = balanced(&pool([&refusing, &serving]), Notes::default());
    let mut extensions = Extensions::new();
    extensions.insert(Count(5));
    let request = client.post(URL).body("{}").build().unwrap();
    client.execute_with_extensions(request, &mut extensions).await.unwrap();
    assert_eq!(extensions.get(), Some(&Count(7)), "two attempts added to the caller's");
}

#[tokio::test]
async fn a_dropped_request_leaves_the_callers_extensions_where_they_are() {
    let (silent, serving) = refusing_and_serving();
    silent.clear_script();
    silent.script(Reply::no_head());
    let pool = pool([&silent, &serving]);
    let client = balanced(&pool, Notes::default());
    let mut extensions = Extensions::new();
    let request = client.post(URL).body("{}").build().unwrap();
    tokio::select! {
        result = client.execute_with_extensions(request, &mut extensions) => panic!("the response came: {result:?}"),
        arrived = silent.wait_for_requests_async(1, Duration::from_secs(30)) => assert!(arrived),
    }
    assert_eq!(extensions.get(), Some(&Count(1)));
    assert_eq!((counters(&pool, 0).cancelled, counters(&pool, 0).in_flight), (1, 0));
    assert!(nobody_cools(&pool));
}

#[tokio::test]
async fn a_request_that_cannot_be_cloned_is_routed_once_never_unbalanced() {
    let (refusing, serving) = refusing_and_serving();
    let pool = pool([&refusing, &serving]);
    let client = balanced(&pool, Notes::default());
    let send = || client.post(URL).body(one_shot()).send();
    let refused = send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.text().await.unwrap().as_str()), (429, "too busy"));
    // The refusal was learnt from, so the next one goes where there is room; the caller's own host is never asked.
    let served = send().await.unwrap();
    assert_eq!(served.extensions().get::<Served>().unwrap().backend(), "second");
    assert_eq!((refusing.request_count(), serving.request_count()), (1, 1));
    assert_eq!(serving.requests()[0].body(), "streamed");
}

#[tokio::test]
async fn a_connect_fault_inside_another_middlewares_error_fails_over() {
    let (first, serving) = refusing_and_serving();
    let pool = pool([&first, &serving]);
    // Made here, since the middleware makes its error without waiting.
    let connect = client().get("http://name.invalid").send().await.unwrap_err();
    assert!(connect.is_connect());
    let response =
        balanced(&pool, Failing::with(Error::middleware(Wrapped(connect)))).post(URL).body("{}").send().await.unwrap();
    assert_eq!(response.extensions().get::<Served>().unwrap().backend(), "second");
    assert_eq!(counters(&pool, 0).faults, 1);
    assert_eq!(first.request_count(), 0);
}

#[tokio::test]
async fn another_middlewares_own_error_is_returned_and_blames_nobody() {
    let (first, second) = refusing_and_serving();
    let pool = pool([&first, &second]);
    let failing = Failing::with(Error::middleware(io::Error::other("no permission")));
    let error = balanced(&pool, failing).post(URL).body("{}").send().await.unwrap_err();
    assert_eq!(error.to_string(), "no permission");
    assert!(nobody_cools(&pool));
    assert_eq!(second.request_count(), 0);
}

#[tokio::test]
async fn what_the_balancer_itself_has_to_say_can_be_downcast() {
    let (first, second) = refusing_and_serving();
    let pool = pool([&first, &second]);
    let long = format!("http://caller.invalid/{}", "x".repeat(70_000));
    let error = balanced(&pool, Notes::default()).get(long).send().await.unwrap_err();
    let Error::Middleware(error) = error else { panic!("{error}") };
    assert!(matches!(error.downcast_ref(), Some(BalancerError::<Infallible>::Address(_))), "{error}");
    assert!(nobody_cools(&pool));
}

/// Asks again, as often as it is told, whatever the answer is.
struct Again(u32);

#[async_trait]
impl Middleware for Again {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        for _ in 0..self.0 {
            next.clone().run(request.try_clone().unwrap(), extensions).await?;
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn retries_around_it_cost_the_backends_nothing_while_all_of_them_cool() {
    let (first, second) = refusing_and_serving();
    second.always(Reply::throttled(Duration::from_secs(4)));
    let balanced = BalanceMiddleware::new(pool([&first, &second]));
    let client = ClientBuilder::new(client()).with(Again(3)).with(balanced).build();
    let response = client.post(URL).body("{}").send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"4".parse().unwrap()));
    assert!(response.extensions().get::<Exhausted>().is_some());
    assert_eq!((first.request_count(), second.request_count()), (1, 1));
}
