//! Bodies that stream: those that are in memory fail over, the others are sent once, and whole.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use lb_core::{Event, Fault, Observer};
use lb_emulator::{Emulator, Reply};
use lb_reqwest::{
    BalanceMiddleware, BlockingLoadBalancer, BlockingReqwestTransport, Error, LoadBalancer, Pool, ReqwestTransport,
    State,
};
use reqwest::{Body, Request, multipart};
use reqwest_middleware::ClientBuilder;

use crate::{URL, client, pool, refusing_and_serving, streamed};

fn transport() -> ReqwestTransport {
    ReqwestTransport::with_client_that_follows_no_redirects(client())
}

fn form() -> multipart::Form {
    let file = multipart::Part::bytes(vec![0xff; 100_000]).file_name("a.mp3");
    multipart::Form::new().text("model", "whisper").part("file", file)
}

fn post(body: Body) -> Request {
    client().post(URL).body(body).build().unwrap()
}

/// In memory, though it has no length.
fn ready(chunks: &'static [&'static str]) -> Body {
    Body::wrap(StreamBody::new(stream::iter(chunks).map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from(*chunk))))))
}

/// Both received the same form, with its length.
fn received_the_form(emulators: [&Emulator; 2]) {
    let [first, second] = emulators.map(|emulator| emulator.requests()[0].clone());
    assert_eq!(first.body(), second.body());
    for received in [first, second] {
        assert_eq!(received.header("content-length").unwrap(), received.body().len().to_string());
        assert!(received.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    }
}

#[tokio::test]
async fn a_form_in_memory_fails_over() {
    let (refusing, serving) = refusing_and_serving();
    let balancer = LoadBalancer::new(pool([&refusing, &serving]), transport());
    let response = balancer.send(client().post(URL).multipart(form()).build().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    received_the_form([&refusing, &serving]);
}

#[tokio::test]
async fn a_form_in_memory_fails_over_under_middleware() {
    let (refusing, serving) = refusing_and_serving();
    let balanced = BalanceMiddleware::new(pool([&refusing, &serving]));
    let client = ClientBuilder::new(client()).with(balanced).build();
    let response = client.post(URL).multipart(form()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    received_the_form([&refusing, &serving]);
}

#[test]
fn a_form_in_memory_fails_over_on_a_blocking_client() {
    use reqwest::blocking::{Client, multipart};
    for (buffers_forms, status) in [(true, 200), (false, 429)] {
        let (refusing, serving) = refusing_and_serving();
        let transport = BlockingReqwestTransport::from_builder(Client::builder().no_proxy()).unwrap();
        let transport = if buffers_forms { transport.buffer_forms() } else { transport };
        let file = multipart::Part::bytes(vec![0xff; 100_000]).file_name("a.mp3");
        let form = multipart::Form::new().text("model", "whisper").part("file", file);
        let request = transport.client().post(URL).multipart(form).build().unwrap();
        let response = BlockingLoadBalancer::new(pool([&refusing, &serving]), transport).send(request).unwrap();
        assert_eq!(response.status(), status);
        if status == 200 {
            received_the_form([&refusing, &serving]);
        } else {
            assert_eq!(serving.request_count(), 0);
        }
    }
}

/// The names of the events.
#[derive(Default)]
struct Told(Mutex<Vec<&'static str>>);

impl Observer for Told {
    fn on_event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(match event {
            Event::FailedOver { .. } => "failed over",
            Event::NotRepeated { backend, .. } if backend.name() == "first" => "not repeated",
            _ => return,
        });
    }
}

#[tokio::test]
async fn a_body_is_repeated_only_if_it_is_all_there_and_within_the_limit() {
    const WHOLE: u64 = "{\"a\":1}".len() as u64;
    for (body, limit, is_repeated) in [
        (ready(&["{\"a\"", ":1}"]), WHOLE, true),
        (ready(&["{\"a\"", ":1}"]), WHOLE - 1, false),
        (ready(&["{\"a\"", ":1}"]), 0, false),
        (ready(&["", "{\"a\":1}", ""]), WHOLE, true),
        (streamed(["{\"a\"", ":1}"]), WHOLE, false),
        (streamed(["{\"a\":1}"]), WHOLE, false),
    ] {
        let (refusing, serving) = refusing_and_serving();
        let told = Arc::new(Told::default());
        let backends = pool([&refusing, &serving]).backends().to_vec();
        let pool = Pool::builder().backends(backends).observer(Arc::clone(&told)).build().unwrap();
        let balancer = LoadBalancer::new(pool, transport().buffer_up_to(limit));
        let response = balancer.send(post(body)).await.unwrap();
        assert_eq!(response.status(), if is_repeated { 200 } else { 429 });
        assert_eq!(*told.0.lock().unwrap(), [if is_repeated { "failed over" } else { "not repeated" }]);
        assert_eq!((refusing.request_count(), serving.request_count()), (1, u64::from(is_repeated)));
        for received in refusing.requests().iter().chain(&serving.requests()) {
            assert_eq!(received.body(), "{\"a\":1}", "whole and in order, whatever was read before");
        }
    }
}

#[tokio::test]
async fn a_body_of_the_callers_that_fails_blames_nobody() {
    for sends_again in [false, true] {
        let (first, second) = (Emulator::start().unwrap(), Emulator::start().unwrap());
        let backends = pool([&first, &second]).backends().to_vec();
        let pool = Pool::builder().backends(backends).fail_over_after_send(sends_again).strikes(1).build().unwrap();
        let balancer = LoadBalancer::new(pool, transport());
        let ready_then_broken =
            [Ok(Frame::data(Bytes::from("{"))), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
        let error =
            balancer.send(post(Body::wrap(StreamBody::new(stream::iter(ready_then_broken))))).await.unwrap_err();
        let Error::Transport(error) = error else { panic!("{error}") };
        assert_eq!(lb_reqwest::fault(&error), Fault::Request);
        for backend in balancer.pool().snapshot().backends {
            assert_eq!((backend.state, backend.strikes, backend.counters.in_flight), (State::Available, 0, 0));
        }
        assert_eq!(second.request_count(), 0);
    }
}

#[tokio::test]
async fn a_stream_that_was_read_in_part_keeps_its_length() {
    let (_, serving) = refusing_and_serving();
    let pool = pool([&serving, &serving_too()]);
    let balancer = LoadBalancer::new(pool, transport().buffer_up_to(10));
    let response = balancer.send(client().post(URL).multipart(form()).build().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let received = serving.requests()[0].clone();
    assert_eq!(received.header("content-length").unwrap(), received.body().len().to_string());
}

fn serving_too() -> Emulator {
    let emulator = Emulator::start().unwrap();
    emulator.always(Reply::status(200));
    emulator
}
