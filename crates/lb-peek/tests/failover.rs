//! The balancer's loop over streams that refuse: what their callers get, and what becomes of the backends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures::{channel::mpsc, executor::block_on};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use lb_core::{
    Backend, BackendSnapshot, Error, Exhausted, Fault, Head, HttpTransport, LoadBalancer, MockClock, Pool, PoolBuilder,
    Refusal, Served, State, Target, Transport,
};
use lb_peek::peek;

const PREAMBLE: &str = "data: {\"type\":\"response.created\"}\n\n";
const REFUSED: &str = "data: {\"type\":\"error\",\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n";
const HEALTHY: &str = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n";

/// A body that can be made of bytes, and of any other body.
struct Answer(UnsyncBoxBody<Bytes, Infallible>);

impl From<Bytes> for Answer {
    fn from(bytes: Bytes) -> Self {
        Self(UnsyncBoxBody::new(Full::new(bytes)))
    }
}

type Frames = mpsc::UnboundedReceiver<Result<Frame<Bytes>, Infallible>>;

/// A client of backends that answer once each, as they are told.
#[derive(Default)]
struct Client {
    answers: Mutex<HashMap<String, Response<Answer>>>,
    peeked: AtomicUsize,
    discarded: AtomicUsize,
}

impl Client {
    fn answers<B: Body<Data = Bytes, Error = Infallible> + Send + 'static>(
        &self,
        backend: &str,
        headers: &[(&'static str, &'static str)],
        body: B,
    ) {
        let mut response = Response::new(Answer(UnsyncBoxBody::new(body)));
        response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.answers.lock().unwrap().insert(backend.to_owned(), response);
    }
}

impl HttpTransport for Client {
    type RequestBody = Bytes;
    type ResponseBody = Answer;
    type Error = Infallible;

    async fn send(&self, _: Request<Bytes>, target: &Target<'_>) -> Result<Response<Answer>, Infallible> {
        Ok(self.answers.lock().unwrap().remove(target.backend().name()).unwrap())
    }
    fn fault(&self, error: &Infallible) -> Fault {
        match *error {}
    }
    async fn peek(
        &self,
        response: Response<Answer>,
        enough: impl Future<Output = ()> + Send,
    ) -> (Response<Answer>, Option<Refusal>) {
        self.peeked.fetch_add(1, Ordering::Relaxed);
        let (parts, Answer(body)) = response.into_parts();
        let (body, refusal) = peek(body, enough).await;
        (Response::from_parts(parts, Answer(UnsyncBoxBody::new(body))), refusal)
    }
    fn discard(&self, _: Response<Answer>) {
        self.discarded.fetch_add(1, Ordering::Relaxed);
    }
}

type Balancer<T = Client> = LoadBalancer<T>;

/// Backends `a`, then `b`, on a mock clock.
fn balancer<T: Transport>(client: T, options: impl FnOnce(PoolBuilder) -> PoolBuilder) -> (Balancer<T>, MockClock) {
    let clock = MockClock::new();
    let backend = |name: &str, priority| Backend::builder(format!("{name}.example")).name(name).priority(priority);
    let pool = Pool::builder().backend(backend("a", 1).build().unwrap()).backend(backend("b", 2).build().unwrap());
    (LoadBalancer::new(options(pool).clock(clock.clone()).build().unwrap(), client), clock)
}

fn full(body: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(body.into())
}

fn request() -> Request<Bytes> {
    Request::post("https://any.host/openai/v1/responses").body(Bytes::from("{}")).unwrap()
}

fn served(response: &Response<Answer>) -> Option<(&str, u32)> {
    response.extensions().get::<Served>().map(|served| (served.backend(), served.attempts()))
}

