//! V22: the async balancer under tokio's paused clock decides as the simulator does, to the nanosecond.
//!
//! Both sides meet the same requests, the same servers and the same keyed draws. What differs is who drives: the
//! engine's heap of events and its own loop around `Dispatch`, or tokio's timers and lb-core's `LoadBalancer`. The
//! decision logs must be equal, line by line. tokio's timers tick in milliseconds, so every span is a whole number of
//! them, and arrivals are moved until no two requests have anything at the same moment, where the order would be tokio's
//! choice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use lb_core::{
    Backend, Clock, Error, Event, Exhausted, Fault, Head, Instant, LoadBalancer, Observer, Pool, Rng, SeededRng,
    Served, Target, Transport,
};
use lb_limits::Quotas;
use lb_sim::{
    Scenario, Simulation,
    draw::{Draws, Purpose},
    server::{Advice, Answer, Call, HeaderLines, Outages, Server, Service},
    traffic::{Arrival, Traffic},
};
use tokio::{
    sync::oneshot,
    time::{sleep_until, timeout_at},
};

const REQUESTS: u64 = 10_000;

/// Three workers over three tiers, with everything that a balancer can meet. Spans are whole milliseconds, and even but for
/// the deadline, so that no service ends just then.
const SCENARIO: &str = r#"
[run]
seed = 22
duration = "1 day"
[clients]
workers = 3
assignment = "round-robin"
timeout = "4002ms"
connect_fault_latency = "12ms"
[pool]
default_cooldown = "9s"
max_cooldown = "50s"
max_attempts = 3
fail_over_after_send = true
[[model]]
name = "whole"
input_tpm_per_ptu = 3000
ttft = { base = "500ms", per_1k_input = "1s", sigma = 0.0 }
tpot = { mean = "14ms", sigma = 0.0 }
[[backend]]
name = "ptu"
model = "whole"
preset = "azure-ptu"
ptus = 45
refusal_latency = "24ms"
[[backend]]
name = "east"
priority = 2
model = "whole"
preset = "azure-standard"
tpm = 40000
phase = "7001ms"
counts_refused = true
refusal_latency = "32ms"
hints = { form = "seconds" }
[[backend]]
name = "west"
priority = 2
weight = 3
model = "whole"
preset = "azure-standard"
tpm = 30000
phase = "0s"
refusal_latency = "0s"
hints = { policy = "optimistic", constant = "2s" }
[[backend]]
name = "own"
priority = 3
model = "whole"
concurrency = { max_inflight = 2, queue = 2 }
refusal_latency = "6ms"
hints = { policy = "none" }
[[backend]]
name = "mute"
priority = 3
model = "whole"
refusal_latency = "18ms"
hints = { refuse_with_200 = true }
window = [{ unit = "tokens", limit = 3000, length = "20s", kind = "sliding" }]
[[workload]]
name = "calls"
kind = "trace"
format = "csv"
file = "FILE"
columns = { time = "ms", time_unit = "1ms", input = "input", output = "output" }
max_tokens = { factor = 1.5, min = 50 }
deadline = "10009ms"
[[fault]]
backend = "ptu"
kind = "hang"
share = 0.01
at = "0s"
[[fault]]
backend = "west"
kind = "status"
share = 0.05
at = "0s"
[[fault]]
backend = "east"
kind = "connect"
at = "1h"
for = "10m"
[[fault]]
backend = "ptu"
kind = "status"
status = 500
at = "2h"
for = "20m"
"#;

#[test]
fn v22_the_async_balancer_decides_as_the_simulator_does() {
    let (scenario, simulated) = distinct();
    let lived = live(&scenario);
    for (number, (simulated, lived)) in simulated.iter().zip(&lived).enumerate() {
        assert_eq!(simulated, lived, "line {number}");
    }
    assert_eq!(simulated.len(), lived.len());
    assert_eq!(hash(&simulated), hash(&lived));
    // Something of everything, or the equality says little.
    let count = |part: &str| simulated.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count(",arrived,"), usize::try_from(REQUESTS).unwrap());
    for (part, least) in [
        (",sent,", 12_000),
        (",succeeded,", 5_000),
        (",cooling,", 1_000),
        (",exhausted,", 50),
        (",orphaned,", 20),
        (",429", 1_000),
        (",own,", 500),
        (",mute,200", 100),
    ] {
        assert!(count(part) >= least, "{} lines with `{part}`", count(part));
    }
    for event in [",faulted,", ",ptu,500", ",west,503"] {
        assert!(count(event) >= 20, "{} lines with `{event}`", count(event));
    }
    for end in [",,1", ",,200", ",,429"] {
        let ends = simulated.iter().filter(|line| line.contains(",gave_up,") && line.ends_with(end)).count();
        assert!(ends > 0, "nobody gave up with {end}");
    }
}

