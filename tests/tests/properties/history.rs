//! A history: what happened, and the oracle that says what should have.
//!
//! Nothing here keeps a state: each answer is computed from all that happened before a record.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use lb_core::{Counters, Exhausted, Fault, MockClock, Pool};

use crate::case::{Answer, Ask, Case};

#[derive(Debug)]
pub(crate) struct History {
    pub(crate) case: Case,
    /// What was asked, by the number of the request.
    pub(crate) asks: Vec<Ask>,
    /// What happened, with the moment in nanoseconds.
    pub(crate) records: Vec<(u64, What)>,
    /// What the pool told its observer.
    pub(crate) log: Vec<String>,
    /// The pool and its clock, as they were left.
    pub(crate) pool: Arc<Pool>,
    pub(crate) clock: MockClock,
}

#[derive(Debug)]
pub(crate) enum What {
    Picked { request: usize, backend: usize, number: u32, sent: Request<Bytes>, draws: u64 },
    Settled { request: usize, backend: usize, answer: Answer },
    Dropped { backend: usize },
    Delivered { request: usize, result: Delivered, draws: u64 },
    Looked(Vec<Seen>),
}

#[derive(Debug)]
pub(crate) enum Delivered {
    Response(Response<Bytes>),
    Fault(Fault),
    Exhausted(Exhausted),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) deadline: Option<u64>,
    pub(crate) counters: Counters,
}

/// A pick with what was known just before it.
pub(crate) struct Pick<'h> {
    /// The index of the record.
    pub(crate) at: usize,
    pub(crate) now: u64,
    pub(crate) request: usize,
    pub(crate) backend: usize,
    pub(crate) number: u32,
    pub(crate) sent: &'h Request<Bytes>,
    pub(crate) draws: u64,
}

/// An end with what was known just before it.
pub(crate) struct End<'h> {
    pub(crate) at: usize,
    pub(crate) now: u64,
    pub(crate) request: usize,
    pub(crate) result: &'h Delivered,
    pub(crate) draws: u64,
}

impl History {
    pub(crate) fn new(case: Case, pool: Arc<Pool>, clock: MockClock) -> Self {
        Self { case, asks: Vec::new(), records: Vec::new(), log: Vec::new(), pool, clock }
    }

    pub(crate) fn picks(&self) -> impl Iterator<Item = Pick<'_>> {
        self.records.iter().enumerate().filter_map(|(at, (now, what))| match what {
            What::Picked { request, backend, number, sent, draws } => {
                Some(Pick { at, now: *now, request: *request, backend: *backend, number: *number, sent, draws: *draws })
            }
            _ => None,
        })
    }

    pub(crate) fn ends(&self) -> impl Iterator<Item = End<'_>> {
        self.records.iter().enumerate().filter_map(|(at, (now, what))| match what {
            What::Delivered { request, result, draws } => {
                Some(End { at, now: *now, request: *request, result, draws: *draws })
            }
            _ => None,
        })
    }

    /// The looks at the pool's state, with the index of each.
    pub(crate) fn looks(&self) -> impl Iterator<Item = (usize, u64, &[Seen])> {
        self.records.iter().enumerate().filter_map(|(at, (now, what))| match what {
            What::Looked(seen) => Some((at, *now, seen.as_slice())),
            _ => None,
        })
    }

    pub(crate) fn backends(&self) -> std::ops::Range<usize> {
        0..self.case.backends.len()
    }

    /// The answers of one request before the record `at`.
    pub(crate) fn answers(&self, request: usize, at: usize) -> Vec<&Answer> {
        let settled = |what| match what {
            &What::Settled { request: of, ref answer, .. } if of == request => Some(answer),
            _ => None,
        };
        self.records[..at].iter().filter_map(|(_, what)| settled(what)).collect()
    }

    /// The backends that a request tried before the record `at`.
    pub(crate) fn tried(&self, request: usize, at: usize) -> Vec<usize> {
        self.picks().take_while(|pick| pick.at < at).filter(|pick| pick.request == request).map(|p| p.backend).collect()
    }

    /// The latest moment until which any answer so far keeps the backend out: the order of the answers is no matter.
    pub(crate) fn deadline(&self, backend: usize, at: usize) -> u64 {
        let until = |&(now, ref what): &(u64, What)| match what {
            What::Settled { backend: of, answer, .. } if *of == backend => Some(now + self.cooldown_nanos(answer)?),
            _ => None,
        };
        self.records[..at].iter().filter_map(until).max().unwrap_or(0)
    }

    pub(crate) fn is_available(&self, backend: usize, at: usize, now: u64) -> bool {
        self.deadline(backend, at) <= now
    }

    /// Every backend that may be picked for a request: of the best priority among the available, untried ones.
    pub(crate) fn candidates(&self, request: usize, at: usize, now: u64) -> Vec<usize> {
        let tried = self.tried(request, at);
        if tried.len() >= self.limit() {
            return Vec::new();
        }
        let free = |backend: &usize| !tried.contains(backend) && self.is_available(*backend, at, now);
        let priority = |backend: usize| self.case.backends[backend].priority;
        let best = self.backends().filter(free).map(priority).min();
        self.backends().filter(free).filter(|backend| Some(priority(*backend)) == best).collect()
    }

    pub(crate) fn limit(&self) -> usize {
        let most = self.case.options.max_attempts.map_or(usize::MAX, |most| most as usize);
        most.min(self.case.backends.len())
    }

    /// The table of what answers mean, read from the documentation: whether the request goes on.
    pub(crate) fn fails_over(&self, answer: &Answer) -> bool {
        let options = &self.case.options;
        match answer {
            Answer::Status { status, .. } => {
                *status == 429 || *status >= 500 || options.extra_statuses.contains(status)
            }
            Answer::Fault(Fault::Connect) => true,
            Answer::Fault(Fault::Timeout | Fault::Reset) => options.after_send,
            Answer::Fault(_) => false,
        }
    }

    /// The same table: for how long the backend is out.
    pub(crate) fn cooldown_nanos(&self, answer: &Answer) -> Option<u64> {
        let options = &self.case.options;
        let said = match answer {
            Answer::Status { status: 429 | 500.., hint, .. } => hint.delay(),
            _ => None,
        };
        let cooldown = said.filter(|said| *said <= options.max_cooldown).unwrap_or(options.default_cooldown);
        self.fails_over(answer).then(|| u64::try_from(cooldown.as_nanos()).unwrap())
    }

    /// The same table: how the attempt is counted.
    pub(crate) fn counted_as(answer: &Answer) -> &'static str {
        match answer {
            Answer::Status { status: 429, .. } => "throttles",
            Answer::Status { status: 400..=499, .. } => "rejected",
            Answer::Status { status: 500.., .. } => "server_errors",
            Answer::Status { .. } => "successes",
            Answer::Fault(_) => "faults",
        }
    }

    /// Whether the request ends with this answer of its own, because its body cannot be sent again or because it does
    /// not fail over.
    pub(crate) fn is_final(&self, request: usize, answer: &Answer) -> bool {
        self.asks[request].one_shot || !self.fails_over(answer)
    }
}