fn text(response: Response<Answer>) -> String {
    let body = block_on(response.into_body().0.collect()).unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn snapshot<T: Transport>(balancer: &Balancer<T>, name: &str) -> BackendSnapshot {
    balancer.pool().snapshot().backends.into_iter().find(|entry| entry.backend.name() == name).unwrap()
}

fn cooling<T: Transport>(balancer: &Balancer<T>, name: &str) -> Option<Duration> {
    snapshot(balancer, name).state.remaining()
}

fn poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_refusal_in_a_stream_fails_over_unseen_and_cools_its_backend() {
    for (headers, after) in [
        (&[("retry-after", "7")][..], 7_000),
        (&[("retry-after-ms", "250"), ("retry-after", "1")], 250),
        (&[("x-ratelimit-remaining-tokens", "-532"), ("x-ratelimit-reset-tokens", "33")], 33_000),
        (&[("x-ratelimit-remaining-tokens", "0")], 10_000),
    ] {
        let (balancer, _) = balancer(Client::default(), |pool| pool);
        balancer.transport().answers("a", headers, full(format!("{PREAMBLE}{REFUSED}")));
        balancer.transport().answers("b", &[], full(HEALTHY));
        let response = block_on(balancer.send(request())).unwrap();
        assert_eq!(served(&response), Some(("b", 2)));
        assert_eq!(text(response), HEALTHY);
        assert_eq!(cooling(&balancer, "a"), Some(Duration::from_millis(after)), "{headers:?}");
        let counters = snapshot(&balancer, "a").counters;
        assert_eq!((counters.throttles, counters.successes, counters.in_flight), (1, 0, 0));
        assert_eq!(balancer.transport().discarded.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn the_events_own_hint_comes_first() {
    let (balancer, _) = balancer(Client::default(), |pool| pool);
    let event = "data: {\"error\":{\"code\":\"429\",\"retry_after\":3}}\n\n";
    balancer.transport().answers("a", &[("retry-after", "7")], full(event));
    balancer.transport().answers("b", &[], full(HEALTHY));
    block_on(balancer.send(request())).unwrap();
    assert_eq!(cooling(&balancer, "a"), Some(Duration::from_secs(3)));
}

#[test]
fn an_overload_is_a_503() {
    for (headers, expected) in [
        (&[("retry-after", "7")][..], (Some(Duration::from_secs(7)), 0)),
        (&[("x-ratelimit-remaining-tokens", "0")], (None, 1)),
    ] {
        let (balancer, _) = balancer(Client::default(), |pool| pool);
        let event = "data: {\"error\":{\"code\":\"server_is_overloaded\"}}\n\n";
        balancer.transport().answers("a", headers, full(event));
        balancer.transport().answers("b", &[], full(HEALTHY));
        assert_eq!(served(&block_on(balancer.send(request())).unwrap()), Some(("b", 2)));
        let a = snapshot(&balancer, "a");
        assert_eq!((a.state.remaining(), a.strikes), expected);
        assert_eq!(a.counters.server_errors, 1);
    }
}

#[test]
fn where_nothing_is_left_the_caller_gets_what_a_429_gets_it() {
    let refused = |client: &Client| {
        for backend in ["a", "b"] {
            client.answers(backend, &[("retry-after", "7")], full(REFUSED));
        }
    };
    let (first, _) = balancer(Client::default(), |pool| pool);
    refused(first.transport());
    let response = block_on(first.send(request())).unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert!(response.extensions().get::<Exhausted>().is_some());
    assert_eq!(first.transport().discarded.load(Ordering::Relaxed), 2);

    let (second, _) = balancer(Client::default(), |pool| pool);
    refused(second.transport());
    let Err(Error::Exhausted(exhausted)) = block_on(second.try_send(request())) else { panic!() };
    assert_eq!(exhausted.retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn an_answer_in_a_stream_that_announced_a_refusal_is_handed_on_whole() {
    let (balancer, _) = balancer(Client::default(), |pool| pool);
    let events = format!("{PREAMBLE}{PREAMBLE}{HEALTHY}{REFUSED}");
    balancer.transport().answers("a", &[("x-ratelimit-remaining-tokens", "0")], full(events.clone()));
    let response = block_on(balancer.send(request())).unwrap();
    assert_eq!(served(&response), Some(("a", 1)));
    assert_eq!(text(response), events);
    assert_eq!(balancer.transport().peeked.load(Ordering::Relaxed), 1);
    assert_eq!((snapshot(&balancer, "a").counters.successes, cooling(&balancer, "a")), (1, None));
}

#[test]
fn what_announces_nothing_is_not_touched_and_neither_is_anything_where_it_is_switched_off() {
    for (headers, peeks) in
        [(&[][..], true), (&[("x-ratelimit-remaining-tokens", "5")], true), (&[("retry-after", "7")], false)]
    {
        let (balancer, _) = balancer(Client::default(), |pool| pool.peek(peeks));
        balancer.transport().answers("a", headers, full(REFUSED));
        let response = block_on(balancer.send(request())).unwrap();
        assert_eq!((served(&response), response.status().as_u16()), (Some(("a", 1)), 200));
        assert_eq!(text(response), REFUSED);
        assert_eq!(balancer.transport().peeked.load(Ordering::Relaxed), 0);
        assert_eq!(snapshot(&balancer, "a").state, State::Available);
    }
}

/// A balancer whose first backend announces a refusal and then says what it is sent.
fn slow() -> (Balancer, MockClock, mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>) {
    let (balancer, clock) = balancer(Client::default(), |pool| pool);
    let (sender, frames): (_, Frames) = mpsc::unbounded();
    balancer.transport().answers("a", &[("retry-after", "7")], StreamBody::new(frames));
    balancer.transport().answers("b", &[], full(HEALTHY));
    (balancer, clock, sender)
}

fn say(sender: &mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>, text: &'static str) {
    sender.unbounded_send(Ok(Frame::data(Bytes::from(text)))).unwrap();
}

#[test]
fn after_two_seconds_a_stream_is_the_callers() {
    let (balancer, clock, sender) = slow();
    let mut sending = pin!(balancer.send(request()));
    say(&sender, PREAMBLE);
    assert!(poll(&mut sending).is_pending());
    clock.advance(Duration::from_nanos(1_999_999_999));
    assert!(poll(&mut sending).is_pending());
    assert_eq!(snapshot(&balancer, "a").counters.in_flight, 1);
    clock.advance(Duration::from_nanos(1));
    let Poll::Ready(response) = poll(&mut sending) else { panic!("it is enough") };
    say(&sender, REFUSED);
    drop(sender);
    assert_eq!(text(response.unwrap()), format!("{PREAMBLE}{REFUSED}"));
    assert_eq!(snapshot(&balancer, "a").counters.successes, 1);
}

#[test]
fn a_refusal_within_two_seconds_fails_over() {
    let (balancer, clock, sender) = slow();
    let mut sending = pin!(balancer.send(request()));
    assert!(poll(&mut sending).is_pending());
    clock.advance(Duration::from_millis(1_999));
    say(&sender, REFUSED);
    let Poll::Ready(response) = poll(&mut sending) else { panic!("it is refused") };
    assert_eq!(served(&response.unwrap()), Some(("b", 2)));
}

#[test]
fn a_caller_that_leaves_meanwhile_blames_nobody() {
    let (balancer, _, sender) = slow();
    {
        let mut sending = pin!(balancer.send(request()));
        assert!(poll(&mut sending).is_pending());
    }
    let counters = snapshot(&balancer, "a").counters;
    assert_eq!((counters.cancelled, counters.in_flight), (1, 0));
    assert_eq!(snapshot(&balancer, "a").state, State::Available);
    assert!(sender.is_closed(), "the stream is dropped");
}

/// The same client, with requests that can be sent once only.
struct Once(Client);

impl Transport for Once {
    type Request = Request<Bytes>;
    type Response = Response<Answer>;
    type Error = Infallible;

    fn replay(&self, _: &mut Request<Bytes>) -> Option<Request<Bytes>> {
        None
    }
    async fn send(&self, request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Answer>, Error<Infallible>> {
        HttpTransport::send(&self.0, request, target).await.map_err(Error::Transport)
    }
    fn head<'r>(&self, response: &'r Response<Answer>) -> Head<'r> {
        Transport::head(&self.0, response)
    }
    fn fault(&self, error: &Infallible) -> Fault {
        match *error {}
    }
    fn synthesize(&self, original: &Request<Bytes>, exhausted: &Exhausted) -> Response<Answer> {
        Transport::synthesize(&self.0, original, exhausted)
    }
    fn mark(&self, response: &mut Response<Answer>, served: Served) {
        Transport::mark(&self.0, response, served);
    }
    async fn peek(
        &self,
        response: Response<Answer>,
        enough: impl Future<Output = ()> + Send,
    ) -> (Response<Answer>, Option<Refusal>) {
        HttpTransport::peek(&self.0, response, enough).await
    }
}

#[test]
fn a_request_that_can_be_sent_once_gets_its_stream_and_its_backend_cools() {
    let (balancer, _) = balancer(Once(Client::default()), |pool| pool);
    balancer.transport().0.answers("a", &[("retry-after", "7")], full(REFUSED));
    let response = block_on(balancer.send(request())).unwrap();
    assert_eq!(served(&response), Some(("a", 1)));
    assert_eq!(text(response), REFUSED);
    assert_eq!(cooling(&balancer, "a"), Some(Duration::from_secs(7)));
}
