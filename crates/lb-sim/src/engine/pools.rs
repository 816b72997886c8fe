use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use lb_core::{Backend, Event, MockClock, Observer, Pool};

use crate::scenario::{Client, PoolSharing as Sharing, Preset, Scenario, ScenarioError};

/// The workers' pools: one each, or one for all.
pub(crate) struct Pools {
    pools: Vec<Pool>,
    /// The scenario's backend at each place of a pool.
    backends: Vec<usize>,
    cooling: Arc<Cooling>,
}

/// The end of the last cooldown that a pool began or extended, until it is taken: told by the pool itself.
#[derive(Debug, Default)]
struct Cooling {
    until: AtomicU64,
}

impl Observer for Cooling {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Cooling { until, .. } = event {
            self.until.store(until.as_nanos(), Ordering::Relaxed);
        }
    }
}

impl Pools {
    /// The pools of a scenario: none if its client is direct, or if it has no backend to send to.
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let cooling = Arc::new(Cooling::default());
        let mut backends: Vec<usize> =
            (0..scenario.backends.len()).filter(|&index| is_there(scenario, index)).collect();
        // As the pool sorts them: by priority, otherwise in the order given.
        backends.sort_by_key(|&index| scenario.backends[index].priority);
        let count = match (scenario.clients.client, scenario.clients.pools) {
            _ if backends.is_empty() => 0,
            (Client::Direct, _) => 0,
            (Client::Balancer, Sharing::Shared) => 1,
            (Client::Balancer, Sharing::Private) => scenario.clients.workers,
        };
        let pools = (0..count).map(|_| pool(scenario, &backends, &cooling)).collect::<Result<_, _>>()?;
        Ok(Self { pools, backends, cooling })
    }

    /// The pool of a worker, and its number; `None` if there are no pools.
    pub(super) fn of(&self, worker: u32) -> Option<(usize, &Pool)> {
        let number = if self.pools.len() == 1 { 0 } else { worker as usize };
        self.pools.get(number).map(|pool| (number, pool))
    }

    pub(super) fn len(&self) -> usize {
        self.pools.len()
    }

    /// The scenario's backend at this place of a pool.
    pub(super) fn backend(&self, index: usize) -> usize {
        self.backends[index]
    }

    /// The end of the cooldown that the last `settle` began or extended, if it did.
    #[inline]
    pub(super) fn take_cooling(&self) -> Option<u64> {
        let until = self.cooling.until.load(Ordering::Relaxed);
        if until == 0 {
            return None;
        }
        self.cooling.until.store(0, Ordering::Relaxed);
        Some(until)
    }
}

/// A deployment of zero PTUs was not bought.
pub(super) fn is_there(scenario: &Scenario, index: usize) -> bool {
    let backend = &scenario.backends[index];
    backend.preset != Preset::AzurePtu || backend.ptus != Some(0)
}

fn pool(scenario: &Scenario, backends: &[usize], cooling: &Arc<Cooling>) -> Result<Pool, ScenarioError> {
    // The engine says what time it is; the pool's own clock stands still.
    let mut builder =
        Pool::builder().clock(MockClock::new()).observer(Arc::clone(cooling)).options(scenario.pool.clone());
    for &index in backends {
        let backend = &scenario.backends[index];
        let built = Backend::builder(format!("backend-{index}.example"))
            .name(&backend.name)
            .priority(backend.priority)
            .weight(backend.weight)
            .build();
        builder = builder.backend(
            built.map_err(|error| ScenarioError::new(format!("backend.{}", backend.name), error.to_string()))?,
        );
    }
    builder.build().map_err(|error| ScenarioError::new("pool", error.to_string()))
}
