//! The engine: events in order of time, the real lb-core in the loop.
//!
//! A request arrives at a worker, walks over the worker's pool with an [`lb_core::Dispatch`] of its own, and each
//! attempt is offered to a [`Server`]. The head of an answer, the last token, the SDK's wait and the caller's deadline
//! are events in a heap, in order of (time, sequence); at one moment they come before an arrival. Nothing reads a
//! clock: `now` is the time of the event.

mod accounts;
mod pools;
mod queue;
mod request;

use std::io;

use lb_core::{Dispatch, Instant, Outcome, Step, Verdict};
use lb_limits::Quotas;
use slab::Slab;

use crate::{
    draw::{Draws, Purpose, unit},
    journal::{Entry, Journal, NO_BACKEND, Names},
    metrics::RunResult,
    report::Report,
    scenario::{Assignment, Client, Scenario, ScenarioError},
    sdk,
    server::{Advice, Answer, Call, Outages, Server},
    traffic::{Arrival, Loaded, Traffic},
};

use accounts::Accounts;
use pools::Pools;
use queue::{Event, Queue};
use request::{Head, NO_REQUEST, Request, TryEnd, Work};

/// A scenario, ready to run: its traces are loaded. It can be shared by threads that run replications of it.
#[derive(Debug)]
pub struct Simulation {
    scenario: Scenario,
    loaded: Loaded,
    end: u64,
}

impl Simulation {
    /// A simulation of this scenario.
    ///
    /// # Errors
    ///
    /// If a trace cannot be read, or lb-core refuses an option of the pool.
    pub fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        Self::with(scenario, Traffic::load(&scenario.workloads, &scenario.folder)?)
    }

    /// A simulation of this scenario, with traces that have been loaded already, or made.
    ///
    /// # Errors
    ///
    /// As [`Simulation::new`]; also if a trace is not among those loaded.
    pub fn with(scenario: &Scenario, loaded: Loaded) -> Result<Self, ScenarioError> {
        Pools::new(scenario)?;
        let end = traffic(scenario, &loaded, Draws::new(0))?.until();
        if end <= scenario.run.warmup.as_nanos() {
            return Err(ScenarioError::new("run.warmup", "it must be shorter than the traces"));
        }
        Ok(Self { scenario: scenario.clone(), loaded, end })
    }

    /// The scenario.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Runs one replication. The same replication of the same scenario gives the same result, on every machine and
    /// beside any other threads.
    #[must_use]
    pub fn run(&self, replication: u64) -> RunResult {
        let (result, hash) = self.engine(replication, Journal::hash_only());
        // Without a writer nothing can fail.
        RunResult { hash: hash.unwrap_or_default(), ..result }
    }

    /// Runs one replication, and writes every decision as a CSV line.
    ///
    /// # Errors
    ///
    /// If the writer fails.
    pub fn run_logged(&self, replication: u64, writer: &mut dyn io::Write) -> io::Result<RunResult> {
        let names = Names {
            workloads: self.scenario.workloads.iter().map(|workload| workload.name.as_str()).collect(),
            backends: self.scenario.backends.iter().map(|backend| backend.name.as_str()).collect(),
        };
        let (result, hash) = self.engine(replication, Journal::with_lines(writer, names));
        Ok(RunResult { hash: hash?, ..result })
    }

    fn engine(&self, replication: u64, journal: Journal<'_>) -> (RunResult, io::Result<u64>) {
        let scenario = &self.scenario;
        let draws = Draws::new(scenario.run.seed).replication(replication);
        // Both were made once, when the simulation was.
        let pools = Pools::new(scenario).unwrap_or_else(|error| unreachable!("{error}"));
        let (servers, quotas) = Server::all(scenario, draws);
        let traffic = traffic(scenario, &self.loaded, draws).unwrap_or_else(|error| unreachable!("{error}"));
        let engine = Engine {
            scenario,
            draws,
            end: self.end,
            timeout: scenario.clients.timeout.as_nanos(),
            now: 0,
            traffic,
            queue: Queue::default(),
            outages: Outages::new(&scenario.faults, draws),
            foreign: vec![0; servers.len()],
            calls: scenario.workloads.iter().map(request::template).collect(),
            accounts: Accounts::new(scenario, pools.len(), self.end),
            servers,
            quotas,
            direct: direct(scenario),
            pools: &pools,
            requests: Slab::new(),
            dispatches: Vec::new(),
            works: Slab::new(),
            journal,
        };
        engine.run(replication)
    }
}

