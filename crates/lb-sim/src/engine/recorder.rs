use lb_limits::Quotas;

use super::request::{End, Head, Request};
use crate::{
    deployment::{Answer, Server},
    metrics::{BackendTally, ClassTally, Conservation, RunResult, Timeline, WorkerTally},
    scenario::{Program, Scenario},
    traffic::Arrival,
};

/// A pool, and a backend of the scenario.
type Place = (usize, usize);

/// How often the utilisation of the backends is looked at in a run.
const SAMPLES: u64 = 4_096;

/// Counts what happens in a run.
#[derive(Debug)]
pub(super) struct Recorder {
    end: u64,
    warmup: u64,
    conservation: Conservation,
    /// Requests in the system, since when.
    inside: (u64, u64),
    classes: Vec<ClassTally>,
    backends: Vec<Usage>,
    workers: Vec<WorkerTally>,
    timeline: Timeline,
    /// Until when each pool has each backend out.
    cooling: Vec<u64>,
    /// Since when each pool suspects each backend.
    suspected: Vec<Option<u64>>,
    /// Whether a backend has the best priority of those that a workload sends to: per workload, per backend.
    is_best: Vec<bool>,
    sample: u64,
    next_sample: u64,
}

/// What a backend did, with what the tally is made from at the end.
#[derive(Debug)]
struct Usage {
    tally: BackendTally,
    /// How often each utilisation was seen, in thousandths.
    seen: Vec<u64>,
    /// Requests being served, since when.
    inside: (u64, u64),
}

/// Utilisation is told apart up to three times the limit.
const MOST_UTILISATION: usize = 3_000;

impl Recorder {
    pub(super) fn new(scenario: &Scenario, pools: usize, end: u64) -> Self {
        let backends = scenario.backends.len();
        let programs = scenario.programs();
        let workers: u32 = programs.iter().map(|program| program.clients.workers).sum();
        let warmup = scenario.run.warmup.as_nanos();
        let sample = (end / SAMPLES).max(1);
        let usage = || Usage { tally: BackendTally::default(), seen: vec![0; MOST_UTILISATION + 1], inside: (0, 0) };
        Self {
            end,
            warmup,
            conservation: Conservation::default(),
            inside: (0, 0),
            classes: scenario.workloads.iter().map(|_| ClassTally::default()).collect(),
            backends: scenario.backends.iter().map(|_| usage()).collect(),
            workers: vec![WorkerTally::default(); workers as usize],
            timeline: Timeline::new(backends, end),
            cooling: vec![0; pools * backends],
            suspected: vec![None; pools * backends],
            is_best: (0..scenario.workloads.len())
                .flat_map(|workload| best(scenario, &programs[scenario.program_of(workload)]))
                .collect(),
            sample,
            next_sample: 0,
        }
    }

    /// Time has come to `now`: looks at the utilisation at the moments before it.
    #[inline]
    pub(super) fn advance(&mut self, now: u64, servers: &[Server], quotas: &Quotas) {
        while self.next_sample < now {
            self.look(self.next_sample, servers, quotas);
            self.next_sample += self.sample;
        }
    }

    #[cold]
    fn look(&mut self, at: u64, servers: &[Server], quotas: &Quotas) {
        for (number, (usage, server)) in self.backends.iter_mut().zip(servers).enumerate() {
            let utilisation = server.utilisation(at, quotas);
            let cell = usize::try_from(utilisation).unwrap_or(usize::MAX).min(MOST_UTILISATION);
            if at >= self.warmup {
                usage.seen[cell] += 1;
            }
            let bin = self.timeline.backend_at(number, at);
            bin.utilisation = bin.utilisation.max(utilisation);
        }
    }

    const fn counts(&self, arrival: &Arrival) -> bool {
        arrival.at >= self.warmup
    }

    /// Moves the integral of the number of requests in the system to `now`.
    fn integrate(&mut self, now: u64) {
        let (inside, since) = self.inside;
        self.conservation.integral += u128::from(inside) * u128::from(now - since);
        self.inside.1 = now;
    }

    pub(super) fn arrived(&mut self, arrival: &Arrival, worker: u32) {
        self.integrate(arrival.at);
        self.inside.0 += 1;
        self.conservation.offered += 1;
        self.timeline.requests_at(arrival.workload as usize, arrival.at).offered += 1;
        if self.counts(arrival) {
            self.classes[arrival.workload as usize].offered += 1;
            self.workers[worker as usize].offered += 1;
        }
    }

    /// An attempt was sent, and the backend lets it in.
    #[inline]
    pub(super) fn let_in(&mut self, request: &Request, now: u64) {
        self.timeline.backend_at(request.backend, now).accepted += 1;
        if let Some(tally) = self.attempt(request) {
            tally.accepted += 1;
            tally.estimated_tokens = tally.estimated_tokens.saturating_add(request.service.estimated);
        }
    }

