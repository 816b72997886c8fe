//! async-openai's HTTP service, over reqwest.

use std::sync::Arc;

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use futures::{FutureExt, future::LocalBoxFuture};
use lb_async_openai::BalancedService;
use lb_core::Pool;
use lb_reqwest::{ReqwestTransport, fault};
use tower::ServiceExt;

use super::reqwest::{request, transport};
use crate::{
    reply::Reply,
    stack::{AsyncStack, Failure, Settings},
};

pub struct AsyncOpenAi(ReqwestTransport);

impl AsyncStack for AsyncOpenAi {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let id = id.to_owned();
        let factory = HttpRequestFactory::new(move || std::future::ready(Ok(request(&id))));
        let response = BalancedService::new(Arc::clone(pool), self.0.clone()).oneshot(factory);
        async {
            match response.await {
                Ok(response) => Ok(Reply::of(response.into())),
                Err(OpenAIError::Reqwest(error)) => Err(Failure::Transport(fault(&error))),
                Err(error) => Err(Failure::Balancer(error.to_string())),
            }
        }
        .boxed_local()
    }
}

faults!(AsyncOpenAi);
dropped!(AsyncOpenAi);
http1!(AsyncOpenAi);
over!(http2, Http2, AsyncOpenAi);
over_tls_of_another!(AsyncOpenAi);
