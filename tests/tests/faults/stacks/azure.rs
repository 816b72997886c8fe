//! azure_core's `HttpClient`, over reqwest's.

use std::sync::Arc;

use azure_core::http::{HttpClient, Method, Request};
use futures::{FutureExt, future::LocalBoxFuture};
use lb_azure::{BalancedHttpClient, fault};
use lb_core::Pool;

use super::reqwest::transport;
use crate::stack::{AsyncStack, Failure, Settings, URL, body};

pub struct Azure(Arc<dyn HttpClient>);

impl AsyncStack for Azure {
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(Arc::new(transport(settings).client().clone()))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<u16, Failure>> {
        let client = BalancedHttpClient::with_client_that_follows_no_redirects(Arc::clone(pool), Arc::clone(&self.0));
        let mut request = Request::new(URL.parse().unwrap(), Method::Post);
        request.set_body(body(id));
        async move {
            match client.send(&request).await {
                Ok(response) => Ok(response.into_raw().status().into()),
                Err(error) => Err(Failure::of(error, fault)),
            }
        }
        .boxed_local()
    }
}

faults!(Azure);
dropped!(Azure);
http2!(Azure);
