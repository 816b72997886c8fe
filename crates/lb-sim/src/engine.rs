//! The engine: events in order of time, the real lb-core in the loop.
//!
//! A request arrives at a worker and walks over the worker's pool with an [`lb_core::Dispatch`] of its own (`attempts`); a
//! [`Server`] that lets it in serves it (`service`). The head of an answer, the last token, a wait in the
//! pool or of the SDK, and the caller's deadline are events in a heap, in order of (time, sequence); at one moment they come before an arrival. Nothing reads a
//! clock: `now` is the time of the event.

mod attempts;
mod background;
mod caches;
mod pools;
mod queue;
mod recorder;
mod request;
mod sdk_retry;
mod service;
mod wishes;

use std::io;

use lb_core::{Dispatch, Pool, SeededRng};
use lb_limits::Quotas;
use slab::Slab;

use crate::{
    deployment::{Call, Outages, Server},
    journal::{Entry, Journal, NO_BACKEND},
    metrics::RunResult,
    random::{Draws, Purpose},
    scenario::{Assignment, Client, Scenario, Span, Workload},
    traffic::{Arrival, Traffic},
};

use caches::Caches;
pub(crate) use pools::Pools;
use queue::{Event, Queue};
use recorder::Recorder;
use request::{NO_REQUEST, Request, Work};
use wishes::Wishing;

/// One run.
pub(crate) struct Engine<'p, 'j> {
    scenario: &'p Scenario,
    draws: Draws,
    end: u64,
    /// How long a request of each workload waits for the head of an answer: its client's timeout, or as it wishes.
    timeouts: Vec<u64>,
    /// Whether the balancer looks into streams that announce a refusal.
    peeks: bool,
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
    /// What requests of each workload wish, if they do.
    wishing: Vec<Option<Wishing>>,
    caches: Caches,
    pools: &'p Pools,
    direct: Option<usize>,
    requests: Slab<Request>,
    /// The walk over the pool of each request, while a try is on: beside the requests, because it is larger than they.
    dispatches: Vec<Option<Dispatch<&'p Pool>>>,
    works: Slab<Work>,
    recorder: Recorder,
    journal: Journal<'j>,
}

impl<'p, 'j> Engine<'p, 'j> {
    pub(crate) fn new(
        scenario: &'p Scenario,
        pools: &'p Pools,
        traffic: Traffic,
        draws: Draws,
        end: u64,
        journal: Journal<'j>,
    ) -> Self {
        let (servers, quotas) = Server::all(scenario, draws);
        Self {
            scenario,
            draws,
            end,
            peeks: scenario.clients.client == Client::Balancer && scenario.pool.peek,
            timeouts: scenario.workloads.iter().map(|workload| timeout(scenario, workload)).collect(),
            now: 0,
            traffic,
            queue: Queue::default(),
            outages: Outages::new(&scenario.faults, draws),
            foreign: vec![0; servers.len()],
            calls: scenario
                .workloads
                .iter()
                .enumerate()
                .map(|(at, workload)| request::template(at, workload))
                .collect(),
            wishing: scenario.workloads.iter().map(Wishing::new).collect(),
            caches: Caches::default(),
            recorder: Recorder::new(scenario, pools.len(), end),
            servers,
            quotas,
            direct: direct(scenario),
            pools,
            requests: Slab::new(),
            dispatches: Vec::new(),
            works: Slab::new(),
            journal,
        }
    }

    pub(crate) fn run(mut self, replication: u64) -> (RunResult, io::Result<u64>) {
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
            self.recorder.advance(now, &self.servers, &self.quotas);
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
        let result = self.recorder.finish(replication, events, left, &self.servers, &self.quotas);
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
            Event::Resume(id) => self.advance(id),
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let key = key(arrival.workload, arrival.number);
        let worker = self.worker(&arrival, key);
        let workload = &self.scenario.workloads[arrival.workload as usize];
        let deadline = workload.deadline.map_or(u64::MAX, |span| arrival.at.saturating_add(span.as_nanos()));
        self.journal.note(self.now, Entry::Arrived, &arrival, 0, NO_BACKEND, u64::from(worker));
        self.recorder.arrived(&arrival, worker);
        let mut request = Request::new(arrival, key, worker, deadline);
        if let Some(wishing) = &self.wishing[arrival.workload as usize] {
            (request.conversation, request.pin) = wishing.draw(self.draws, key);
        }
        let id = self.requests.insert(request);
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
}

/// The key of a request in the draws: another for every number of every workload.
const fn key(workload: u32, number: u64) -> u64 {
    // A workload's numbers use the upper bits sparingly; an odd multiple spreads the workloads over all of them.
    number ^ (workload as u64).wrapping_mul(SeededRng::GAMMA)
}

/// How long a request of a workload waits for a head.
fn timeout(scenario: &Scenario, workload: &Workload) -> u64 {
    let wished = workload.wishes.and_then(|wishes| wishes.head_timeout);
    wished.map_or(u64::MAX, Span::as_nanos).min(scenario.clients.timeout.as_nanos())
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

/// Places of slabs and numbers of backends fit in 32 bits: more would not fit into memory.
fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NO_REQUEST)
}
