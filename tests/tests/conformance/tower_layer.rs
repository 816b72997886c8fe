//! tower, as a layer over hyper-util's client.

use std::{convert::Infallible, error::Error, future::Future, pin::Pin, sync::Arc};

use http::Response;
use lb_core::{Pool, Pools};
use lb_tower::{BalanceLayer, BoxError, ResponseBody};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};

use crate::{
    protocol::Protocol,
    stack::{AsyncStack, Call, Failure, Reply, SocketStack, Stack},
    tower::{Copies, Hyper, Incoming, request},
    upstream::Emulated,
};

/// A service under a [`BalanceLayer`], boxed.
pub struct Layer(Hyper);

impl Layer {
    fn sending(
        &self,
        pools: &Pools,
        call: Call,
    ) -> impl Future<Output = Result<Response<ResponseBody<Incoming>>, BoxError>> + use<> {
        let balanced = BalanceLayer::new(pools).replay_with(Copies);
        let service = ServiceBuilder::new().layer(balanced).service(self.0.service(&call));
        BoxCloneSyncService::new(service).oneshot(request(call))
    }
}

/// Errors of the service come through as they are, so that its faults can be told; others are the balancer's.
fn failure(error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    match error.downcast_ref::<lb_core::Error<Infallible>>() {
        Some(ours) => Failure::with(ours, |never| match *never {}),
        None => Failure::Transport(lb_tower::fault(error)),
    }
}

impl Stack for Layer {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;

    fn new(protocol: Protocol) -> Self {
        Self(Hyper::new(protocol))
    }

    fn upstream(&self, name: &str) -> Emulated {
        self.0.upstream(name)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        let result = self.0.runtime.block_on(self.sending(pools, call));
        result.map(|response| self.0.reply(response)).map_err(|error| failure(error.as_ref()))
    }
}

impl SocketStack for Layer {}

impl AsyncStack for Layer {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.sending(&pool.into(), call), until);
    }
}

tests_over!(
    Layer,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
