//! isahc, async.

use std::{
    io::{self, Read},
    sync::Arc,
};

use futures::{AsyncReadExt, FutureExt, future::LocalBoxFuture};
use isahc::{
    AsyncBody, HttpClient,
    config::{Configurable, VersionNegotiation},
    http::Request,
    tls::{TlsConfig, TrustStore},
};
use lb_core::{Fault, LoadBalancer, Pool, Reason, Transport};
use lb_isahc::IsahcTransport;

use crate::{
    RUNTIME,
    pool::{counters, pool, suspect},
    reply::{Content, Reply},
    server::{Behaviour, Server},
    stack::{AsyncStack, Encoded, Failure, Protocol, Settings, Stack, URL, body, with_timeouts},
    tls::trusted,
};

pub struct Isahc(IsahcTransport);

pub fn transport(settings: Settings) -> IsahcTransport {
    let client = HttpClient::builder().connect_timeout(settings.connect).timeout(settings.answer);
    // Its HTTP/2, which tells no refused stream, is in the conformance suite.
    let client = client.version_negotiation(VersionNegotiation::http11());
    // TLS costs each client the reading of what it trusts.
    let client = match settings.protocol {
        Protocol::Tls => {
            let trusted = TrustStore::builder().certificate_from_pem(trusted().1).build();
            client.tls_config(TlsConfig::builder().trust_store(trusted).build())
        }
        _ => client,
    };
    IsahcTransport::with_client(client.build().unwrap())
}

/// An async body that is read by a thread that waits.
struct Blocking(AsyncBody);

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        RUNTIME.block_on(self.0.read(buffer))
    }
}

/// A request with any of isahc's bodies.
pub fn request<B: From<String>>(id: &str) -> Request<B> {
    Request::post(URL).body(B::from(body(id))).unwrap()
}

impl AsyncStack for Isahc {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;
    const SPEAKS_HTTP2: bool = false;
    const SEES_EXCESS: bool = false;
    // libcurl keeps one on which sending failed (its error 55), if the reset came in time for that.
    const DROPS_WHAT_BROKE: bool = false;
    const ENCODED_ERRORS: Encoded = Encoded::Decoded;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let balancer = LoadBalancer::new(Arc::clone(pool), self.0.clone());
        let request = request::<AsyncBody>(id);
        async move {
            let response = balancer.send(request).await;
            response
                .map(|response| {
                    let (head, body) = response.into_parts();
                    Reply::with(&head, || Content::of_reader(Blocking(body)))
                })
                .map_err(|error| Failure::of(error, |error| Transport::fault(balancer.transport(), error)))
        }
        .boxed_local()
    }
}

faults!(Isahc);
http1!(Isahc);
dropped!(Isahc);
over!(tls, Tls, Isahc, http1);

#[test]
fn a_tls_handshake_that_stalls_under_the_timeout_of_a_request_fails_over() {
    with_timeouts(|answer| {
        // It reads the handshake's first message, and takes it for the beginning of a request.
        let (b1, b2) = (
            Server::start(Protocol::Http1, Behaviour::NeverAnswers),
            Server::start(Protocol::Http1, Behaviour::Serves),
        );
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
