//! A caller: sends one request after the other, and leaves in the middle of some.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lb_core::{Error, Fault, LoadBalancer, SeededRng, Transport};
use lb_reqwest::ReqwestTransport;
use reqwest::{Method, Request};
use tokio::time::{sleep, timeout};

use crate::{
    draw::Draw,
    ledger::{Ending, Ledger},
    server::ID,
};

pub(crate) type Balancer = LoadBalancer<ReqwestTransport, SeededRng>;

/// What callers wait for an answer. Healthy servers take some milliseconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Of so many calls one is dropped.
const DROPPED: u64 = 10;

/// Any path: nobody looks at it.
const URL: &str = "http://caller.invalid/openai/v1/chat/completions";

/// What all callers share.
#[derive(Debug, Clone)]
pub(crate) struct Callers {
    pub(crate) balancer: Arc<Balancer>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) next_id: Arc<AtomicU64>,
    pub(crate) end: Instant,
}

impl Callers {
    /// Calls until the end.
    pub(crate) async fn call(self, draw: Draw) {
        while Instant::now() < self.end {
            sleep(draw.milliseconds(20, 120)).await;
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let (is_dropped, patience) = (draw.below(DROPPED) == 0, draw.milliseconds(0, 40));
            self.ledger.began(id, Instant::now());
            if is_dropped {
                // An elapsed timeout is a dropped future, wherever it stood.
                let _ = timeout(patience, self.send(id)).await;
                self.ledger.ended(id, Ending::Dropped, Instant::now());
            } else {
                self.send(id).await;
            }
        }
    }

    /// Sends a request, and reads its answer to the end.
    async fn send(&self, id: u64) {
        let response = match request(id) {
            Some(request) => self.balancer.send(request).await,
            None => return self.ledger.ended(id, Ending::Failed, Instant::now()),
        };
        let ending = match &response {
            Ok(response) => Ending::Status(response.status().as_u16()),
            Err(Error::Transport(error)) => match self.balancer.transport().fault(error) {
                Fault::Timeout | Fault::Reset => Ending::AfterSending,
                _ => Ending::Failed,
            },
            Err(_) => Ending::Failed,
        };
        self.ledger.ended(id, ending, Instant::now());
        if let Ok(response) = response {
            // A body that stalls ends with the timeout: the rules have nothing to say about it.
            let _ = response.bytes().await;
        }
    }
}

fn request(id: u64) -> Option<Request> {
    let mut request = Request::new(Method::POST, URL.parse().ok()?);
    request.headers_mut().insert(ID, id.into());
    *request.timeout_mut() = Some(TIMEOUT);
    *request.body_mut() = Some(vec![b'x'; 300].into());
    Some(request)
}
