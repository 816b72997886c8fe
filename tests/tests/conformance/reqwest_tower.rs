//! reqwest, as a tower service.

use std::{future::Future, pin::Pin, sync::Arc};

use lb_core::{LoadBalancer, Pool, Pools, Wishes};
use lb_reqwest::{ReqwestService, ReqwestTransport};
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    protocol::Protocol,
    reqwest::{Reqwest, request},
    stack::{AsyncStack, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Tower(Reqwest);

type Service = BoxCloneSyncService<reqwest::Request, reqwest::Response, lb_core::Error<reqwest::Error>>;

impl Tower {
    fn service(&self, pools: &Pools, wishes: Wishes) -> Service {
        let transport: ReqwestTransport = self.0.transport.clone();
        BoxCloneSyncService::new(ReqwestService::new(LoadBalancer::new(pools, transport)).with(wishes))
    }
}

impl Stack for Tower {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;

    fn new(protocol: Protocol) -> Self {
        Self(Reqwest::new(protocol))
    }

    fn upstream(&self, name: &str) -> Emulated {
        self.0.upstream(name)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        self.0.reply(self.0.runtime.block_on(self.service(pools, call.wishes.clone()).oneshot(request(call))))
    }
}

impl SocketStack for Tower {}

impl AsyncStack for Tower {
    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.service(&pool.into(), call.wishes.clone()).oneshot(request(call)), until);
    }
}

tests_over!(
    Tower,
    [protocol, failover, wire, wishes, models, apart, deployments, faults, streaming, peeking, reuse, cancel]
);
