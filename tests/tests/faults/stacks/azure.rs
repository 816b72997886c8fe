//! azure_core's `HttpClient`, over reqwest's.

use std::sync::Arc;

use azure_core::http::{HttpClient, Method, Request};
use futures::{FutureExt, future::LocalBoxFuture};
use lb_azure::{BalancedHttpClient, fault};
use lb_core::Pool;

use super::reqwest::transport;
use crate::{
    RUNTIME,
    reply::{Content, Reply},
    stack::{AsyncStack, Failure, Settings, URL, body},
};

pub struct Azure(Arc<dyn HttpClient>);

impl AsyncStack for Azure {
    const HAS_TLS: bool = true;
    const HEADERS_ARE_BYTES: bool = false;

    fn new(settings: Settings) -> Self {
        Self(Arc::new(transport(settings).client().clone()))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let client = BalancedHttpClient::with_client_that_follows_no_redirects(Arc::clone(pool), Arc::clone(&self.0));
        let mut request = Request::new(URL.parse().unwrap(), Method::Post);
        request.set_body(body(id));
        async move {
            match client.send(&request).await {
                Ok(response) => {
                    let (status, headers, body) = response.into_raw().deconstruct();
                    let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_str().as_bytes().to_vec()));
                    Ok(Reply::new(status.into(), headers, || Content::of_whole(RUNTIME.block_on(body.collect()))))
                }
                Err(error) => Err(Failure::of(error, fault)),
            }
        }
        .boxed_local()
    }
}

faults!(Azure);
dropped!(Azure);
http1!(Azure);
over!(http2, Http2, Azure);
over_tls_of_another!(Azure);
