//! A gate: a transport that holds every attempt back until the test says how it ends.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use http::{Request, Response};
use lb_core::{
    Error, Exhausted, Fault, Head, Served, Target, Transport,
    test_util::{OneShot, ScriptedFault},
};

/// Put this into a request's extensions, so that its attempts can be told apart from other requests'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// An attempt that stands before the gate.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The backend's name.
    pub backend: String,
    /// Which attempt of its request it is, from 1.
    pub number: u32,
    /// The request, addressed.
    pub request: Request<Bytes>,
}

/// A transport that holds every attempt back until the test says how it ends. Clones share the gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    waiting: HashMap<RequestId, Attempt>,
    answers: HashMap<RequestId, Result<Response<Bytes>, Fault>>,
    sent: u64,
}

impl Gate {
    /// A gate with nothing before it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The attempt of this request that waits; `None` if none does.
    #[must_use]
    pub fn waiting(&self, id: RequestId) -> Option<Attempt> {
        self.held().waiting.get(&id).cloned()
    }

    /// How many attempts were sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.held().sent
    }

    /// How many attempts wait.
    #[must_use]
    pub fn open(&self) -> usize {
        self.held().waiting.len()
    }

    /// Says how the waiting attempt of this request ends: when its future is next polled.
    pub fn answer(&self, id: RequestId, answer: Result<Response<Bytes>, Fault>) {
        self.held().answers.insert(id, answer);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the attempt away from the gate when its future ends or is dropped.
struct Leave<'a>(&'a Gate, RequestId);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.held().waiting.remove(&self.1);
    }
}

impl Transport for Gate {
    type Request = Request<Bytes>;
    type Response = Response<Bytes>;
    type Error = ScriptedFault;

    fn replay(&self, original: &mut Request<Bytes>) -> Option<Request<Bytes>> {
        original.extensions().get::<OneShot>().is_none().then(|| original.clone())
    }

    async fn send(
        &self,
        mut request: Request<Bytes>,
        target: &Target<'_>,
    ) -> Result<Response<Bytes>, Error<ScriptedFault>> {
        target.address(&mut request)?;
        let id = *request.extensions().get::<RequestId>().expect("a request with a RequestId");
        let attempt = Attempt { backend: target.backend().name().to_owned(), number: target.attempt(), request };
        {
            let mut held = self.held();
            held.sent += 1;
            held.waiting.insert(id, attempt);
        }
        let _leave = Leave(self, id);
        let answer = poll_fn(|_| self.held().answers.remove(&id).map_or(Poll::Pending, Poll::Ready)).await;
        answer.map_err(|fault| Error::Transport(ScriptedFault(fault)))
    }

    fn head<'r>(&self, response: &'r Response<Bytes>) -> Head<'r> {
        Head::new(response.status().as_u16(), response.headers())
    }

    fn fault(&self, error: &ScriptedFault) -> Fault {
        error.0
    }

    fn synthesize(&self, _: &Request<Bytes>, exhausted: &Exhausted) -> Response<Bytes> {
        exhausted.to_response()
    }

    fn mark(&self, response: &mut Response<Bytes>, served: Served) {
        response.extensions_mut().insert(served);
    }
}
