//! The adapters' short constructors, before a backend that is not there.

use std::{sync::Arc, thread};

use azure_core::http::{Method, Request};
use lb_azure::BalancedHttpClient;
use lb_core::{BlockingLoadBalancer, Fault, LoadBalancer, Pool, Reason};
use lb_isahc::IsahcTransport;
use lb_reqwest::{BlockingReqwestTransport, ReqwestTransport};

use crate::{
    RUNTIME,
    pool::{pool, suspect},
    server::{Behaviour, Server},
    stack::{Protocol, URL, body},
    stacks,
    unreachable::Unreachable,
};

/// What `b2` answers, once `b1` has kept the request for as long as the constructor's timeout.
type Send = fn(&Arc<Pool>) -> u16;

/// lb-async-openai, lb-rig and the tower service of lb-reqwest stand on the first.
const CONSTRUCTORS: [(&str, Send); 5] = [
    ("lb_reqwest::ReqwestTransport", |pool| {
        let balancer = LoadBalancer::new(Arc::clone(pool), ReqwestTransport::new().unwrap());
        RUNTIME.block_on(balancer.send(stacks::reqwest::request("1"))).unwrap().status().as_u16()
    }),
    ("lb_reqwest::BlockingReqwestTransport", |pool| {
        let balancer = BlockingLoadBalancer::new(Arc::clone(pool), BlockingReqwestTransport::new().unwrap());
        let request = balancer.transport().client().post(URL).body(body("1")).build().unwrap();
        balancer.send(request).unwrap().status().as_u16()
    }),
    ("lb_isahc::IsahcTransport, async", |pool| {
        let balancer = LoadBalancer::new(Arc::clone(pool), IsahcTransport::new().unwrap());
        RUNTIME.block_on(balancer.send(stacks::isahc::request("1"))).unwrap().status().as_u16()
    }),
    ("lb_isahc::IsahcTransport, blocking", |pool| {
        let balancer = BlockingLoadBalancer::new(Arc::clone(pool), IsahcTransport::new().unwrap());
        balancer.send(stacks::isahc::request("1")).unwrap().status().as_u16()
    }),
    ("lb_azure::BalancedHttpClient", |pool| {
        let mut request = Request::new(URL.parse().unwrap(), Method::Post);
        request.set_body(body("1"));
        let client = BalancedHttpClient::new(Arc::clone(pool));
        RUNTIME.block_on(client.send(&request)).unwrap().into_raw().status().into()
    }),
];

/// Each waits ten seconds, at the same time; the system alone would wait for minutes.
#[test]
fn a_backend_that_is_not_there_fails_over_and_is_out() {
    let (hanging, silent) = (Unreachable::hanging(), Unreachable::silent());
    let b2 = Server::start(Protocol::Http1, Behaviour::Serves);
    thread::scope(|scope| {
        for (name, send) in CONSTRUCTORS {
            for b1 in [hanging.url(), silent.tls_url()] {
                let b2 = b2.url();
                scope.spawn(move || {
                    let (pool, _) = pool([("b1", b1, 1), ("b2", b2, 2)], |options| options);
                    assert_eq!(send(&pool), 200, "{name}");
                    assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(Fault::ConnectTimeout)), "{name}");
                });
            }
        }
    });
}
