//! A backend that behaves as told, and a healthy one of the next priority.

use std::sync::Arc;

use lb_core::{Fault, MockClock, Pool, PoolBuilder};

use crate::{
    pool::{canary, counters, pool, snapshot},
    reply::Reply,
    server::{Behaviour, Server},
    stack::{Failure, Settings, Stack},
};

pub struct Scene<S> {
    stack: S,
    pub b1: Server,
    pub b2: Server,
    pub pool: Arc<Pool>,
    pub clock: MockClock,
}

impl<S: Stack> Scene<S> {
    /// With a client that waits longer than anything takes.
    pub fn new(behaviour: Behaviour) -> Self {
        Self::with(Settings::patient(S::PROTOCOL), behaviour, |options| options)
    }

    pub fn with(settings: Settings, behaviour: Behaviour, options: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Self {
        let (b1, b2) = (Server::start(S::PROTOCOL, behaviour), Server::start(S::PROTOCOL, Behaviour::Serves));
        let (pool, clock) = pool([("b1", b1.url(), 1), ("b2", b2.url(), 2)], options);
        Self { stack: S::new(settings), b1, b2, pool, clock }
    }

    pub fn fetch(&self, id: &str) -> Result<Reply, Fault> {
        self.stack.fetch(&self.pool, id).map_err(|failure| match failure {
            Failure::Transport(fault) => fault,
            Failure::Balancer(error) => panic!("expected an error of the stack's: {error}"),
        })
    }

    /// How many strikes stand against `b1`.
    pub fn strikes(&self) -> u32 {
        snapshot(&self.pool, "b1").strikes
    }

    /// Checks that nothing is in flight, that nothing was received twice, and that nobody saw another's key.
    pub fn check_at_rest(&self) {
        for (name, other, server) in [("b1", "b2", &self.b1), ("b2", "b1", &self.b2)] {
            let counted = counters(&self.pool, name);
            let ended = counted.successes
                + counted.throttles
                + counted.server_errors
                + counted.faults
                + counted.rejected
                + counted.cancelled;
            assert_eq!((counted.in_flight, counted.attempts), (0, ended), "{name}: {counted:?}");
            assert_eq!(server.repeated(), 0, "{name}");
            assert!(!server.has_seen(canary(other)), "{name} has the key of {other}");
            assert_eq!(server.has_seen(canary(name)), server.received() > 0, "{name}'s own key");
        }
    }
}
