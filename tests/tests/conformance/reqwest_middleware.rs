//! reqwest under reqwest-middleware.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use lb_core::{Error, Pool, Pools, Transport};
use lb_reqwest::BalanceMiddleware;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::{
    protocol::Protocol,
    reqwest::{Reqwest, request},
    stack::{AsyncStack, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Middleware(Reqwest);

impl Middleware {
    fn client(&self, pools: &Pools) -> ClientWithMiddleware {
        let client = self.0.transport.client().clone();
        ClientBuilder::new(client).with(BalanceMiddleware::new(pools)).build()
    }

    async fn sending(&self, pools: &Pools, call: Call) -> reqwest_middleware::Result<reqwest::Response> {
        let mut extensions = http::Extensions::new();
        extensions.insert(call.wishes.clone());
        self.client(pools).execute_with_extensions(request(call), &mut extensions).await
    }

    /// reqwest's errors come through as they are; others are the balancer's.
    fn failure(&self, error: &reqwest_middleware::Error) -> Failure {
        match error {
            reqwest_middleware::Error::Reqwest(error) => Failure::Transport(self.0.transport.fault(error)),
            reqwest_middleware::Error::Middleware(error) => {
                let ours: &Error<Infallible> = error.downcast_ref().expect("an error of the balancer");
                Failure::with(ours, |never| match *never {})
            }
        }
    }
}

impl Stack for Middleware {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;

    fn new(protocol: Protocol) -> Self {
        Self(Reqwest::new(protocol))
    }

    fn upstream(&self, name: &str) -> Emulated {
        self.0.upstream(name)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        match self.0.runtime.block_on(self.sending(pools, call)) {
            Ok(response) => self.0.reply(Ok(response)),
            Err(error) => {
                let text = format!("{error} {error:?}");
                assert!(!text.contains("api-version"), "an error prints a query: {text}");
                Err(self.failure(&error))
            }
        }
    }
}

impl SocketStack for Middleware {}

impl AsyncStack for Middleware {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.sending(&pool.into(), call), until);
    }
}

tests_over!(
    Middleware,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
