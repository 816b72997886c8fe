//! The same requests through `LoadBalancer`, under tokio's paused clock.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    Scenario,
    deployment::{Outages, Server, Service},
    random::Draws,
    traffic::{Arrival, Traffic},
};
use lb_core::{Backend, Error, LoadBalancer, Pool};
use lb_limits::Quotas;
use tokio::{
    sync::oneshot,
    time::{sleep_until, timeout_at},
};

use super::seams::{Direct, Keyed, Noting, Paused, Reply};

/// The log of the scenario's requests.
pub(crate) fn run(scenario: &Scenario) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(scenario);
        let balancers: Vec<_> = (0..3).map(|_| Arc::new(world.balancer(scenario))).collect();
        let loaded = Traffic::load(&scenario.workloads, &scenario.folder).unwrap();
        let until = scenario.run.duration.map(|span| span.as_nanos());
        let mut traffic = Traffic::with(&scenario.workloads, &loaded, 1.0, world.draws, until).unwrap();
        let deadline = scenario.workloads[0].deadline.unwrap().as_duration();
        while let Some(arrival) = traffic.next() {
            sleep_until(world.at(arrival.at)).await;
            let worker = arrival.number % 3;
            let context = Arc::new(Context { world: Arc::clone(&world), arrival, attempts: AtomicU32::new(0) });
            context.note("arrived", 0, "", worker);
            let balancer = Arc::clone(&balancers[usize::try_from(worker).unwrap()]);
            tokio::spawn(CALL.scope(Arc::clone(&context), call(context, balancer, deadline)));
        }
        // Longer than any timeout and any service.
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        std::mem::take(&mut *world.log.lock().unwrap())
    })
}

/// One request, as the engine has it: with a deadline for all of it, the stream included.
async fn call(context: Arc<Context>, balancer: Arc<LoadBalancer<Direct, Keyed>>, deadline: Duration) {
    let end = context.world.at(context.arrival.at) + deadline;
    let sent = async {
        match balancer.send(context.arrival).await {
            Ok(Reply { done: Some(done), .. }) => {
                done.await.unwrap();
                None
            }
            Ok(reply) => Some(reply.status),
            Err(Error::Transport(_)) => Some(0),
            Err(error) => panic!("{error}"),
        }
    };
    let code = timeout_at(end, sent).await.unwrap_or(Some(1));
    if let Some(code) = code {
        context.note("gave_up", context.attempts.load(Ordering::SeqCst), "", code.into());
    }
}

tokio::task_local! {
    /// The request whose task this is.
    pub(crate) static CALL: Arc<Context>;
}

/// A request, and how many attempts it has made.
pub(crate) struct Context {
    pub(crate) world: Arc<World>,
    pub(crate) arrival: Arrival,
    pub(crate) attempts: AtomicU32,
}

impl Context {
    pub(crate) fn note(&self, event: &str, attempt: u32, backend: &str, detail: u64) {
        let (at, number) = (self.world.now(), self.arrival.number);
        let line = format!("{at},{event},calls,{number},{attempt},{backend},{detail}");
        self.world.log.lock().unwrap().push(line);
    }
}

/// What all requests share: the clock, the servers, the log.
pub(crate) struct World {
    pub(crate) start: tokio::time::Instant,
    pub(crate) draws: Draws,
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) names: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) servers: Mutex<Servers>,
}

pub(crate) struct Servers {
    pub(crate) servers: Vec<Server>,
    pub(crate) quotas: Quotas,
    pub(crate) outages: Outages,
    /// Requests in a queue, by ticket: what starts them, with what the service needs.
    pub(crate) queued: BTreeMap<u32, (oneshot::Sender<()>, LiveWork)>,
    pub(crate) tickets: u32,
}

/// A service, and who wants to know when it is over.
pub(crate) struct LiveWork {
    pub(crate) context: Arc<Context>,
    pub(crate) backend: usize,
    pub(crate) attempt: u32,
    pub(crate) service: Service,
    pub(crate) done: oneshot::Sender<()>,
}

impl World {
    fn new(scenario: &Scenario) -> Arc<Self> {
        let draws = Draws::new(scenario.run.seed);
        let (servers, quotas) = Server::all(scenario, draws);
        let outages = Outages::new(&scenario.faults, draws);
        Arc::new(Self {
            start: tokio::time::Instant::now(),
            draws,
            log: Mutex::default(),
            names: scenario.backends.iter().map(|backend| backend.name.clone()).collect(),
            timeout: scenario.clients.timeout.as_duration(),
            servers: Mutex::new(Servers { servers, quotas, outages, queued: BTreeMap::new(), tickets: 0 }),
        })
    }

    fn balancer(self: &Arc<Self>, scenario: &Scenario) -> LoadBalancer<Direct, Keyed> {
        let backends = scenario.backends.iter().map(|backend| {
            Backend::builder(format!("{}.example", backend.name))
                .name(&backend.name)
                .priority(backend.priority)
                .weight(backend.weight)
                .build()
                .unwrap()
        });
        let pool = Pool::builder()
            .clock(Paused(self.start))
            .observer(Noting::default())
            .options(scenario.pool.clone())
            .backends(backends)
            .build()
            .unwrap();
        LoadBalancer::with_parts(pool, Direct(Arc::clone(self)), Keyed::default())
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    pub(crate) fn at(&self, nanos: u64) -> tokio::time::Instant {
        self.start + Duration::from_nanos(nanos)
    }

    pub(crate) fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap()
    }

    /// The service begins; gives the moment of its first token.
    pub(crate) fn start(self: &Arc<Self>, work: LiveWork) -> tokio::time::Instant {
        let (first, last) = (self.now() + work.service.first, self.now() + work.service.last);
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep_until(world.at(last)).await;
            world.end(work);
        });
        self.at(first)
    }

    /// The last token.
    fn end(self: &Arc<Self>, work: LiveWork) {
        let mut guard = self.servers();
        let Servers { servers, quotas, queued, .. } = &mut *guard;
        let size = work.context.arrival.size;
        servers[work.backend].correct(self.now(), &work.service.demand, &size, quotas);
        let next = servers[work.backend].leave().and_then(|ticket| queued.remove(&ticket));
        drop(guard);
        if let Some((begin, mut next)) = next {
            // Whoever waits for it goes on; if nobody does, the service begins all the same.
            if begin.send(()).is_err() {
                next.done = oneshot::channel().0;
            }
            let _ = self.start(next);
        }
        let name = &self.names[work.backend];
        if work.done.is_closed() {
            work.context.note("orphaned", 0, name, 0);
        } else {
            work.context.note("succeeded", work.attempt, name, 0);
            work.done.send(()).unwrap();
        }
    }
}
