//! tower, as a layer over hyper-util's client.

use std::{convert::Infallible, sync::Arc};

use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::Pool;
use lb_tower::{BalanceLayer, fault};
use tower::{Layer as _, ServiceExt};

use super::tower::{Service, request, service};
use crate::{
    reply::Reply,
    stack::{AsyncStack, Failure, Settings},
};

/// A service under a [`BalanceLayer`].
pub struct Layer(Service);

impl AsyncStack for Layer {
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(service(settings))
    }

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
        let response = BalanceLayer::new(Arc::clone(pool)).layer(self.0.clone()).oneshot(request(id));
        async {
            // The service's errors come through as they are; others are the balancer's.
            response.await.map(Reply::of).map_err(|error| match error.downcast_ref::<lb_core::Error<Infallible>>() {
                Some(ours) => Failure::Balancer(ours.to_string()),
                None => Failure::Transport(fault(error.as_ref())),
            })
        }
        .boxed_local()
    }
}

faults!(Layer);
dropped!(Layer);
http1!(Layer);
over!(http2, Http2, Layer);
over_tls_of_another!(Layer);
