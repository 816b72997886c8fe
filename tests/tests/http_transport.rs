//! The short plug-in traits: whoever implements `send` and `fault` for the types of `http` has a whole transport.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    io::{Error, ErrorKind},
    sync::Mutex,
};

use bytes::Bytes;
use futures::executor::block_on;
use http::{Request, Response};
use lb_core::{
    Backend, BlockingHttpTransport, BlockingLoadBalancer, Exhausted, Fault, HttpTransport, LoadBalancer, MockClock,
    Pool, Served, State, Target, Transport,
};

/// A client to which `dead` is not there, and at which `busy` refuses with a long body; others echo.
#[derive(Default)]
struct Client {
    sent: Mutex<Vec<String>>,
    discarded: Mutex<Vec<Bytes>>,
}

impl Client {
    fn answer(&self, request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Bytes>, Error> {
        let key = request.headers()["api-key"].to_str().unwrap();
        self.sent.lock().unwrap().push(format!("{} {} {key}", target.attempt(), request.uri()));
        match target.backend().name() {
            "dead" => Err(ErrorKind::ConnectionRefused.into()),
            "busy" => Ok(Response::builder().status(429).body(Bytes::from_static(b"busy")).unwrap()),
            _ => Ok(Response::new(request.into_body())),
        }
    }

    fn kind(error: &Error) -> Fault {
        if error.kind() == ErrorKind::ConnectionRefused { Fault::Connect } else { Fault::Reset }
    }

    /// What it was asked, and what it was given back.
    fn record(&self) -> (Vec<String>, Vec<Bytes>) {
        (self.sent.lock().unwrap().clone(), self.discarded.lock().unwrap().clone())
    }
}

impl HttpTransport for Client {
    type RequestBody = Bytes;
    type ResponseBody = Bytes;
    type Error = Error;

    async fn send(&self, request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Bytes>, Error> {
        self.answer(request, target)
    }

    fn fault(&self, error: &Error) -> Fault {
        Self::kind(error)
    }

    fn discard(&self, response: Response<Bytes>) {
        self.discarded.lock().unwrap().push(response.into_body());
    }
}

impl BlockingHttpTransport for Client {
    type RequestBody = Bytes;
    type ResponseBody = Bytes;
    type Error = Error;

    fn send(&self, request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Bytes>, Error> {
        self.answer(request, target)
    }

    fn fault(&self, error: &Error) -> Fault {
        Self::kind(error)
    }

    fn discard(&self, response: Response<Bytes>) {
        self.discarded.lock().unwrap().push(response.into_body());
    }
}

fn pool(names: &[&str]) -> Pool {
    let backends = (1..).zip(names).map(|(priority, name)| {
        let backend = Backend::builder(format!("http://{name}.example")).name(*name).priority(priority);
        backend.api_key(format!("key-of-{name}")).build().unwrap()
    });
    Pool::builder().backends(backends).clock(MockClock::new()).build().unwrap()
}

fn ask() -> Request<Bytes> {
    Request::post("/v1/x?q=1").header("api-key", "callers").body(Bytes::from_static(b"hello")).unwrap()
}

/// `dead` and `busy` fail over, `well` serves.
fn is_served_by_the_third(answer: &Response<Bytes>, pool: &Pool, client: &Client) {
    assert_eq!(answer.body(), "hello");
    let served = answer.extensions().get::<Served>().unwrap();
    assert_eq!((served.backend(), served.attempts()), ("well", 3));
    let sent = ["dead", "busy", "well"].into_iter().zip(1..);
    let sent: Vec<_> = sent.map(|(name, n)| format!("{n} http://{name}.example/v1/x?q=1 key-of-{name}")).collect();
    assert_eq!(client.record(), (sent, vec![Bytes::from_static(b"busy")]));
    let states = pool.snapshot().backends.into_iter().map(|backend| backend.state == State::Available);
    assert!(states.eq([false, false, true]));
}

/// Nobody is left, and the balancer answers itself.
fn is_exhausted(answer: &Response<Bytes>) {
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "10"));
    assert!(answer.extensions().get::<Exhausted>().is_some());
    assert!(answer.body().starts_with(b"{\"error\""));
}

#[test]
fn an_async_one_fails_over_with_a_request_that_is_addressed_anew_each_time() {
    let balancer = LoadBalancer::new(pool(&["dead", "busy", "well"]), Client::default());
    let answer = block_on(balancer.send(ask())).unwrap();
    is_served_by_the_third(&answer, &balancer.pool(), balancer.transport());

    let balancer = LoadBalancer::new(pool(&["busy"]), Client::default());
    is_exhausted(&block_on(balancer.send(ask())).unwrap());
}

#[test]
fn so_does_a_blocking_one() {
    let balancer = BlockingLoadBalancer::new(pool(&["dead", "busy", "well"]), Client::default());
    let answer = balancer.send(ask()).unwrap();
    is_served_by_the_third(&answer, &balancer.pool(), balancer.transport());

    let balancer = BlockingLoadBalancer::new(pool(&["busy"]), Client::default());
    is_exhausted(&balancer.send(ask()).unwrap());
}

#[test]
fn what_is_not_said_about_an_error_is_its_fault() {
    let error = Error::from(ErrorKind::BrokenPipe);
    assert_eq!(Transport::describe(&Client::default(), &error), "reset");
}
