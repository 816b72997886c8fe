//! reqwest, as a tower service.

use std::sync::Arc;

use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::{LoadBalancer, Pool};
use lb_reqwest::{ReqwestService, ReqwestTransport, fault};
use tower::ServiceExt;

use super::reqwest::{request, transport};
use crate::{
    reply::Reply,
    stack::{AsyncStack, Failure, Settings},
};

pub struct Service(ReqwestTransport);

impl AsyncStack for Service {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let service = ReqwestService::new(LoadBalancer::new(Arc::clone(pool), self.0.clone()));
        let response = service.oneshot(request(id));
        async { response.await.map(|response| Reply::of(response.into())).map_err(|error| Failure::of(error, fault)) }
            .boxed_local()
    }
}

faults!(Service);
dropped!(Service);
http1!(Service);
over!(http2, Http2, Service);
over_tls_of_another!(Service);
