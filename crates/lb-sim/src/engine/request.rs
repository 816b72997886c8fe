use std::time::SystemTime;

use lb_core::{Fault, Outcome};
use lb_limits::Hint;

use crate::{
    deployment::{Advice, Call, HeaderLines, Service},
    journal::Entry,
    scenario::Workload,
    traffic::{Arrival, Size},
};

/// A request on its way, and the work that a backend has with it.
///
/// A caller can leave while the backend goes on to serve, and charge: then the work stays here alone.
#[derive(Debug, Clone)]
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
    /// Whether its caller is still there.
    pub(super) has_caller: bool,
    /// Whether a backend has let it in, and is not done with it.
    pub(super) has_work: bool,
    /// Whether this try has sent an attempt.
    pub(super) is_sent: bool,
    /// The backend of the last attempt, and when it was sent.
    pub(super) backend: usize,
    pub(super) sent: u64,
    /// What serving it takes, if it has work.
    pub(super) service: Service,
    /// The head that is on its way, if it is no success.
    pub(super) head: Head,
    /// When the first token came.
    pub(super) first_token: u64,
    /// The sequence number of its alarm; 0: none is set.
    pub(super) alarm: u64,
    /// What the application gets if no backend is left and the balancer says nothing of its own.
    pub(super) last_end: TryEnd,
}

impl Request {
    pub(super) fn new(arrival: Arrival, key: u64, worker: u32, deadline: u64) -> Self {
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
            has_caller: true,
            has_work: false,
            is_sent: false,
            backend: 0,
            sent: 0,
            service: Service::default(),
            head: Head::Faulted(Fault::Reset),
            first_token: 0,
            alarm: 0,
            last_end: TryEnd::Fault,
        }
    }

    /// Another request takes the place of this one. What is written when it is sent, and not read before, stays.
    #[inline]
    pub(super) fn begin(&mut self, arrival: Arrival, key: u64, worker: u32, deadline: u64) {
        self.arrival = arrival;
        self.key = key;
        self.worker = worker;
        self.conversation = 0;
        self.pin = None;
        self.attempts = 0;
        self.retries = 0;
        self.waited = 0;
        self.deadline = deadline;
        self.has_caller = true;
        self.has_work = false;
        self.is_sent = false;
        self.alarm = 0;
    }

    /// When the client stops waiting for the head of this attempt's answer: its timeout, or its caller's deadline.
    #[inline]
    pub(super) const fn patience(&self, timeout: u64) -> u64 {
        let patience = self.sent.saturating_add(timeout);
        if patience < self.deadline { patience } else { self.deadline }
    }
}

/// What reaches the client of an attempt that is not served.
#[derive(Debug, Clone, Copy)]
pub(super) enum Head {
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
            Self::RefusedInStream(_) => (Entry::Answered, 200),
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
    /// A refusal inside a 200.
    RefusedInStream,
}

impl TryEnd {
    pub(super) fn hint(self) -> Hint {
        match self {
            Self::Throttled(hint) | Self::ServerError(_, hint) => hint,
            Self::Fault | Self::RefusedInStream => Hint::default(),
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
            TryEnd::RefusedInStream => Self::RefusedInStream,
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
