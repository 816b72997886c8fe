//! isahc, async.

use std::sync::Arc;

use futures::{FutureExt, future::LocalBoxFuture};
use isahc::{AsyncBody, HttpClient, config::Configurable, http::Request};
use lb_core::{Fault, LoadBalancer, Pool, Reason, Transport};
use lb_isahc::IsahcTransport;

use crate::{
    pool::{counters, pool, suspect},
    server::{Behaviour, Server},
    stack::{AsyncStack, Failure, Settings, Stack, URL, body, with_timeouts},
};

pub struct Isahc(IsahcTransport);

pub fn transport(settings: Settings) -> IsahcTransport {
    let client = HttpClient::builder().connect_timeout(settings.connect).timeout(settings.answer);
    IsahcTransport::with_client(client.build().unwrap())
}

/// A request with any of isahc's bodies.
pub fn request<B: From<String>>(id: &str) -> Request<B> {
    Request::post(URL).body(B::from(body(id))).unwrap()
}

impl AsyncStack for Isahc {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<u16, Failure>> {
        let balancer = LoadBalancer::new(Arc::clone(pool), self.0.clone());
        let request = request::<AsyncBody>(id);
        async move {
            let response = balancer.send(request).await;
            response
                .map(|response| response.status().as_u16())
                .map_err(|error| Failure::of(error, |error| Transport::fault(balancer.transport(), error)))
        }
        .boxed_local()
    }
}

faults!(Isahc);
dropped!(Isahc);

#[test]
fn a_tls_handshake_that_stalls_under_the_timeout_of_a_request_fails_over() {
    with_timeouts(|answer| {
        // It reads the handshake's first message, and takes it for the beginning of a request.
        let (b1, b2) = (Server::start(Behaviour::NeverAnswers), Server::start(Behaviour::Serves));
        let tls = b1.url().replace("http://", "https://");
        let (pool, _) = pool([("b1", tls, 1), ("b2", b2.url(), 2)], |options| options);
        let found = <Isahc as Stack>::new(Settings { answer, ..Settings::patient(<Isahc as Stack>::PROTOCOL) })
            .send(&pool, "a request");
        let is_connected = b1.connections() == 1 && counters(&pool, "b2").faults == 0;
        is_connected.then(|| {
            assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(Fault::ConnectTimeout)));
            assert_eq!(found.unwrap(), 200);
        })
    });
}
