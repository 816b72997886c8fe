//! The table of what answers mean, row by row as the documentation has it.

use std::time::Duration;

use lb_core::{Fault, Reason, StatusAction};

use crate::case::{Answer, Case};

/// What an attempt's end says about its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// It answered.
    Alive,
    /// It wants to be left alone for so many nanoseconds.
    Cooling(u64),
    /// It failed, and that may be the request's doing.
    Strike,
    /// It failed.
    Failed,
    /// It refused before it processed anything.
    Unprocessed,
    /// The failure is not its own.
    Nothing,
}

impl Case {
    /// Whether the request goes on to another backend.
    pub(crate) fn goes_on(&self, backend: usize, answer: &Answer) -> bool {
        let after_send = self.options.after_send;
        match *answer {
            Answer::Status { status: 429 | 500.., .. } => true,
            Answer::Status { status: status @ 400..=499, .. } => match self.options.on_status.get(&status) {
                Some(action) => *action != StatusAction::Return,
                None if status == 408 => after_send,
                None => self.is_own_refusal(backend, status),
            },
            Answer::Status { .. } | Answer::Fault(Fault::Request) => false,
            Answer::Fault(Fault::Timeout | Fault::Reset) => after_send,
            Answer::Fault(_) => true,
        }
    }

    pub(crate) fn says(&self, backend: usize, answer: &Answer) -> Says {
        match answer {
            Answer::Status { status: 429, hint, .. } => match hint.delay() {
                None => Says::Cooling(nanos(self.options.default_cooldown)),
                Some(delay) => self.credible(delay).map_or(Says::Strike, Says::Cooling),
            },
            Answer::Status { status: 500.., hint, .. } => {
                hint.delay().and_then(|delay| self.credible(delay)).map_or(Says::Strike, Says::Cooling)
            }
            Answer::Status { status: status @ 400..=499, hint, .. } => match self.options.on_status.get(status) {
                Some(StatusAction::FailOverAndCool) => {
                    let said = hint.delay().and_then(|delay| self.credible(delay));
                    Says::Cooling(said.unwrap_or(nanos(self.options.default_cooldown)))
                }
                Some(_) => Says::Alive,
                None if *status == 408 || self.is_own_refusal(backend, *status) => Says::Strike,
                None => Says::Alive,
            },
            Answer::Status { .. } => Says::Alive,
            Answer::Fault(Fault::Connect | Fault::ConnectTimeout | Fault::Credential) => Says::Failed,
            Answer::Fault(Fault::Timeout | Fault::Reset) => Says::Strike,
            Answer::Fault(Fault::Unprocessed) => Says::Unprocessed,
            Answer::Fault(_) => Says::Nothing,
        }
    }

    /// Whether it is a failure: an answer that is the caller's is none.
    pub(crate) fn is_failure(&self, backend: usize, answer: &Answer) -> bool {
        match self.says(backend, answer) {
            Says::Nothing => false,
            Says::Alive => self.goes_on(backend, answer),
            _ => true,
        }
    }

    /// 401 and 403 to a key of the backend's own are its fault.
    fn is_own_refusal(&self, backend: usize, status: u16) -> bool {
        matches!(status, 401 | 403) && self.backends[backend].key.is_some()
    }

    fn credible(&self, delay: Duration) -> Option<u64> {
        (delay <= self.options.max_cooldown).then(|| nanos(delay))
    }
}

/// How an attempt is counted.
pub(crate) fn counted_as(answer: &Answer) -> &'static str {
    match answer {
        Answer::Status { status: 429, .. } => "throttles",
        Answer::Status { status: 400..=499, .. } => "rejected",
        Answer::Status { status: 500.., .. } => "server_errors",
        Answer::Status { .. } => "successes",
        Answer::Fault(_) => "faults",
    }
}

/// How the answer is called where it is a reason.
pub(crate) fn reason(answer: &Answer) -> Reason {
    match answer {
        Answer::Status { status, .. } => Reason::Status(*status),
        Answer::Fault(fault) => Reason::Fault(*fault),
    }
}

/// Whether a caller gets this failure, or may: it is not sent elsewhere without being asked for.
pub(crate) fn is_at_the_callers_expense(reason: Reason) -> bool {
    matches!(reason, Reason::Fault(Fault::Timeout | Fault::Reset) | Reason::Stalled | Reason::Status(408))
}

/// Whether whoever asks next may hang there.
pub(crate) fn hangs(reason: Reason) -> bool {
    matches!(reason, Reason::Fault(Fault::Timeout | Fault::ConnectTimeout) | Reason::Stalled)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}
