//! isahc, blocking.

use std::sync::Arc;

use isahc::Body;
use lb_core::{BlockingLoadBalancer, BlockingTransport, Pool};
use lb_isahc::IsahcTransport;

use super::isahc::{request, transport};
use crate::{
    reply::{Content, Reply},
    stack::{Encoded, Failure, Settings, Stack},
};

pub struct Isahc(IsahcTransport);

impl Stack for Isahc {
    const TELLS_UNSENT: bool = true;
    const HAS_TLS: bool = true;
    const SPEAKS_HTTP2: bool = false;
    const SEES_EXCESS: bool = false;
    // libcurl keeps one on which sending failed (its error 55), if the reset came in time for that.
    const DROPS_WHAT_BROKE: bool = false;
    const ENCODED_ERRORS: Encoded = Encoded::Decoded;

    fn new(settings: Settings) -> Self {
        Self(transport(settings))
    }

    fn fetch(&self, pool: &Arc<Pool>, id: &str) -> Result<Reply, Failure> {
        let response = BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone()).send(request::<Body>(id));
        response
            .map(|response| {
                let (head, body) = response.into_parts();
                Reply::with(&head, || Content::of_reader(body))
            })
            .map_err(|error| Failure::of(error, |error| BlockingTransport::fault(&self.0, error)))
    }
}

faults!(Isahc);
http1!(Isahc);
blocking_over!(tls, Tls, Isahc, http1);
