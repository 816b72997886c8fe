//! A history: what happened, in order.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use lb_core::{Counters, Exhausted, Fault, MockClock, Pool, Reason};
use proptest::test_runner::TestCaseError;

use crate::{
    case::{Answer, Ask, Case},
    oracle::Oracle,
};

#[derive(Debug)]
pub(crate) struct History {
    pub(crate) case: Case,
    /// What was asked, by the number of the request.
    pub(crate) asks: Vec<Ask>,
    /// What happened, with the moment in nanoseconds.
    pub(crate) records: Vec<(u64, What)>,
    /// The pool and its clock, as they were left.
    pub(crate) pool: Arc<Pool>,
    pub(crate) clock: MockClock,
}

#[derive(Debug)]
pub(crate) enum What {
    /// An attempt begins.
    Picked(Pick),
    /// An attempt ends with an answer.
    Settled { request: usize, backend: usize, answer: Answer },
    /// An attempt is given up by its caller.
    Dropped { request: usize, backend: usize },
    /// A request ends.
    Delivered(End),
    /// An operator takes a backend out, or puts it back.
    Drained { backend: usize, is_out: bool },
    /// What the pool told its observer.
    Told(String),
    /// How the pool is.
    Looked(Vec<Seen>),
}

#[derive(Debug)]
pub(crate) struct Pick {
    pub(crate) request: usize,
    pub(crate) backend: usize,
    pub(crate) number: u32,
    pub(crate) is_probe: bool,
    pub(crate) sent: Request<Bytes>,
    pub(crate) draws: u64,
}

#[derive(Debug)]
pub(crate) struct End {
    pub(crate) request: usize,
    pub(crate) result: Delivered,
    pub(crate) draws: u64,
}

#[derive(Debug)]
pub(crate) enum Delivered {
    Response(Response<Bytes>),
    Fault(Fault),
    Exhausted(Exhausted),
}

impl End {
    /// The refusal, as a value or as an answer; `None` if it is a backend's own.
    pub(crate) fn exhausted(&self) -> Option<&Exhausted> {
        match &self.result {
            Delivered::Exhausted(exhausted) => Some(exhausted),
            Delivered::Response(response) => response.extensions().get(),
            Delivered::Fault(_) => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) state: State,
    pub(crate) strikes: u32,
    pub(crate) counters: Counters,
}

/// A state with its moments in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Available,
    Cooling { until: u64, reason: Reason },
    Suspect { probe_at: u64, reason: Reason },
    Drained,
}

impl From<lb_core::State> for State {
    fn from(state: lb_core::State) -> Self {
        match state {
            lb_core::State::Available => Self::Available,
            lb_core::State::Cooling { until, reason, .. } => Self::Cooling { until: until.as_nanos(), reason },
            lb_core::State::Suspect { probe_at, reason, .. } => Self::Suspect { probe_at: probe_at.as_nanos(), reason },
            lb_core::State::Drained => Self::Drained,
            other => unreachable!("{other:?}"),
        }
    }
}

impl State {
    pub(crate) fn deadline(&self) -> Option<u64> {
        match self {
            Self::Cooling { until, .. } => Some(*until),
            _ => None,
        }
    }
}

/// One record, with what the oracle knew just before it.
pub(crate) struct Moment<'h> {
    pub(crate) at: usize,
    pub(crate) now: u64,
    pub(crate) what: &'h What,
    pub(crate) oracle: Oracle<'h>,
}

impl History {
    pub(crate) fn new(case: Case, pool: Arc<Pool>, clock: MockClock) -> Self {
        Self { case, asks: Vec::new(), records: Vec::new(), pool, clock }
    }

    /// Goes through all records with an oracle at hand.
    pub(crate) fn check(
        &self,
        mut check: impl FnMut(&Moment<'_>) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let (first, at, oracle) = (What::Looked(Vec::new()), 0, Oracle::new(self));
        let mut moment = Moment { at, now: 0, what: &first, oracle };
        for (at, (now, what)) in self.records.iter().enumerate() {
            (moment.at, moment.now, moment.what) = (at, *now, what);
            check(&moment)?;
            moment.oracle.hear(at, *now, what);
        }
        Ok(())
    }

    /// The picks, with the index of each.
    pub(crate) fn picks(&self) -> impl Iterator<Item = (usize, &Pick)> {
        self.records.iter().enumerate().filter_map(|(at, (_, what))| match what {
            What::Picked(pick) => Some((at, pick)),
            _ => None,
        })
    }

    /// The ends of requests, with the index of each.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (usize, &End)> {
        self.records.iter().enumerate().filter_map(|(at, (_, what))| match what {
            What::Delivered(end) => Some((at, end)),
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

    /// Everything that the pool told its observer.
    pub(crate) fn log(&self) -> Vec<&str> {
        let told = self.records.iter().filter_map(|(_, what)| match what {
            What::Told(line) => Some(line.as_str()),
            _ => None,
        });
        told.collect()
    }

    pub(crate) fn backends(&self) -> std::ops::Range<usize> {
        0..self.case.backends.len()
    }

    /// The answers of one request before the record `at`, with the backend of each.
    pub(crate) fn answers(&self, request: usize, at: usize) -> Vec<(usize, &Answer)> {
        let settled = |what| match what {
            &What::Settled { request: of, backend, ref answer } if of == request => Some((backend, answer)),
            _ => None,
        };
        self.records[..at].iter().filter_map(|(_, what)| settled(what)).collect()
    }

    /// The backends that a request asked before the record `at`.
    pub(crate) fn asked(&self, request: usize, at: usize) -> Vec<usize> {
        let before = self.picks().take_while(|(then, _)| *then < at);
        before.filter(|(_, pick)| pick.request == request).map(|(_, pick)| pick.backend).collect()
    }

    /// Whether the request ends with this answer of its own, because its body cannot be sent again or because it does
    /// not fail over.
    pub(crate) fn is_final(&self, request: usize, backend: usize, answer: &Answer) -> bool {
        self.asks[request].one_shot || !self.case.goes_on(backend, answer)
    }
}