/// Runs all replications of a scenario, one after the other.
///
/// # Errors
///
/// See [`Simulation::new`].
pub fn simulate(scenario: &Scenario) -> Result<Vec<RunResult>, ScenarioError> {
    let simulation = Simulation::new(scenario)?;
    Ok((0..u64::from(scenario.run.replications)).map(|replication| simulation.run(replication)).collect())
}

/// Runs all replications of a scenario, and reports on them.
///
/// # Errors
///
/// See [`Simulation::new`].
pub fn run(scenario: &Scenario) -> Result<Report, ScenarioError> {
    Ok(Report::new(scenario, &simulate(scenario)?))
}

/// The key of a request in the draws: another for every number of every workload.
const fn key(workload: u32, number: u64) -> u64 {
    // A workload's numbers use the upper bits sparingly; an odd multiple spreads the workloads over all of them.
    number ^ (workload as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn traffic(scenario: &Scenario, loaded: &Loaded, draws: Draws) -> Result<Traffic, ScenarioError> {
    let until = scenario.run.duration.map(|span| span.as_nanos());
    Traffic::with(&scenario.workloads, loaded, scenario.run.growth, draws, until)
}

/// The backend of a direct client.
fn direct(scenario: &Scenario) -> Option<usize> {
    if scenario.clients.client != Client::Direct {
        return None;
    }
    let there = (0..scenario.backends.len()).filter(|&index| pools::is_there(scenario, index));
    match &scenario.clients.direct_to {
        Some(name) => there.into_iter().find(|&index| scenario.backends[index].name == *name),
        None => there.min_by_key(|&index| scenario.backends[index].priority),
    }
}

/// One run.
struct Engine<'p, 'j> {
    scenario: &'p Scenario,
    draws: Draws,
    end: u64,
    /// How long a client waits for the head of an answer.
    timeout: u64,
    now: u64,
    traffic: Traffic,
    queue: Queue,
    servers: Vec<Server>,
    quotas: Quotas,
    outages: Outages,
    /// How many foreign requests each backend has had.
    foreign: Vec<u64>,
    /// What a call of each workload looks like, but for its size and keys.
    calls: Vec<Call>,
    pools: &'p Pools,
    direct: Option<usize>,
    requests: Slab<Request>,
    /// The walk over the pool of each request, while a try is on: beside the requests, because it is larger than they.
    dispatches: Vec<Option<Dispatch<'p>>>,
    works: Slab<Work>,
    accounts: Accounts,
    journal: Journal<'j>,
}

impl Engine<'_, '_> {
    fn run(mut self, replication: u64) -> (RunResult, io::Result<u64>) {
        for backend in 0..self.servers.len() {
            self.next_foreign(backend);
        }
        let mut events = 0;
        loop {
            let arrival = self.traffic.peek().unwrap_or(u64::MAX);
            let event = self.queue.peek();
            let now = arrival.min(event);
            if now >= self.end {
                break;
            }
            self.now = now;
            self.accounts.advance(now, &self.servers, &self.quotas);
            events += 1;
            if event <= arrival {
                if let Some((sequence, event)) = self.queue.pop() {
                    self.handle(sequence, event);
                }
            } else if let Some(arrival) = self.traffic.next() {
                self.arrive(arrival);
            }
        }
        let left = self.requests.iter().map(|(_, request)| request);
        let result = self.accounts.finish(replication, events, left, &self.servers, &self.quotas);
        (result, self.journal.finish())
    }

    fn handle(&mut self, sequence: u64, event: Event) {
        match event {
            Event::Head(id) => {
                let head = self.requests[id as usize].head;
                if self.answered(id, head) {
                    self.advance(id);
                }
            }
            Event::Last(work) => self.last_token(work),
            Event::Retry(id) => self.begin_try(id),
            Event::Alarm(id) => self.alarm(id, sequence),
            Event::Foreign(backend) => self.foreign_request(backend as usize),
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let key = key(arrival.workload, arrival.number);
        let worker = self.worker(&arrival, key);
        let workload = &self.scenario.workloads[arrival.workload as usize];
        let deadline = workload.deadline.map_or(u64::MAX, |span| arrival.at.saturating_add(span.as_nanos()));
        self.journal.note(self.now, Entry::Arrived, &arrival, 0, NO_BACKEND, u64::from(worker));
        self.accounts.arrived(&arrival, worker);
        let id = self.requests.insert(Request::new(arrival, key, worker, deadline));
        if id == self.dispatches.len() {
            self.dispatches.push(None);
        }
        self.begin_try(narrow(id));
    }

    fn worker(&self, arrival: &Arrival, key: u64) -> u32 {
        let workers = u64::from(self.scenario.clients.workers);
        let random = |key: u64| (u128::from(self.draws.bits(Purpose::Worker, key, 0)) * u128::from(workers)) >> 64;
        let worker = match self.scenario.clients.assignment {
            _ if workers == 1 => 0,
            Assignment::Random => random(key),
            Assignment::RoundRobin => u128::from(arrival.number % workers),
            Assignment::Sticky => random(self::key(arrival.workload, arrival.number / 64)),
        };
        u32::try_from(worker).unwrap_or(0)
    }

    /// The application's call, or the SDK's next one: a new walk over the pool.
    fn begin_try(&mut self, id: u32) {
        let request = &mut self.requests[id as usize];
        self.dispatches[id as usize] = self.pools.of(request.worker).map(|(_, pool)| pool.dispatch());
        request.last_end = TryEnd::Throttled(Advice::default());
        self.advance(id);
    }

    /// Sends the request to the next backend, until one lets it wait for an answer or none is left.
    fn advance(&mut self, id: u32) {
        while let Some(backend) = self.next_backend(id) {
            match self.send(id, backend) {
                Some(head) if self.answered(id, head) => {}
                _ => return,
            }
        }
    }

    /// The backend that the balancer names; without one the try is over.
    fn next_backend(&mut self, id: u32) -> Option<usize> {
        let now = self.now;
        let request = &mut self.requests[id as usize];
        let Some(dispatch) = &mut self.dispatches[id as usize] else {
            // Without a balancer the first attempt is the only one.
            if let Some(backend) = self.direct.filter(|_| !request.is_sent) {
                return Some(backend);
            }
            let end = request.last_end;
            self.end_try(id, end);
            return None;
        };
        let rng = self.draws.rng(Purpose::Choice, request.key, u64::from(request.attempts));
        let end = match dispatch.next(|| Instant::from_nanos(now), &rng) {
            Step::Try(target) => return Some(self.pools.backend(target.index())),
            Step::ReturnLast(_) => request.last_end,
            Step::Exhausted(exhausted) => {
                let delay = u64::try_from(exhausted.retry_after().as_nanos()).unwrap_or(u64::MAX);
                self.journal.note(now, Entry::Exhausted, &request.arrival, request.attempts, NO_BACKEND, delay);
                TryEnd::Throttled(Advice {
                    millis: Some(exhausted.retry_after_millis()),
                    seconds: Some(exhausted.retry_after_secs()),
                    ..Advice::default()
                })
            }
        };
        self.end_try(id, end);
        None
    }

    /// Offers the request to a backend. Gives the head of the answer if it is back at once.
    fn send(&mut self, id: u32, backend: usize) -> Option<Head> {
        let now = self.now;
        let request = &mut self.requests[id as usize];
        let attempt = request.attempts;
        request.attempts += 1;
        request.is_sent = true;
        request.backend = backend;
        request.sent = now;
        self.journal.note(now, Entry::Sent, &request.arrival, attempt, backend, 0);
        let call = Call {
            size: request.arrival.size,
            key: request.key,
            attempt: u64::from(attempt),
            ..self.calls[request.arrival.workload as usize]
        };
        let server = &mut self.servers[backend];
        let work = self.works.vacant_key();
        let answer = server.offer(now, &call, narrow(work), self.draws, &mut self.quotas, &mut self.outages);
        self.accounts.sent(request, backend, now, &answer);
        let refusal_latency = server.refusal_latency();
        let (head, delay) = match answer {
            Answer::Served(service) => {
                self.works.insert(Work::new(id, request, service));
                request.work = narrow(work);
                self.start(narrow(work));
                return None;
            }
            Answer::Queued(service) => {
                self.works.insert(Work::new(id, request, service));
                request.work = narrow(work);
                self.set_alarm(id);
                return None;
            }
            Answer::Refused { advice, in_stream: false } => (Head::Throttled(advice), refusal_latency),
            Answer::Refused { advice, in_stream: true } => (Head::RefusedInStream(advice), refusal_latency),
            Answer::Broken(status) => (Head::Broken(status), refusal_latency),
            Answer::Unreachable => (Head::Unreachable, server.connect_fault_latency()),
            Answer::Hangs => {
                self.set_alarm(id);
                return None;
            }
        };
        if delay == 0 {
            return Some(head);
        }
        let request = &mut self.requests[id as usize];
        request.head = head;
        let at = now.saturating_add(delay);
        if at <= request.patience(self.timeout) {
            self.queue.push(at, Event::Head(id));
        } else {
            self.set_alarm(id);
        }
        None
    }

    /// Ends the wait for an answer that may not come.
    fn set_alarm(&mut self, id: u32) {
        let at = self.requests[id as usize].patience(self.timeout);
        self.requests[id as usize].alarm = if at == u64::MAX { 0 } else { self.queue.push(at, Event::Alarm(id)) };
    }

    /// The service of a request that was let in begins.
    fn start(&mut self, work: u32) {
        let now = self.now;
        let Work { request: id, service, backend, .. } = self.works[work as usize];
        self.accounts.service_began(backend, now);
        let (first, last) = (now.saturating_add(service.first), now.saturating_add(service.last));
        if id == NO_REQUEST {
            self.queue.push(last, Event::Last(work));
            return;
        }
        let timeout = self.timeout;
        let request = &mut self.requests[id as usize];
        if first > request.patience(timeout) {
            self.queue.push(last, Event::Last(work));
            self.set_alarm(id);
        } else {
            request.head = Head::Served;
            request.alarm = 0;
            self.queue.push(first, Event::Head(id));
        }
    }

    /// The head of an answer is here: tells the balancer. Whether the request goes on to the next backend.
    fn answered(&mut self, id: u32, head: Head) -> bool {
        let now = self.now;
        let request = &mut self.requests[id as usize];
        let backend = request.backend;
        let (entry, detail) = head.entry();
        self.journal.note(now, entry, &request.arrival, request.attempts - 1, backend, detail);
        let outcome = head.outcome();
        self.accounts.answered(request, head);
        let verdict = match &mut self.dispatches[id as usize] {
            Some(dispatch) => dispatch.settle(outcome, || Instant::from_nanos(now)),
            None => Verdict::Return,
        };
        if let Outcome::Answered { status: 200, .. } = outcome {
            self.dispatches[id as usize] = None;
        } else if let Some(until) = self.pools.take_cooling() {
            let pool = self.pools.of(request.worker).map_or(0, |(number, _)| number);
            self.accounts.cooling(pool, backend, now, until);
            self.journal.note(now, Entry::Cooling, &request.arrival, request.attempts - 1, backend, until);
        }
        match head {
            Head::Served => self.first_token(id),
            Head::RefusedInStream(_) => self.give_up(id, request::End::RefusedInStream),
            Head::Throttled(_) | Head::Broken(_) | Head::Unreachable | Head::TimedOut => {
                request.last_end = head.try_end();
                match verdict {
                    Verdict::FailOver => return true,
                    Verdict::Return => {
                        let end = request.last_end;
                        self.end_try(id, end);
                    }
                }
            }
        }
        false
    }

    /// The head of a success: the answer streams, until its last token or the caller's deadline.
    fn first_token(&mut self, id: u32) {
        let request = &mut self.requests[id as usize];
        request.first_token = self.now;
        let work = request.work;
        let service = self.works[work as usize].service;
        let last = self.now.saturating_add(service.last - service.first);
        self.queue.push(last, Event::Last(work));
        if last > request.deadline {
            request.alarm = self.queue.push(request.deadline, Event::Alarm(id));
        }
    }

    /// The backend is done with a request.
    fn last_token(&mut self, work: u32) {
        let now = self.now;
        let done = self.works.remove(work as usize);
        let server = &mut self.servers[done.backend];
        let used = server.correct(now, &done.service.demand, &done.arrival.size, &mut self.quotas);
        self.accounts.service_ended(&done, used, now);
        if let Some(next) = server.leave() {
            self.start(next);
        }
        if done.request == NO_REQUEST {
            self.journal.note(now, Entry::Orphaned, &done.arrival, 0, done.backend, 0);
            return;
        }
        let request = self.requests.remove(done.request as usize);
        self.journal.note(now, Entry::Succeeded, &request.arrival, request.attempts - 1, done.backend, 0);
        self.accounts.succeeded(&request, now);
        self.traffic.finished(request.arrival.workload, request.arrival.number, now);
    }

    /// A request's patience is over: its caller's, or its client's with this attempt.
    fn alarm(&mut self, id: u32, sequence: u64) {
        let Some(request) = self.requests.get_mut(id as usize).filter(|request| request.alarm == sequence) else {
            return;
        };
        request.alarm = 0;
        if self.now >= request.deadline {
            self.give_up(id, request::End::Deadline);
            return;
        }
        self.leave_work(id);
        if self.answered(id, Head::TimedOut) {
            self.advance(id);
        }
    }

    /// The balancer's last word on this try: the SDK sends again after a wait, or the application gets it.
    fn end_try(&mut self, id: u32, end: TryEnd) {
        let clients = &self.scenario.clients;
        self.dispatches[id as usize] = None;
        let request = &mut self.requests[id as usize];
        request.is_sent = false;
        let jitter = || unit(self.draws.bits(Purpose::Backoff, request.key, u64::from(request.retries)));
        let wait = sdk::wait(clients.sdk, clients.max_retries, request.retries, end.advice(), jitter());
        let Some(wait) = wait else { return self.give_up(id, end.into()) };
        let at = self.now.saturating_add(wait);
        request.retries += 1;
        self.accounts.retries(request);
        self.journal.note(self.now, Entry::Waits, &request.arrival, request.attempts, NO_BACKEND, at);
        if at <= request.deadline {
            self.queue.push(at, Event::Retry(id));
        } else {
            request.alarm = self.queue.push(request.deadline, Event::Alarm(id));
        }
    }

    /// The application gets no success.
    fn give_up(&mut self, id: u32, end: request::End) {
        self.leave_work(id);
        // Dropped, so that an open attempt is settled as cancelled.
        self.dispatches[id as usize] = None;
        let request = self.requests.remove(id as usize);
        self.journal.note(self.now, Entry::GaveUp, &request.arrival, request.attempts, NO_BACKEND, end.code());
        self.accounts.gave_up(&request, end, self.now);
        self.traffic.finished(request.arrival.workload, request.arrival.number, self.now);
    }

    /// The caller leaves a request that the backend goes on to serve, and charges.
    fn leave_work(&mut self, id: u32) {
        let request = &mut self.requests[id as usize];
        if let Some(work) = self.works.get_mut(std::mem::replace(&mut request.work, NO_REQUEST) as usize) {
            work.request = NO_REQUEST;
        }
    }

    fn foreign_request(&mut self, backend: usize) {
        if let Some(foreign) = self.scenario.backends[backend].foreign {
            self.servers[backend].foreign(self.now, foreign.tokens, &mut self.quotas);
        }
        self.next_foreign(backend);
    }

    fn next_foreign(&mut self, backend: usize) {
        let Some(foreign) = self.scenario.backends[backend].foreign.filter(|foreign| foreign.tpm > 0.0) else { return };
        let number = self.foreign[backend];
        self.foreign[backend] += 1;
        let mean = 60e9 * foreign.tokens as f64 / foreign.tpm;
        let gap = -mean * libm::log(unit(self.draws.bits(Purpose::Foreign, backend as u64, number)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
        let gap = gap as u64;
        self.queue.push(self.now.saturating_add(gap.max(1)), Event::Foreign(narrow(backend)));
    }
}

/// Places of slabs and numbers of backends fit in 32 bits: more would not fit into memory.
fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NO_REQUEST)
}
