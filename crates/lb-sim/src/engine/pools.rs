use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use lb_core::{Backend, Event, MockClock, Observer, Pool};

use crate::scenario::{Client, PoolSharing as Sharing, Preset, Scenario, ScenarioError};

/// The workers' pools: one each, or one for all.
pub(crate) struct Pools {
    pools: Vec<Pool>,
    /// The scenario's backend at each place of a pool.
    backends: Vec<usize>,
    news: Arc<News>,
}

/// What became of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is cooling until this moment.
    Cooling(u64),
    /// It is suspect, and asked first from this moment on.
    Suspected(u64),
    /// It is available.
    Available,
}

/// The last change that a pool told of, until it is taken.
#[derive(Debug, Default)]
struct News {
    /// [`COOLING`], [`SUSPECTED`], [`AVAILABLE`]; 0: nothing has changed.
    kind: AtomicU8,
    moment: AtomicU64,
}

const COOLING: u8 = 1;
const SUSPECTED: u8 = 2;
const AVAILABLE: u8 = 3;

impl Observer for News {
    fn on_event(&self, event: &Event<'_>) {
        let (kind, moment) = match event {
            Event::Cooling { until, .. } => (COOLING, until.as_nanos()),
            Event::Suspected { probe_at, .. } => (SUSPECTED, probe_at.as_nanos()),
            Event::Available { .. } => (AVAILABLE, 0),
            _ => return,
        };
        // A run has one thread: nobody takes one of the two without the other.
        self.kind.store(kind, Ordering::Relaxed);
        self.moment.store(moment, Ordering::Relaxed);
    }

    /// The engine sends and settles them itself.
    fn wants_attempts(&self) -> bool {
        false
    }
}

impl Pools {
    /// The pools of a scenario: none if its client is direct, or if it has no backend to send to.
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let news = Arc::new(News::default());
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
        let pools = (0..count).map(|_| pool(scenario, &backends, &news)).collect::<Result<_, _>>()?;
        Ok(Self { pools, backends, news })
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

    /// What has changed last since this was asked.
    #[inline]
    pub(super) fn take_change(&self) -> Option<Change> {
        let kind = self.news.kind.load(Ordering::Relaxed);
        if kind == 0 {
            return None;
        }
        self.news.kind.store(0, Ordering::Relaxed);
        let moment = self.news.moment.load(Ordering::Relaxed);
        Some(match kind {
            COOLING => Change::Cooling(moment),
            SUSPECTED => Change::Suspected(moment),
            _ => Change::Available,
        })
    }
}

/// A deployment of zero PTUs was not bought.
pub(super) fn is_there(scenario: &Scenario, index: usize) -> bool {
    let backend = &scenario.backends[index];
    backend.preset != Preset::AzurePtu || backend.ptus != Some(0)
}

fn pool(scenario: &Scenario, backends: &[usize], news: &Arc<News>) -> Result<Pool, ScenarioError> {
    // The engine says what time it is; the pool's own clock stands still.
    let mut builder = Pool::builder().clock(MockClock::new()).observer(Arc::clone(news)).options(scenario.pool.clone());
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
