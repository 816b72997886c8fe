//! Three deployments, of which only the last can serve.

use std::{sync::Arc, time::Duration};

use lb_core::{Backend, MockClock, Pool};
use lb_emulator::{Emulator, Received, Reply};

const HINT: Duration = Duration::from_secs(60);

/// The first throttles, the second refuses connections, the third is healthy. Each accepts one key, and knows one
/// deployment name.
#[derive(Debug)]
pub struct Deployments {
    emulators: [Emulator; 3],
    pool: Arc<Pool>,
}

impl Deployments {
    pub fn start() -> Self {
        let emulators = ["throttled", "refusing", "healthy"].map(healthy);
        let [throttled, refusing, _] = &emulators;
        throttled.always(Reply::throttled(HINT));
        refusing.refuse_connections(true).unwrap();
        let backend = |(emulator, priority): (&Emulator, u32)| {
            let name = emulator.name();
            let backend = Backend::builder(emulator.url()).name(name).priority(priority);
            backend.deployment(name).api_key(key(name)).build().unwrap()
        };
        let pool = Pool::builder().backends(emulators.iter().zip(1..).map(backend)).clock(MockClock::new());
        Self { pool: Arc::new(pool.build().unwrap()), emulators }
    }

    /// What the healthy one answers; by default a completion, as its limits and the request have it.
    pub fn answering(self, reply: &Reply) -> Self {
        self.emulators[2].always(reply.clone());
        self
    }

    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }

    /// Checks that one request went over all three, and returns it as the healthy one received it.
    pub fn served(&self) -> Received {
        let [throttled, refusing, healthy] = &self.emulators;
        let reached = [throttled, refusing, healthy].map(|emulator| emulator.requests().len());
        assert_eq!(reached, [1, 0, 1]);
        let snapshot = self.pool.snapshot();
        let cooling = snapshot.backends.iter().map(|backend| backend.state.remaining());
        assert!(cooling.eq([Some(HINT), Some(Duration::from_secs(10)), None]), "{snapshot:?}");
        let counters = |index: usize| snapshot.backends[index].counters;
        assert_eq!((counters(0).throttles, counters(1).faults, counters(2).successes), (1, 1, 1));

        let (first, last) = (throttled.requests().remove(0), healthy.requests().remove(0));
        assert_eq!(first.header("api-key"), Some(&*key("throttled")));
        assert_eq!(last.header("api-key"), Some(&*key("healthy")));
        assert_eq!(last.header("authorization"), None);
        last
    }
}

/// A deployment that serves.
pub fn healthy(name: &str) -> Emulator {
    Emulator::builder().name(name).deployment(name).key(key(name)).start().unwrap()
}

/// The key that the deployment named `name` accepts.
pub fn key(name: &str) -> String {
    format!("key of {name}")
}
