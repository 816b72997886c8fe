//! rig's `HttpClientExt`, over reqwest.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};
use http::Request;
use lb_core::Pool;
use lb_reqwest::{ReqwestTransport, fault};
use lb_rig::BalancedClient;
use rig_http::http_client::{Error, HttpClientExt};

use super::reqwest::transport;
use crate::stack::{AsyncStack, Failure, Settings, URL, body};

pub struct Rig(ReqwestTransport);

impl AsyncStack for Rig {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<u16, Failure>> {
        let client = BalancedClient::new(Arc::clone(pool), self.0.clone());
        let request = Request::post(URL).body(Bytes::from(body(id))).unwrap();
        let response = client.send::<Bytes, Bytes>(request);
        async {
            match response.await {
                Ok(response) => Ok(response.status().as_u16()),
                Err(Error::InvalidStatusCodeWithDetails { status, .. }) => Ok(status.as_u16()),
                Err(Error::Instance(error)) => Err(match error.downcast_ref() {
                    Some(error) => Failure::Transport(fault(error)),
                    None => Failure::Balancer(error.to_string()),
                }),
                Err(other) => panic!("unexpected error {other}"),
            }
        }
        .boxed_local()
    }
}

faults!(Rig);
dropped!(Rig);
http2!(Rig);