/// The scenario with arrivals at which no two requests have anything at the same moment, and its log.
fn distinct() -> (Scenario, Vec<String>) {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("equivalence.csv");
    let draws = Draws::new(22);
    let number = |second, below: u64| draws.bits(Purpose::Sample, 0, second) % below;
    // Calm and busy minutes in turn; in the mean a request every 1.4 s.
    let mut at = 0;
    let mut times: Vec<u64> = Vec::new();
    for request in 0..REQUESTS {
        times.push(at);
        at += 2 + number(3 * request, if request / 100 % 3 == 0 { 600 } else { 4_000 });
    }
    for _ in 0..50 {
        let mut csv = "ms,input,output\n".to_owned();
        for (request, at) in (0..).zip(&times) {
            let (input, output) = (100 + 2 * number(3 * request + 1, 1_000), 2 + number(3 * request + 2, 700));
            writeln!(csv, "{at},{input},{output}").unwrap();
        }
        fs::write(&file, csv).unwrap();
        let scenario = Scenario::parse(&SCENARIO.replace("FILE", file.to_str().unwrap())).unwrap();
        let mut log = Vec::new();
        Simulation::new(&scenario).unwrap().run_logged(0, &mut log).unwrap();
        let log: Vec<String> = String::from_utf8(log).unwrap().lines().skip(1).map(str::to_owned).collect();
        let moved = collisions(&log, &times);
        if moved.is_empty() {
            return (scenario, log);
        }
        for request in moved {
            times[request] += 1;
        }
        for later in 1..times.len() {
            times[later] = times[later].max(times[later - 1] + 1);
        }
    }
    panic!("the requests do not come apart");
}

/// The requests that have something at the same moment as another, or at which their own deadline ends.
fn collisions(log: &[String], times: &[u64]) -> Vec<usize> {
    let mut at: BTreeMap<u64, usize> = BTreeMap::new();
    let mut moved = Vec::new();
    for line in log {
        let fields: Vec<&str> = line.split(',').collect();
        let (moment, request): (u64, usize) = (fields[0].parse().unwrap(), fields[3].parse().unwrap());
        assert_eq!(moment % 1_000_000, 0, "{line}");
        let ends = moment == (times[request] + 10_009) * 1_000_000 && fields[1] != "gave_up";
        if *at.entry(moment).or_insert(request) != request || ends {
            moved.push(request);
        }
    }
    moved.sort_unstable();
    moved.dedup();
    moved
}

