//! reqwest under reqwest-middleware.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use lb_core::{Error, Pool, Transport};
use lb_reqwest::BalanceMiddleware;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::{
    reqwest::{Reqwest, request},
    stack::{AsyncStack, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Middleware(Reqwest);

impl Middleware {
    fn client(&self, pool: &Arc<Pool>) -> ClientWithMiddleware {
        let client = self.0.transport.client().clone();
        ClientBuilder::new(client).with(BalanceMiddleware::new(Arc::clone(pool))).build()
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

    fn new() -> Self {
        Self(Reqwest::new())
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name)
    }

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        match self.0.runtime.block_on(self.client(pool).execute(request(call))) {
            Ok(response) => self.0.reply(Ok(response)),
            Err(error) => {
                let text = format!("{error} {error:?}");
                assert!(!text.contains("api-version"), "an error prints a query: {text}");
                Err(self.failure(&error))
            }
        }
    }
}

impl SocketStack for Middleware {
    const HEAD_NEEDS_NO_BODY: bool = true;
}

impl AsyncStack for Middleware {
    const ABANDONS_AT_ONCE: bool = true;

    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.client(pool).execute(request(call)), until);
    }
}

crate::failover::failover!(Middleware);
crate::wire::wire!(Middleware);
crate::faults::faults!(Middleware);
crate::streaming::streaming!(Middleware);
crate::cancel::cancel!(Middleware);
tests_for!(Middleware, reuse, [refusals_share_connections]);
