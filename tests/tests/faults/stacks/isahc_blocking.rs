//! isahc, blocking.

use std::sync::Arc;

use isahc::Body;
use lb_core::{BlockingLoadBalancer, BlockingTransport, Pool};
use lb_isahc::IsahcTransport;

use super::isahc::{request, transport};
use crate::stack::{Failure, Settings, Stack};

pub struct Isahc(IsahcTransport);

impl Stack for Isahc {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn send(&self, pool: &Arc<Pool>, id: &str) -> Result<u16, Failure> {
        let response = BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone()).send(request::<Body>(id));
        response
            .map(|response| response.status().as_u16())
            .map_err(|error| Failure::of(error, |error| BlockingTransport::fault(&self.0, error)))
    }
}

faults!(Isahc);
