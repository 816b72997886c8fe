//! isahc, async.

use std::sync::Arc;

use futures::{FutureExt, future::LocalBoxFuture};
use isahc::{AsyncBody, HttpClient, config::Configurable, http::Request};
use lb_core::{LoadBalancer, Pool, Transport};
use lb_isahc::IsahcTransport;

use crate::stack::{AsyncStack, Failure, Settings, URL, body};

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
