use super::{request, wishes::Wishing};
use crate::{
    deployment::Call,
    random::{Draws, Purpose},
    scenario::{Assignment, Client, Retry, Scenario, Sdk, Span},
    traffic::Arrival,
};

/// What all requests of a workload have in common.
#[derive(Debug)]
pub(super) struct Class {
    /// How long a request waits for the head of an answer: its client's timeout, or as it wishes.
    pub(super) timeout: u64,
    /// How long its caller waits for the last token; `u64::MAX`: for ever.
    pub(super) deadline: u64,
    /// What a call looks like, but for its size and keys.
    pub(super) call: Call,
    /// What requests wish, if they do.
    pub(super) wishing: Option<Wishing>,
    /// Who sends them.
    workers: Workers,
    /// The backend that they go to without a balancer.
    pub(super) direct: Option<usize>,
    /// Whether the balancer looks into streams that announce a refusal.
    pub(super) peeks: bool,
    /// What retries above the balancer: the application itself, else the SDK, so many times.
    pub(super) retry: Option<Retry>,
    pub(super) sdk: Sdk,
    pub(super) max_retries: u32,
}

/// The workers of a program.
#[derive(Debug)]
struct Workers {
    first: u32,
    count: u32,
    assignment: Assignment,
}

impl Class {
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let programs = scenario.programs();
        let class = |number: usize| {
            let workload = &scenario.workloads[number];
            let place = scenario.program_of(number);
            let program = &programs[place];
            let clients = program.clients;
            let wished = workload.wishes.and_then(|wishes| wishes.head_timeout);
            Self {
                timeout: wished.map_or(u64::MAX, Span::as_nanos).min(clients.timeout.as_nanos()),
                deadline: workload.deadline.map_or(u64::MAX, Span::as_nanos),
                call: request::template(number, workload),
                wishing: Wishing::new(workload),
                workers: Workers {
                    first: programs[..place].iter().map(|program| program.clients.workers).sum(),
                    count: clients.workers,
                    assignment: clients.assignment,
                },
                direct: program.direct(&scenario.backends, |backend| scenario.is_there(backend)),
                peeks: clients.client == Client::Balancer && program.pool.peek,
                retry: workload.retry,
                sdk: clients.sdk,
                max_retries: clients.max_retries,
            }
        };
        (0..scenario.workloads.len()).map(class).collect()
    }

    /// The worker that takes a request.
    #[inline]
    pub(super) fn worker(&self, arrival: &Arrival, key: u64, draws: Draws) -> u32 {
        let Workers { first, count, assignment } = self.workers;
        let count = u64::from(count);
        let random = |key: u64| (u128::from(draws.bits(Purpose::Worker, key, 0)) * u128::from(count)) >> 64;
        let worker = match assignment {
            _ if count == 1 => 0,
            Assignment::Random => random(key),
            Assignment::RoundRobin => u128::from(arrival.number % count),
            Assignment::Sticky => random(super::key(arrival.workload, arrival.number / 64)),
        };
        first + u32::try_from(worker).unwrap_or(0)
    }
}
