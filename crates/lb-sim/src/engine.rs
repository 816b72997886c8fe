//! The engine: events in order of time, the real lb-core in the loop.
//!
//! A request arrives at a worker and walks over the worker's pool with an [`lb_core::Dispatch`] of its own (`attempts`); a
//! [`Server`] that lets it in serves it (`service`). The head of an answer, the last token, a wait in the
//! pool or of the SDK, and the caller's deadline are events in a queue, in order of (time, sequence); at one moment they come before an arrival. Nothing reads a
//! clock: `now` is the time of the event.

mod attempts;
mod background;
mod caches;
mod class;
mod gossip;
mod pools;
mod queue;
mod recorder;
mod request;
mod requests;
mod sdk_retry;
mod service;
mod wishes;

use std::{collections::VecDeque, io};

use lb_core::{Dispatch, Pool, SeededRng};
use lb_limits::Quotas;

use crate::{
    deployment::{Outages, Server},
    journal::{Entry, Journal, NO_BACKEND},
    metrics::RunResult,
    random::Draws,
    scenario::Scenario,
    traffic::{Arrival, Traffic},
};

use caches::Caches;
use class::Class;
use gossip::Gossip;
pub(crate) use pools::Pools;
use queue::{Event, Queue};
use recorder::Recorder;
use requests::Requests;

/// One run.
pub(crate) struct Engine<'p, 'j> {
    scenario: &'p Scenario,
    draws: Draws,
    end: u64,
    /// What the requests of each workload have in common.
    classes: Vec<Class>,
    now: u64,
    traffic: Traffic,
    queue: Queue,
    servers: Vec<Server>,
    quotas: Quotas,
    outages: Outages,
    /// How many foreign requests each backend has had.
    foreign: Vec<u64>,
    caches: Caches,
    gossip: Gossip,
    pools: &'p Pools,
    requests: Requests,
    /// The walk over the pool of each request, while a try is on: beside the requests, because it is larger than they.
    dispatches: Vec<Option<Dispatch<&'p Pool>>>,
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
            classes: Class::all(scenario),
            now: 0,
            traffic,
            queue: Queue::default(),
            outages: Outages::new(&scenario.faults, draws),
            foreign: vec![0; servers.len()],
            caches: Caches::default(),
            gossip: vec![VecDeque::new(); pools.circles().len()],
            recorder: Recorder::new(scenario, pools.len(), end),
            servers,
            quotas,
            pools,
            requests: Requests::default(),
            dispatches: Vec::new(),
            journal,
        }
    }

    pub(crate) fn run(mut self, replication: u64) -> (RunResult, io::Result<u64>) {
        for backend in 0..self.servers.len() {
            self.next_foreign(backend);
        }
        let mut events = 0;
        loop {
            let arrival = self.traffic.peek();
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
        let result = self.recorder.finish(replication, events, self.requests.iter(), &self.servers, &self.quotas);
        (result, self.journal.finish())
    }

    fn handle(&mut self, sequence: u64, event: Event) {
        match event {
            Event::First(id) => self.first_token(id),
            Event::Head(id) => {
                let head = self.requests[id].head;
                if self.answered(id, head) {
                    self.advance(id);
                }
            }
            Event::Last(id) => self.last_token(id),
            Event::Retry(id) => self.begin_try(id),
            Event::Alarm(id) => self.alarm(id, sequence),
            Event::Foreign(backend) => self.foreign_request(backend as usize),
            Event::Resume(id) => self.advance(id),
            Event::Gossip(circle) => self.others_hear(circle),
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let key = key(arrival.workload, arrival.number);
        let class = &self.classes[arrival.workload as usize];
        let worker = class.worker(&arrival, key, self.draws);
        let deadline = arrival.at.saturating_add(class.deadline);
        self.journal.note(self.now, Entry::Arrived, &arrival, 0, NO_BACKEND, u64::from(worker));
        self.recorder.arrived(&arrival, worker);
        let id = self.requests.insert(arrival, key, worker, deadline);
        if let Some(wishing) = &class.wishing {
            let request = &mut self.requests[id];
            (request.conversation, request.pin) = wishing.draw(self.draws, key);
        }
        self.begin_try(id);
    }
}

/// The key of a request in the draws: another for every number of every workload.
const fn key(workload: u32, number: u64) -> u64 {
    // A workload's numbers use the upper bits sparingly; an odd multiple spreads the workloads over all of them.
    number ^ (workload as u64).wrapping_mul(SeededRng::GAMMA)
}

/// Places of slabs and numbers of backends fit in 32 bits: more would not fit into memory.
fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
