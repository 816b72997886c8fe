use std::time::SystemTime;

use lb_core::{Fault, Outcome};
use lb_limits::Hint;

use crate::{
    deployment::{Advice, Call, HeaderLines, Service},
    journal::Entry,
    scenario::Workload,
    traffic::{Arrival, Size},
};

/// No request: the caller has left.
pub(super) const NO_REQUEST: u32 = u32::MAX;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) arrival: Arrival,
    /// Its key in the draws.
    pub(super) key: u64,
    pub(super) worker: u32,
    /// Its conversation in its workload; 0 if there are none.
    pub(super) conversation: u32,
    /// The only backend that can serve it.
    pub(super) pin: Option<usize>,
    /// Attempts so far, those of earlier tries of the SDK included.
    pub(super) attempts: u32,
    /// Times that the SDK has sent it again.
    pub(super) retries: u32,
    /// How long it has waited in its pool, all tries together.
    pub(super) waited: u64,
    /// When its caller gives up; `u64::MAX`: never.
    pub(super) deadline: u64,
    /// Whether this try has sent an attempt.
    pub(super) is_sent: bool,
    /// The backend of the last attempt, and when it was sent.
    pub(super) backend: usize,
    pub(super) sent: u64,
    /// The head that is on its way.
    pub(super) head: Head,
    /// When the first token came.
    pub(super) first_token: u64,
    /// Its work at the backend; [`NO_REQUEST`]: none.
    pub(super) work: u32,
    /// The sequence number of its alarm; 0: none is set.
    pub(super) alarm: u64,
    /// What the application gets if no backend is left and the balancer says nothing of its own.
    pub(super) last_end: TryEnd,
}

impl Request {
    pub(super) const fn new(arrival: Arrival, key: u64, worker: u32, deadline: u64) -> Self {
        Self {
            arrival,
            key,
            worker,
            conversation: 0,
            pin: None,
            attempts: 0,
            retries: 0,
            waited: 0,
            deadline,
            is_sent: false,
            backend: 0,
            sent: 0,
            head: Head::Served,
            first_token: 0,
            work: NO_REQUEST,
            alarm: 0,
            last_end: TryEnd::Fault,
        }
    }

    /// When the client stops waiting for the head of this attempt's answer: its timeout, or its caller's deadline.
    #[inline]
    pub(super) const fn patience(&self, timeout: u64) -> u64 {
        let patience = self.sent.saturating_add(timeout);
        if patience < self.deadline { patience } else { self.deadline }
    }
}

/// The work that a backend has with a request that it let in.
#[derive(Debug)]
pub(super) struct Work {
    /// The request, if its caller is still there.
    pub(super) request: u32,
    pub(super) backend: usize,
    pub(super) arrival: Arrival,
    pub(super) service: Service,
}

impl Work {
    pub(super) const fn new(id: u32, request: &Request, service: Service) -> Self {
        Self { request: id, backend: request.backend, arrival: request.arrival, service }
    }
}

/// What reaches the client of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Head {
    Served,
    RefusedInStream(Advice),
    Throttled(Advice),
    /// A 5xx.
    Broken(u16, Advice),
    Faulted(Fault),
}

impl Head {
    /// As the balancer hears of it: through its own parser of headers.
    pub(super) fn outcome(self) -> Outcome {
        let answered = |status, advice| Outcome::answered(status, &HeaderLines::new(advice), || SystemTime::UNIX_EPOCH);
        match self {
            // No header of a success means anything to the balancer.
            Self::Served => Outcome::Answered { status: 200, hint: None },
            Self::RefusedInStream(advice) => answered(200, advice),
            Self::Throttled(advice) => answered(429, advice),
            Self::Broken(status, advice) => answered(status, advice),
            Self::Faulted(fault) => Outcome::Faulted(fault),
        }
    }

    /// As the application hears of it if it is the last word.
    pub(super) const fn try_end(self) -> TryEnd {
        match self {
            Self::Throttled(advice) => TryEnd::Throttled(advice.hint),
            Self::Broken(status, advice) => TryEnd::ServerError(status, advice.hint),
            _ => TryEnd::Fault,
        }
    }

    /// As the journal notes it.
    pub(super) fn entry(self) -> (Entry, u64) {
        match self {
            Self::Served | Self::RefusedInStream(_) => (Entry::Answered, 200),
            Self::Throttled(_) => (Entry::Answered, 429),
            Self::Broken(status, _) => (Entry::Answered, status.into()),
            Self::Faulted(fault) => (Entry::Faulted, Entry::of_fault(fault)),
        }
    }
}

/// How a try of the SDK ended without success.
#[derive(Debug, Clone, Copy)]
pub(super) enum TryEnd {
    /// A 429 that tells this.
    Throttled(Hint),
    /// A 5xx that tells this.
    ServerError(u16, Hint),
    /// No answer.
    Fault,
}

impl TryEnd {
    pub(super) fn hint(self) -> Hint {
        match self {
            Self::Throttled(hint) | Self::ServerError(_, hint) => hint,
            Self::Fault => Hint::default(),
        }
    }
}

/// How a request ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Throttled,
    ServerError(u16),
    Fault,
    RefusedInStream,
    Deadline,
}

impl From<TryEnd> for End {
    fn from(end: TryEnd) -> Self {
        match end {
            TryEnd::Throttled(_) => Self::Throttled,
            TryEnd::ServerError(status, _) => Self::ServerError(status),
            TryEnd::Fault => Self::Fault,
        }
    }
}

impl End {
    /// As the journal notes it.
    pub(super) fn code(self) -> u64 {
        match self {
            Self::Throttled => 429,
            Self::ServerError(status) => status.into(),
            Self::RefusedInStream => 200,
            Self::Fault => 0,
            Self::Deadline => 1,
        }
    }
}

/// What a call of this workload looks like, but for its size and keys.
pub(super) fn template(number: usize, workload: &Workload) -> Call {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be from 0 to 1000")]
    let milli_chars_per_token = (workload.chars_per_token * 1_000.0 + 0.5) as u64;
    let stream = workload.stream;
    Call { workload: number, size: Size::default(), milli_chars_per_token, stream, key: 0, attempt: 0 }
}
