use super::{request, wishes::Wishing};
use crate::{
    deployment::Call,
    scenario::{Scenario, Span, Workload},
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
}

impl Class {
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let class = |(number, workload): (usize, &Workload)| {
            let wished = workload.wishes.and_then(|wishes| wishes.head_timeout);
            Self {
                timeout: wished.map_or(u64::MAX, Span::as_nanos).min(scenario.clients.timeout.as_nanos()),
                deadline: workload.deadline.map_or(u64::MAX, Span::as_nanos),
                call: request::template(number, workload),
                wishing: Wishing::new(workload),
            }
        };
        scenario.workloads.iter().enumerate().map(class).collect()
    }
}