fn hash(log: &[String]) -> u64 {
    let bytes = log.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The same requests through `LoadBalancer`, under tokio's paused clock.
fn live(scenario: &Scenario) -> Vec<String> {
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
    static CALL: Arc<Context>;
}

/// A request, and how many attempts it has made.
struct Context {
    world: Arc<World>,
    arrival: Arrival,
    attempts: AtomicU32,
}

impl Context {
    fn note(&self, event: &str, attempt: u32, backend: &str, detail: u64) {
        let (at, number) = (self.world.now(), self.arrival.number);
        let line = format!("{at},{event},calls,{number},{attempt},{backend},{detail}");
        self.world.log.lock().unwrap().push(line);
    }
}

/// What all requests share: the clock, the servers, the log.
struct World {
    start: tokio::time::Instant,
    draws: Draws,
    log: Mutex<Vec<String>>,
    names: Vec<String>,
    timeout: Duration,
    servers: Mutex<Servers>,
}

struct Servers {
    servers: Vec<Server>,
    quotas: Quotas,
    outages: Outages,
    /// Requests in a queue, by ticket: what starts them, with what the service needs.
    queued: BTreeMap<u32, (oneshot::Sender<()>, Work)>,
    tickets: u32,
}

/// A service, and who wants to know when it is over.
struct Work {
    context: Arc<Context>,
    backend: usize,
    attempt: u32,
    service: Service,
    done: oneshot::Sender<()>,
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
            .observer(Noting)
            .default_cooldown(scenario.pool.default_cooldown.unwrap().as_duration())
            .max_cooldown(scenario.pool.max_cooldown.unwrap().as_duration())
            .max_attempts(scenario.pool.max_attempts.unwrap())
            .fail_over_after_send(scenario.pool.fail_over_after_send)
            .backends(backends)
            .build()
            .unwrap();
        LoadBalancer::with_parts(pool, Direct(Arc::clone(self)), Keyed::default())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    fn at(&self, nanos: u64) -> tokio::time::Instant {
        self.start + Duration::from_nanos(nanos)
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap()
    }

    /// The service begins; gives the moment of its first token.
    fn start(self: &Arc<Self>, work: Work) -> tokio::time::Instant {
        let (first, last) = (self.now() + work.service.first, self.now() + work.service.last);
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep_until(world.at(last)).await;
            world.end(work);
        });
        self.at(first)
    }

    /// The last token.
    fn end(self: &Arc<Self>, work: Work) {
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

/// An answer: of a service with what tells its end.
struct Reply {
    status: u16,
    lines: HeaderLines,
    done: Option<oneshot::Receiver<()>>,
}

/// A transport that asks the servers of the simulator.
struct Direct(Arc<World>);

impl Direct {
    /// What a server has to say, and how long that takes.
    async fn ask(&self, arrival: Arrival, backend: usize, attempt: u32) -> Result<Reply, Fault> {
        let world = &self.0;
        let call = Call {
            size: arrival.size,
            milli_chars_per_token: 4_000,
            stream: true,
            key: arrival.number,
            attempt: attempt.into(),
        };
        let (answer, ticket, refusal, connect) = {
            let mut guard = world.servers();
            let Servers { servers, quotas, outages, tickets, .. } = &mut *guard;
            *tickets += 1;
            let server = &mut servers[backend];
            let answer = server.offer(world.now(), &call, *tickets, world.draws, quotas, outages);
            (answer, *tickets, server.refusal_latency(), server.connect_fault_latency())
        };
        let (done, over) = oneshot::channel();
        let work = |service, done| Work { context: CALL.with(Arc::clone), backend, attempt, service, done };
        let answered = |status, advice| Ok(Reply { status, lines: HeaderLines::new(advice), done: None });
        let (answer, delay) = match answer {
            Answer::Served(service) => {
                sleep_until(world.start(work(service, done))).await;
                return Ok(Reply { status: 200, lines: HeaderLines::new(Advice::default()), done: Some(over) });
            }
            Answer::Queued(service) => {
                let (begin, begun) = oneshot::channel();
                world.servers().queued.insert(ticket, (begin, work(service, done)));
                begun.await.unwrap();
                sleep_until(tokio::time::Instant::now() + Duration::from_nanos(service.first)).await;
                return Ok(Reply { status: 200, lines: HeaderLines::new(Advice::default()), done: Some(over) });
            }
            Answer::Refused { advice, in_stream: false } => (answered(429, advice), refusal),
            Answer::Refused { advice, in_stream: true } => (answered(200, advice), refusal),
            Answer::Broken(status) => (answered(status, Advice::default()), refusal),
            Answer::Unreachable => (Err(Fault::Connect), connect),
            Answer::Hangs => std::future::pending().await,
        };
        if delay > 0 {
            tokio::time::sleep(Duration::from_nanos(delay)).await;
        }
        answer
    }
}

impl Transport for Direct {
    type Request = Arrival;
    type Original = Arrival;
    type Response = Reply;
    type Error = Fault;

    async fn prepare(&self, request: Arrival) -> Result<Arrival, Fault> {
        Ok(request)
    }

    fn replay(&self, original: &Arrival) -> Option<Arrival> {
        Some(*original)
    }

    fn take(&self, original: &mut Arrival) -> Arrival {
        *original
    }

    async fn send(&self, arrival: Arrival, target: &Target<'_>) -> Result<Reply, Error<Fault>> {
        let context = CALL.with(Arc::clone);
        let name = target.backend().name();
        let backend = self.0.names.iter().position(|other| other == name).unwrap();
        let attempt = context.attempts.fetch_add(1, Ordering::SeqCst);
        context.note("sent", attempt, name, 0);
        let end = tokio::time::Instant::now() + self.0.timeout;
        let answer = timeout_at(end, self.ask(arrival, backend, attempt)).await.unwrap_or(Err(Fault::Timeout));
        match &answer {
            Ok(reply) => context.note("answered", attempt, name, reply.status.into()),
            Err(fault) => context.note("faulted", attempt, name, if *fault == Fault::Connect { 1 } else { 2 }),
        }
        answer.map_err(Error::Transport)
    }

    fn head<'r>(&self, response: &'r Reply) -> Head<'r> {
        Head::new(response.status, &response.lines)
    }

    fn fault(&self, error: &Fault) -> Fault {
        *error
    }

    fn synthesize(&self, _: &Arrival, _: &Exhausted) -> Reply {
        Reply { status: 429, lines: HeaderLines::new(Advice::default()), done: None }
    }

    fn mark(&self, _: &mut Reply, _: Served) {}
}

/// The engine's draws: another generator for every request and attempt.
#[derive(Default)]
struct Keyed {
    /// The request, the attempt, and its generator.
    last: Mutex<Option<(u64, u32, SeededRng)>>,
}

impl Rng for Keyed {
    fn next_u64(&self) -> u64 {
        let (draws, number, attempts) =
            CALL.with(|call| (call.world.draws, call.arrival.number, call.attempts.load(Ordering::SeqCst)));
        let mut last = self.last.lock().unwrap();
        if !matches!(&*last, Some((of, at, _)) if (*of, *at) == (number, attempts)) {
            *last = Some((number, attempts, draws.rng(Purpose::Choice, number, attempts.into())));
        }
        last.as_ref().map(|(_, _, rng)| rng.next_u64()).unwrap()
    }
}

/// tokio's clock as a pool's.
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap())
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

/// Writes what the pool decides into the log.
struct Noting;

impl Observer for Noting {
    fn on_event(&self, event: &Event<'_>) {
        let note = |event: &str, before: u32, backend: &str, detail: u64| {
            CALL.with(|call| call.note(event, call.attempts.load(Ordering::SeqCst) - before, backend, detail));
        };
        match event {
            Event::Cooling { backend, until, .. } => note("cooling", 1, backend.name(), until.as_nanos()),
            Event::Exhausted { exhausted, synthesized: true, .. } => {
                note("exhausted", 0, "", u64::try_from(exhausted.retry_after().as_nanos()).unwrap());
            }
            _ => {}
        }
    }
}
