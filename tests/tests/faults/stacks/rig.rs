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
use crate::{
    RUNTIME,
    reply::{Content, Reply},
    stack::{AsyncStack, Encoded, Failure, Settings, URL, body},
};

pub struct Rig(ReqwestTransport);

impl AsyncStack for Rig {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;
    const ENCODED_ERRORS: Encoded = Encoded::AsText;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let client = BalancedClient::new(Arc::clone(pool), self.0.clone());
        let request = Request::post(URL).body(Bytes::from(body(id))).unwrap();
        let response = client.send::<Bytes, Bytes>(request);
        async {
            match response.await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    Ok(Reply::with(&head, || Content::of_whole(RUNTIME.block_on(body))))
                }
                Err(Error::InvalidStatusCodeWithDetails { status, headers, body }) => {
                    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
                    let content = Content::of_whole(Ok::<_, Error>(body));
                    Ok(Reply::new(status.as_u16(), headers.collect::<Vec<_>>(), || content))
                }
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
http1!(Rig);
over!(http2, Http2, Rig);
over_tls_of_another!(Rig);
