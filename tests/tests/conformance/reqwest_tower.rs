//! reqwest, as a tower service.

use std::{future::Future, pin::Pin, sync::Arc};

use lb_core::{LoadBalancer, Pool};
use lb_reqwest::{ReqwestService, ReqwestTransport};
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    reqwest::{Reqwest, request},
    stack::{AsyncStack, Call, Failure, Reply, SocketStack, Stack},
    upstream::Emulated,
};

pub struct Tower(Reqwest);

type Service = BoxCloneSyncService<reqwest::Request, reqwest::Response, lb_core::Error<reqwest::Error>>;

impl Tower {
    fn service(&self, pool: &Arc<Pool>) -> Service {
        let transport: ReqwestTransport = self.0.transport.clone();
        BoxCloneSyncService::new(ReqwestService::new(LoadBalancer::new(Arc::clone(pool), transport)))
    }
}

impl Stack for Tower {
    type Upstream = Emulated;

    const HAS_TRY_SEND: bool = false;

    fn new() -> Self {
        Self(Reqwest::new())
    }

    fn upstream(&self, name: &str) -> Emulated {
        Emulated::start(name)
    }

    fn send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        self.0.reply(self.0.runtime.block_on(self.service(pool).oneshot(request(call))))
    }
}

impl SocketStack for Tower {
    const HEAD_NEEDS_NO_BODY: bool = true;
}

impl AsyncStack for Tower {
    const ABANDONS_AT_ONCE: bool = true;

    fn send_until(&self, pool: &Arc<Pool>, call: Call, until: Pin<Box<dyn Future<Output = bool> + Send>>) {
        self.0.run_until(self.service(pool).oneshot(request(call)), until);
    }
}

crate::failover::failover!(Tower);
crate::wire::wire!(Tower);
crate::faults::faults!(Tower);
crate::streaming::streaming!(Tower);
crate::cancel::cancel!(Tower);
tests_for!(Tower, reuse, [refusals_share_connections]);