    /// Counts an attempt, if its request counts; then gives the tally of its backend.
    #[inline]
    fn attempt(&mut self, request: &Request) -> Option<&mut BackendTally> {
        if !self.counts(&request.arrival) {
            return None;
        }
        self.classes[request.arrival.workload as usize].attempts += 1;
        self.workers[request.worker as usize].attempts += 1;
        let tally = &mut self.backends[request.backend].tally;
        tally.attempts += 1;
        Some(tally)
    }

    /// An attempt was sent, and this is what the backend does instead of letting it in.
    pub(super) fn not_let_in(&mut self, request: &Request, now: u64, answer: &Answer) {
        let bin = self.timeline.backend_at(request.backend, now);
        match answer {
            Answer::Served(_) | Answer::Queued(_) => return,
            Answer::Refused { .. } | Answer::Broken { status: 429, .. } => bin.refused += 1,
            Answer::Broken { .. } | Answer::Faulted { .. } | Answer::Hangs => bin.failed += 1,
        }
        let Some(tally) = self.attempt(request) else { return };
        match answer {
            Answer::Served(_) | Answer::Queued(_) => {}
            Answer::Refused { in_stream: false, .. } | Answer::Broken { status: 429, .. } => tally.throttles += 1,
            Answer::Refused { in_stream: true, .. } => tally.refusals_in_stream += 1,
            Answer::Broken { .. } => tally.server_errors += 1,
            Answer::Faulted { .. } | Answer::Hangs => tally.faults += 1,
        }
    }

    /// The head of an answer that is no success, or a fault, reached the client.
    pub(super) fn answered(&mut self, request: &Request, head: Head) {
        if !self.counts(&request.arrival) {
            return;
        }
        let class = &mut self.classes[request.arrival.workload as usize];
        match head {
            Head::RefusedInStream(_) => class.refusals_in_stream += 1,
            Head::Throttled(_) => {
                class.throttles += 1;
                self.workers[request.worker as usize].throttles += 1;
            }
            Head::Broken(..) => class.server_errors += 1,
            Head::Faulted(_) => class.faults += 1,
        }
    }

    /// The balancer lets a request wait; it may have waited before.
    pub(super) fn queued(&mut self, request: &Request, now: u64) {
        if request.waited == 0 {
            self.timeline.requests_at(request.arrival.workload as usize, now).queued += 1;
        }
    }

    pub(super) fn retries(&mut self, request: &Request) {
        if self.counts(&request.arrival) {
            self.classes[request.arrival.workload as usize].sdk_retries += 1;
        }
    }

    /// A pool has a backend out until `until`.
    pub(super) fn cooling(&mut self, place: Place, now: u64, until: u64) {
        let _ = self.acquitted(place, now);
        let (pool, backend) = place;
        let slot = &mut self.cooling[pool * self.backends.len() + backend];
        let (from, until) = (now.max(*slot), until.min(self.end));
        *slot = until.max(*slot);
        self.timeline.add_cooling(backend, from, until);
        let counted = until.saturating_sub(from.max(self.warmup));
        self.backends[backend].tally.cooling += u128::from(counted);
    }

    /// A pool suspects a backend.
    pub(super) fn suspected(&mut self, (pool, backend): Place, now: u64) {
        self.suspected[pool * self.backends.len() + backend].get_or_insert(now);
    }

    /// A pool suspects a backend no more; whether it did.
    pub(super) fn acquitted(&mut self, (pool, backend): Place, now: u64) -> bool {
        let since = self.suspected[pool * self.backends.len() + backend].take();
        if let Some(from) = since {
            self.timeline.add_suspect(backend, from, now);
            let counted = now.saturating_sub(from.max(self.warmup));
            self.backends[backend].tally.suspect += u128::from(counted);
        }
        since.is_some()
    }

    pub(super) fn service_began(&mut self, backend: usize, now: u64) {
        self.backends[backend].occupy(now, self.warmup, 1);
    }

    /// A backend served a request; `used` is what it needed, in the limit's unit.
    pub(super) fn service_ended(&mut self, work: &Request, used: u64, now: u64) {
        let usage = &mut self.backends[work.backend];
        usage.occupy(now, self.warmup, -1);
        if work.arrival.at < self.warmup {
            return;
        }
        let tally = &mut usage.tally;
        tally.used_tokens = tally.used_tokens.saturating_add(used);
        tally.wasted_tokens = tally.wasted_tokens.saturating_add(work.service.estimated.saturating_sub(used));
        if work.has_caller {
            tally.succeeded += 1;
        }
        let cached = work.arrival.size.cached.min(work.arrival.size.input);
        tally.billed_input = tally.billed_input.saturating_add(work.arrival.size.input - cached);
        tally.billed_cached = tally.billed_cached.saturating_add(cached);
        tally.billed_output = tally.billed_output.saturating_add(work.arrival.size.output);
    }

