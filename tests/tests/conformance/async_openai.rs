//! async-openai's HTTP service, over reqwest.
//!
//! Its requests are factories, so that there are no bodies that can be read only once: each attempt gets a new one.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use lb_async_openai::BalancedService;
use lb_core::{Error, Pool, Pools};
use tower::ServiceExt;

use crate::{
    protocol::Protocol,
    reqwest::{Reqwest, request},
    stack::{AsyncStack, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct AsyncOpenAi(Reqwest);

impl AsyncOpenAi {
    fn service(&self, pools: &Pools) -> BalancedService {
        BalancedService::new(pools, self.0.transport.clone())
    }
}

fn factory(call: Call) -> HttpRequestFactory {
    HttpRequestFactory::new(move || std::future::ready(Ok(request(call.clone()))))
}

/// The balancer's error in the SDK's.
fn balancers(error: OpenAIError) -> Error<reqwest::Error> {
    match error {
        OpenAIError::Reqwest(error) => Error::Transport(error),
        OpenAIError::Boxed(error) => {
            error.downcast::<Error<Infallible>>().unwrap().map_transport(|never| match never {})
        }
        other => panic!("an error that only building a request can give: {other}"),
    }
}

impl Stack for AsyncOpenAi {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;
    const HAS_ONE_SHOT_BODIES: bool = false;

    fn new(protocol: Protocol) -> Self {
        Self(Reqwest::new(protocol))
    }

    fn upstream(&self, name: &str) -> Emulated {
        self.0.upstream(name)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        let result = self.0.runtime.block_on(self.service(pools).with(call.wishes.clone()).oneshot(factory(call)));
        let mut reply = self.0.reply(result.map_err(balancers))?;
        if reply.exhausted.is_some() {
            // No request was built whose URL it could have.
            reply.url = None;
        }
        Ok(reply)
    }
}

impl SocketStack for AsyncOpenAi {}

impl AsyncStack for AsyncOpenAi {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.service(&pool.into()).with(call.wishes.clone()).oneshot(factory(call)), until);
    }
}

tests_over!(
    AsyncOpenAi,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
