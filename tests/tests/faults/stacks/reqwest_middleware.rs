//! reqwest under reqwest-middleware.

use std::sync::Arc;

use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::Pool;
use lb_reqwest::{BalanceMiddleware, fault};
use reqwest_middleware::{ClientBuilder, Error};

use super::reqwest::{request, transport};
use crate::{
    reply::Reply,
    stack::{AsyncStack, Failure, Settings},
};

pub struct Middleware(reqwest::Client);

impl AsyncStack for Middleware {
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings).client().clone())
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let client = ClientBuilder::new(self.0.clone()).with(BalanceMiddleware::new(Arc::clone(pool))).build();
        let request = request(id);
        async move {
            match client.execute(request).await {
                Ok(response) => Ok(Reply::of(response.into())),
                // reqwest's errors come through as they are; others are the balancer's.
                Err(Error::Reqwest(error)) => Err(Failure::Transport(fault(&error))),
                Err(Error::Middleware(error)) => Err(Failure::Balancer(error.to_string())),
            }
        }
        .boxed_local()
    }
}

faults!(Middleware);
dropped!(Middleware);
http1!(Middleware);
over!(http2, Http2, Middleware);
over_tls_of_another!(Middleware);
