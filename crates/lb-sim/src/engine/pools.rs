use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use lb_core::{Backend, Event, Instant, MockClock, Observer, Pool, Reason};

use crate::scenario::{Client, PoolSharing as Sharing, Program, Scenario, ScenarioError};

use super::narrow;

/// The workers' pools: one each, or one for all of a program.
pub(crate) struct Pools {
    pools: Vec<Pool>,
    /// Per worker, those of each program after those of the one before.
    workers: Vec<Desk>,
    /// The scenario's backend at each place of a pool: per program.
    backends: Vec<u32>,
    /// Pools that tell each other of cooldowns.
    circles: Vec<Circle>,
    news: Arc<News>,
    /// The clock of all pools. The engine says what time it is, but for news from elsewhere.
    clock: MockClock,
}

/// Pools of one program that tell each other of cooldowns.
#[derive(Debug, Clone)]
pub(super) struct Circle {
    pub(super) pools: Range<usize>,
    /// How long news take.
    pub(super) delay: u64,
}

/// What a worker sends over.
#[derive(Debug, Clone, Copy)]
struct Desk {
    /// Its pool; [`NO_POOL`] without one.
    pool: u32,
    /// Where the backends of its pool begin in the list of all.
    backends: u32,
    /// Its circle; [`NO_CIRCLE`] without one.
    circle: u32,
}

const NO_POOL: u32 = u32::MAX;
const NO_CIRCLE: u32 = u32::MAX;

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
    /// The pools of a scenario: none for workers whose client is direct, or who have no backend to send to.
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let mut all = Self {
            pools: Vec::new(),
            workers: Vec::new(),
            backends: Vec::new(),
            circles: Vec::new(),
            news: Arc::default(),
            clock: MockClock::new(),
        };
        for program in scenario.programs() {
            all.add(scenario, &program)?;
        }
        Ok(all)
    }

    fn add(&mut self, scenario: &Scenario, program: &Program<'_>) -> Result<(), ScenarioError> {
        let (clients, begin) = (program.clients, narrow(self.backends.len()));
        let mut backends: Vec<usize> =
            (0..scenario.backends.len()).filter(|&index| program.sends_to[index] && scenario.is_there(index)).collect();
        // As the pool sorts them: by priority, otherwise in the order given.
        backends.sort_by_key(|&index| scenario.backends[index].priority);
        self.backends.extend(backends.iter().map(|&index| narrow(index)));
        let first = self.pools.len();
        let gossips = (clients.client, clients.pools) == (Client::Balancer, Sharing::Gossip) && !backends.is_empty();
        let circle = if gossips { narrow(self.circles.len()) } else { NO_CIRCLE };
        for worker in 0..clients.workers {
            let pool = match (clients.client, clients.pools) {
                _ if backends.is_empty() => NO_POOL,
                (Client::Direct, _) => NO_POOL,
                (Client::Balancer, Sharing::Shared) if worker > 0 => narrow(self.pools.len() - 1),
                (Client::Balancer, _) => {
                    self.pools.push(self.pool(scenario, program, &backends)?);
                    narrow(self.pools.len() - 1)
                }
            };
            self.workers.push(Desk { pool, backends: begin, circle });
        }
        if gossips {
            self.circles.push(Circle { pools: first..self.pools.len(), delay: clients.gossip_delay.as_nanos() });
        }
        Ok(())
    }

    /// The circle that a worker's pool belongs to, and its number.
    pub(super) fn circle_of(&self, worker: u32) -> Option<(u32, &Circle)> {
        let number = self.workers[worker as usize].circle;
        self.circles.get(number as usize).map(|circle| (number, circle))
    }

    pub(super) fn circles(&self) -> &[Circle] {
        &self.circles
    }

    /// Another process says that a backend is out for so long; whether that is news to this pool, and until when.
    pub(super) fn hear(&self, pool: usize, backend: &str, left: u64, now: u64) -> Option<u64> {
        let pool = &self.pools[pool];
        self.clock.set(Instant::from_nanos(now));
        let left = Duration::from_nanos(left).min(pool.max_cooldown());
        pool.cool_because(backend, left, Reason::Status(429))
            .then(|| Instant::from_nanos(now).saturating_add(left).as_nanos())
    }

    /// The pool of a worker, and its number; `None` if it has none.
    pub(super) fn of(&self, worker: u32) -> Option<(usize, &Pool)> {
        let number = self.workers[worker as usize].pool as usize;
        self.pools.get(number).map(|pool| (number, pool))
    }

    pub(super) fn len(&self) -> usize {
        self.pools.len()
    }

    /// The scenario's backend at this place of a worker's pool.
    #[inline]
    pub(super) fn backend(&self, worker: u32, place: usize) -> usize {
        self.backends[self.workers[worker as usize].backends as usize + place] as usize
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

    fn pool(&self, scenario: &Scenario, program: &Program<'_>, backends: &[usize]) -> Result<Pool, ScenarioError> {
        let (clock, news) = (self.clock.clone(), Arc::clone(&self.news));
        let mut builder = Pool::builder().clock(clock).observer(news).options(program.pool.clone());
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
        builder.build().map_err(|error| {
            let key = match program.owner {
                Some(workload) if workload.pool.is_some() => format!("workload.{}.pool", workload.name),
                _ => "pool".to_owned(),
            };
            ScenarioError::new(key, error.to_string())
        })
    }
}
