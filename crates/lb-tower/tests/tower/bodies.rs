//! Which bodies can be sent again, and what else of a request every attempt gets.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::executor::block_on;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Either, Full, combinators::BoxBody};
use lb_core::{Exhausted, MockClock};
use lb_tower::{Backend, BalanceLayer, BoxError, LoadBalancer, Pool, ResponseBody, TowerTransport};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{ask, counters, host, nobody_cools, pool, served, status};

/// What can be read once.
type Stream = BoxBody<Bytes, Infallible>;

fn stream(text: &'static str) -> Stream {
    BodyExt::boxed(Full::from(text))
}

/// Refuses at the first backend, after it has read the whole body.
async fn refuse_first<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let is_first = host(&request) == "a.example";
    let body = request.into_body().collect().await.map_err(Into::into)?.to_bytes();
    Ok(status(if is_first { 429 } else { 200 }, Full::from(body)))
}

fn text(response: Response<ResponseBody<Full<Bytes>>>) -> Bytes {
    block_on(response.into_body().collect()).unwrap().to_bytes()
}

#[test]
fn a_body_that_is_clone_reaches_every_attempt_whole() {
    let service = BalanceLayer::new(pool(["a.example", "b.example"])).layer(service_fn(refuse_first));
    let response = block_on(service.oneshot(ask())).unwrap();
    assert_eq!(served(&response), ("b.example", 2));
    assert_eq!(text(response), "{}");
}

#[test]
fn a_body_that_is_not_clone_gets_one_attempt_and_its_real_answer() {
    let pool = pool(["a.example", "b.example"]);
    let service = BalanceLayer::new(Arc::clone(&pool)).one_attempt().layer(service_fn(refuse_first));
    let send = |text| service.clone().oneshot(ask().map(|_| stream(text)));
    let response = block_on(send("once")).unwrap();
    assert_eq!((response.status().as_u16(), served(&response)), (429, ("a.example", 1)));
    assert_eq!(text(response), "once");
    assert!(!nobody_cools(&pool), "what the refusal taught is kept");
    // Routed, not sent blindly: the next one goes to the backend that is available.
    assert_eq!(served(&block_on(send("again")).unwrap()), ("b.example", 1));
}

#[test]
fn a_function_can_say_which_bodies_are_copied() {
    type Body = Either<Full<Bytes>, Stream>;
    let copy = |body: &Body| match body {
        Either::Left(bytes) => Some(Either::Left(bytes.clone())),
        Either::Right(_) => None,
    };
    for (body, expected) in [(Either::Left(Full::from("kept")), 200), (Either::Right(stream("streams")), 429)] {
        let balanced = BalanceLayer::new(pool(["a.example", "b.example"])).replay_with(copy);
        let service = balanced.layer(service_fn(refuse_first));
        let response = block_on(service.oneshot(ask().map(|_| body))).unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[test]
fn every_attempt_has_the_callers_method_version_headers_and_extensions() {
    #[derive(Clone, Debug, PartialEq)]
    struct Hint(u8);

    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let client = service_fn(move |mut request: Request<Full<Bytes>>| {
        sink.lock().unwrap().push((
            request.method().clone(),
            request.version(),
            request.headers().clone(),
            request.extensions_mut().remove::<Hint>(),
        ));
        async { Ok::<_, Infallible>(status(503, Full::<Bytes>::default())) }
    });
    let request = Request::put("http://caller.example/x")
        .version(Version::HTTP_2)
        .header("x-custom", "one")
        .header("x-custom", "two")
        .extension(Hint(7))
        .body(Full::default())
        .unwrap();
    let origins = ["a.example", "b.example", "c.example"];
    block_on(BalanceLayer::new(pool(origins)).layer(client).oneshot(request)).unwrap();

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    for (method, version, headers, hint) in seen.iter() {
        assert_eq!((method.as_str(), *version, hint.as_ref()), ("PUT", Version::HTTP_2, Some(&Hint(7))));
        assert!(headers.get_all("x-custom").iter().eq(["one", "two"]), "{headers:?}");
    }
}

#[test]
fn the_synthesised_answer_has_a_body_and_says_what_it_is() {
    let client =
        || service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(status(429, Full::from("busy"))) });
    let mut service = BalanceLayer::new(pool(["a.example"])).layer(client());
    let response = block_on(service.call(ask())).unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"10".parse().unwrap()));
    assert!(response.extensions().get::<Exhausted>().is_some());
    assert!(text(response).starts_with(br#"{"error":{"#));

    let response = block_on(service.call(ask())).unwrap();
    assert!(response.into_body().into_inner().is_none(), "it is no backend's");
}

#[test]
fn what_the_balancer_itself_has_to_say_can_be_downcast() {
    let client =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(status(200, Full::<Bytes>::default())) });
    let backend = Backend::builder("a.example/prefix").name("a").build().unwrap();
    let pool = Arc::new(Pool::builder().backend(backend).clock(MockClock::new()).build().unwrap());
    let service = BalanceLayer::new(Arc::clone(&pool)).layer(client);
    let request = Request::get("http://caller.example/x/../y").body(Full::default()).unwrap();
    let error = block_on(service.oneshot(request)).unwrap_err();
    let ours = error.downcast_ref::<lb_tower::Error<Infallible>>();
    assert!(matches!(ours, Some(lb_tower::Error::Address(_))), "{error}");
    assert_eq!(counters(&pool, 0).cancelled, 1);
}

#[test]
fn a_transport_keeps_the_error_of_its_service() {
    #[derive(Debug)]
    struct Ours;
    impl std::fmt::Display for Ours {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("ours")
        }
    }
    impl std::error::Error for Ours {}

    let client = service_fn(|_: Request<Full<Bytes>>| async { Err::<Response<Full<Bytes>>, _>(Ours) });
    let transport = TowerTransport::new(client).faults_by(|error| {
        assert!(error.is::<Ours>());
        lb_tower::Fault::Connect
    });
    let balancer = LoadBalancer::new(pool(["a.example", "b.example"]), transport);
    let error = block_on(balancer.send(ask())).unwrap_err();
    assert!(matches!(error, lb_tower::Error::Transport(Ours)));
    assert_eq!(counters(&balancer.pool(), 1).faults, 1, "a connect fault fails over");
}
