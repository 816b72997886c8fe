//! A reqwest client that refuses every request before it does anything: what a balancer adds to it is the balancer's.
//!
//! The client is told to send over https only and is given http, so that `execute` ends in an error at once. The
//! balancer above it does its whole work: it begins a dispatch, picks, copies and addresses the request, and settles.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use lb_core::{Backend, Pool};
use lb_reqwest::ReqwestTransport;
use reqwest::{Client, Method, Request, redirect::Policy};

/// The path of a chat completion, with a version in the query.
pub const PATH: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

/// The body of a short request.
pub const BODY: &[u8] = br#"{"messages":[{"role":"user","content":"Hello"}],"max_tokens":16}"#;

/// The client that refuses.
#[must_use]
pub fn client() -> Client {
    Client::builder().https_only(true).redirect(Policy::none()).build().expect("no TLS is needed")
}

/// A transport over the client that refuses.
#[must_use]
pub fn transport() -> ReqwestTransport {
    ReqwestTransport::with_client_that_follows_no_redirects(client())
}

/// A pool of this many backends at `origin`, with keys of their own.
#[must_use]
pub fn pool(origin: &str, backends: usize) -> Pool {
    let backend =
        |slot| Backend::builder(origin).name(format!("backend {slot}")).api_key(format!("key {slot}")).build();
    Pool::new((0..backends).map(|slot| backend(slot).expect("a valid backend"))).expect("distinct names")
}

/// A caller's request to `origin`, with the headers that an SDK sends.
#[must_use]
pub fn request(origin: &str) -> Request {
    let mut request = Request::new(Method::POST, format!("{origin}{PATH}").parse().expect("a valid URL"));
    for (name, value) in headers() {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    *request.body_mut() = Some(Bytes::from_static(BODY).into());
    request
}

/// The headers that an SDK sends.
#[must_use]
pub fn headers() -> [(&'static str, &'static str); 4] {
    [
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("user-agent", "benchmark"),
        ("api-key", "the caller's"),
    ]
}

/// The result of a future that never waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the client did not refuse"),
    }
}

#[cfg(test)]
mod tests {
    use lb_core::LoadBalancer;

    use super::*;

    #[test]
    fn the_client_refuses_at_once_and_the_balancer_blames_no_backend() {
        let origin = "http://backend.example";
        assert!(ready(client().execute(request(origin))).unwrap_err().is_builder());
        let balancer = LoadBalancer::new(pool(origin, 3), transport());
        assert!(ready(balancer.send(request(origin))).is_err());
        let attempts: u64 = balancer.pool().snapshot().backends.iter().map(|backend| backend.counters.attempts).sum();
        assert_eq!(attempts, 1);
        assert!(balancer.pool().snapshot().backends.iter().all(|b| b.state == lb_core::State::Available));
    }
}
