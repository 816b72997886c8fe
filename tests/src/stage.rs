//! A stage: a pool, a mock clock and a scripted transport under one balancer, for scenarios that are told step by step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::executor::block_on;
use http::{Request, Response};
use lb_core::{
    Backend, BackendBuilder, BackendSnapshot, BlockingLoadBalancer, Counters, Error, LoadBalancer, MockClock, Pool,
    PoolBuilder, ReplaceablePool, SeededRng, Served, State,
    test_util::{OneShot, ScriptedFault, ScriptedTransport, Sent},
};

/// What a balancer over a [`ScriptedTransport`] gives back.
pub type Answer = Result<Response<Bytes>, Error<ScriptedFault>>;

/// How the loop is run. Every scenario must end the same way under each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// [`LoadBalancer`].
    Async,
    /// [`BlockingLoadBalancer`].
    Blocking,
}

impl Drive {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Async, Self::Blocking];
}

#[derive(Debug)]
enum Balancer {
    Async(LoadBalancer<ScriptedTransport, SeededRng>),
    Blocking(BlockingLoadBalancer<ScriptedTransport, SeededRng>),
}

/// A balancer with everything around it in the test's hands.
#[derive(Debug)]
pub struct Stage {
    /// How the loop is run here.
    pub drive: Drive,
    /// The pool's clock.
    pub clock: MockClock,
    /// What the backends answer, and what arrived at them.
    pub transport: ScriptedTransport,
    /// The balancer's pool.
    pub pool: Arc<Pool>,
    balancer: Balancer,
    seen: AtomicUsize,
}

/// Runs a scenario on a fresh stage under every drive.
pub fn on_every_drive(pool: impl Fn() -> PoolBuilder, scenario: impl Fn(&Stage)) {
    for drive in Drive::ALL {
        eprintln!("under {drive:?}:");
        scenario(&Stage::new(drive, pool()));
    }
}

/// A backend `https://{name}.example` with that name.
pub fn host(name: &str, priority: u32) -> BackendBuilder {
    Backend::builder(format!("https://{name}.example")).name(name).priority(priority)
}

/// A pool of such backends, given as name and priority.
pub fn pool_of(backends: &[(&str, u32)]) -> PoolBuilder {
    Pool::builder().backends(backends.iter().map(|&(name, priority)| host(name, priority).build().unwrap()))
}

/// The request that scenarios send when the request is not the point.
pub fn ask() -> Request<Bytes> {
    Request::post("/openai/deployments/gpt/chat/completions?api-version=1").body(Bytes::from("{}")).unwrap()
}

/// The same with a body that cannot be replayed.
pub fn ask_once() -> Request<Bytes> {
    let mut request = ask();
    request.extensions_mut().insert(OneShot);
    request
}

impl Stage {
    /// A stage on the pool that the builder makes; its clock is the stage's.
    #[must_use]
    pub fn new(drive: Drive, pool: PoolBuilder) -> Self {
        let clock = MockClock::new();
        let transport = ScriptedTransport::new();
        let pool = Arc::new(pool.clock(clock.clone()).build().unwrap());
        let (shared, rng) = (Arc::clone(&pool), SeededRng::new(42));
        let balancer = match drive {
            Drive::Async => Balancer::Async(LoadBalancer::with_parts(shared, transport.clone(), rng)),
            // Over a handle, so that every scenario is also one of a pool that can be replaced.
            Drive::Blocking => {
                let handle = ReplaceablePool::from(shared);
                Balancer::Blocking(BlockingLoadBalancer::with_parts(handle, transport.clone(), rng))
            }
        };
        Self { drive, clock, transport, pool, balancer, seen: AtomicUsize::new(0) }
    }

    /// Sends a request with `send`.
    ///
    /// # Errors
    ///
    /// The balancer's.
    pub fn send(&self, request: Request<Bytes>) -> Answer {
        match &self.balancer {
            Balancer::Async(balancer) => block_on(balancer.send(request)),
            Balancer::Blocking(balancer) => balancer.send(request),
        }
    }

    /// Sends a request with `try_send`.
    ///
    /// # Errors
    ///
    /// The balancer's.
    pub fn try_send(&self, request: Request<Bytes>) -> Answer {
        match &self.balancer {
            Balancer::Async(balancer) => block_on(balancer.try_send(request)),
            Balancer::Blocking(balancer) => balancer.try_send(request),
        }
    }

    /// Sends [`ask`]; the response must not be missing.
    pub fn ask(&self) -> Response<Bytes> {
        self.send(ask()).unwrap()
    }

    /// Sends [`ask`]; gives the name of the backend that served it.
    pub fn ask_whom(&self) -> String {
        let response = self.ask();
        response.extensions().get::<Served>().expect("a backend's own response").backend().to_owned()
    }

    /// The requests that arrived since this was last asked.
    pub fn arrived(&self) -> Vec<Sent> {
        let all = self.transport.requests();
        let seen = self.seen.swap(all.len(), Ordering::Relaxed);
        all[seen..].to_vec()
    }

    /// The backends that were asked since this, or `arrived`, was last asked.
    pub fn asked(&self) -> Vec<String> {
        self.arrived().into_iter().map(|sent| sent.backend).collect()
    }

    /// Lets time pass.
    pub fn wait(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Lets seconds pass.
    pub fn wait_secs(&self, secs: u64) {
        self.wait(Duration::from_secs(secs));
    }

    /// For how long the backend is still out; `None` if it is available.
    #[must_use]
    pub fn cooling(&self, name: &str) -> Option<Duration> {
        self.look(name, |backend| backend.state.remaining())
    }

    /// For how many seconds each backend is still out, in the pool's order.
    #[must_use]
    pub fn cooling_secs(&self) -> Vec<Option<f64>> {
        let names = self.pool.backends().iter().map(Backend::name);
        names.map(|name| self.cooling(name).map(|left| left.as_secs_f64())).collect()
    }

    /// The backend's state.
    #[must_use]
    pub fn state(&self, name: &str) -> State {
        self.look(name, |backend| backend.state)
    }

    /// How many strikes stand against each backend, in the pool's order.
    #[must_use]
    pub fn strikes(&self) -> Vec<u32> {
        self.pool.snapshot().backends.iter().map(|backend| backend.strikes).collect()
    }

    /// What was counted at the backend.
    #[must_use]
    pub fn counters(&self, name: &str) -> Counters {
        self.look(name, |backend| backend.counters)
    }

    fn look<T>(&self, name: &str, read: impl Fn(&BackendSnapshot) -> T) -> T {
        let snapshot = self.pool.snapshot();
        read(snapshot.backends.iter().find(|backend| backend.backend.name() == name).expect("a backend of the pool"))
    }
}

/// The value of a header that must be there once.
///
/// # Panics
///
/// If it is missing or there twice.
#[must_use]
pub fn header(response: &Response<Bytes>, name: &str) -> String {
    let values: Vec<_> = response.headers().get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{name} in {response:?}");
    values[0].to_str().unwrap().to_owned()
}