    pub(super) fn succeeded(&mut self, request: &Request, now: u64) {
        self.left(request, now);
        self.conservation.succeeded += 1;
        let arrival = &request.arrival;
        self.timeline.requests_at(arrival.workload as usize, now).succeeded += 1;
        self.timeline.first_token(arrival.workload as usize, arrival.at, Some(request.first_token - arrival.at));
        if !self.counts(arrival) {
            return;
        }
        let class = &mut self.classes[arrival.workload as usize];
        class.succeeded += 1;
        let place = arrival.workload as usize * self.backends.len() + request.backend;
        class.spilled += u64::from(!self.is_best[place]);
        class.added_wait.record(request.sent - arrival.at);
        class.first_token.record(request.first_token - arrival.at);
        class.total.record(now - arrival.at);
        class.input_tokens = class.input_tokens.saturating_add(arrival.size.input);
        class.cached_tokens = class.cached_tokens.saturating_add(arrival.size.cached.min(arrival.size.input));
        class.output_tokens = class.output_tokens.saturating_add(arrival.size.output);
        class.count_wait(request.waited);
        self.workers[request.worker as usize].succeeded += 1;
    }

    pub(super) fn gave_up(&mut self, request: &Request, end: End, now: u64) {
        self.left(request, now);
        self.conservation.given_up += 1;
        self.timeline.first_token(request.arrival.workload as usize, request.arrival.at, None);
        let bin = self.timeline.requests_at(request.arrival.workload as usize, now);
        if end == End::Throttled {
            bin.throttled += 1;
        } else {
            bin.failed += 1;
        }
        if !self.counts(&request.arrival) {
            return;
        }
        let class = &mut self.classes[request.arrival.workload as usize];
        let reason = match end {
            End::Throttled => &mut class.given_up.throttled,
            End::ServerError(_) => &mut class.given_up.server_error,
            End::Fault => &mut class.given_up.fault,
            End::RefusedInStream => &mut class.given_up.refused_in_stream,
            End::Deadline => &mut class.given_up.deadline,
        };
        *reason += 1;
        class.added_wait.record_never();
        class.first_token.record_never();
        class.total.record_never();
        class.count_wait(request.waited);
        if end == End::Throttled {
            self.workers[request.worker as usize].application_429s += 1;
        }
    }

    fn left(&mut self, request: &Request, now: u64) {
        self.integrate(now);
        self.inside.0 -= 1;
        self.conservation.residence += u128::from(now - request.arrival.at);
    }

    /// The run is over; `left` are the requests that are still on their way.
    pub(super) fn finish<'r>(
        mut self,
        replication: u64,
        events: u64,
        left: impl Iterator<Item = &'r Request>,
        servers: &[Server],
        quotas: &Quotas,
    ) -> RunResult {
        self.advance(self.end, servers, quotas);
        self.integrate(self.end);
        let backends = self.backends.len();
        for place in 0..self.suspected.len() {
            let _ = self.acquitted((place / backends, place % backends), self.end);
        }
        for request in left {
            self.conservation.in_flight += 1;
            self.conservation.residence += u128::from(self.end - request.arrival.at);
            if self.counts(&request.arrival) {
                self.classes[request.arrival.workload as usize].in_flight += 1;
            }
        }
        assert!(self.conservation.holds(), "requests were lost: {:?}", self.conservation);
        let (end, warmup) = (self.end, self.warmup);
        RunResult {
            replication,
            hash: 0,
            end,
            warmup,
            events,
            conservation: self.conservation,
            classes: self.classes,
            backends: self.backends.into_iter().map(|usage| usage.finish(end, warmup)).collect(),
            workers: self.workers,
            timeline: self.timeline,
        }
    }
}

/// Of each backend whether it has the best priority of those that a program sends to.
fn best(scenario: &Scenario, program: &Program<'_>) -> Vec<bool> {
    let sends = scenario.backends.iter().zip(&program.sends_to);
    let best = sends.clone().filter(|(_, sends)| **sends).map(|(backend, _)| backend.priority).min();
    sends.map(|(backend, sends)| *sends && Some(backend.priority) == best).collect()
}

impl Usage {
    /// One request more or less is being served.
    fn occupy(&mut self, now: u64, warmup: u64, change: i64) {
        let (inside, since) = self.inside;
        self.tally.busy += u128::from(inside) * u128::from(now.saturating_sub(since.max(warmup)));
        self.inside = (inside.saturating_add_signed(change), now);
    }

    fn finish(mut self, end: u64, warmup: u64) -> BackendTally {
        self.occupy(end, warmup, 0);
        let mut tally = self.tally;
        tally.samples = self.seen.iter().sum();
        let sum: u64 = self.seen.iter().zip(0..).map(|(&count, utilisation)| count * utilisation).sum();
        tally.mean_utilisation = sum.checked_div(tally.samples).unwrap_or(0);
        for (place, per_cent) in [(0, 5), (1, 50), (2, 95), (3, 100)] {
            let rank = (tally.samples * per_cent).div_ceil(100).max(1);
            let mut below = 0;
            let reaches = |count: &u64| {
                below += count;
                below >= rank
            };
            tally.utilisation[place] = self.seen.iter().position(reaches).unwrap_or(0) as u64;
        }
        tally
    }
}
