//! The rules as the documentation tells them, independent of how the core keeps them.

use std::time::Duration;

use lb_core::{Fault, Outcome, State};

/// How many requests in a row have to strike a backend.
pub(crate) const STRIKES: usize = 2;
/// How long after its last failure a suspect is asked first.
pub(crate) const PROBE_AFTER: Duration = Duration::from_secs(10);
/// How long a suspect is left alone after it failed a request.
pub(crate) const CLOSED: Duration = Duration::from_secs(1);
/// How long a 429 without a hint cools.
pub(crate) const DEFAULT_COOLDOWN: Duration = Duration::from_secs(10);
/// The longest hint that is believed.
pub(crate) const MAX_COOLDOWN: Duration = Duration::from_secs(600);

/// Where a backend stands, by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Available,
    Cooling,
    Suspect,
    Drained,
}

impl Standing {
    pub(crate) fn of(state: &State) -> Self {
        match state {
            State::Available => Self::Available,
            State::Cooling { .. } => Self::Cooling,
            State::Suspect { .. } => Self::Suspect,
            State::Drained => Self::Drained,
            other => panic!("a state that the worlds do not know: {other:?}"),
        }
    }
}

/// What an outcome says of the backend, by the table of `outcome.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is there.
    Alive,
    /// It said when it wants to be asked again: a 429, which always counts.
    Throttled(Duration),
    /// It said so with a 5xx.
    Paused,
    /// Perhaps the request's doing.
    Strike,
    /// It failed, whatever the request was.
    Down,
    /// Nothing.
    Nothing,
}

impl Meaning {
    /// What it says if it came after `lasted`.
    pub(crate) fn of(outcome: &Outcome, lasted: Duration, stalled_after: Option<Duration>) -> Self {
        match *outcome {
            Outcome::Answered { status: 429, hint } => match hint.map(|hint| hint.delay()) {
                Some(delay) if delay > MAX_COOLDOWN => Self::Strike,
                Some(Duration::ZERO) => Self::Nothing,
                delay => Self::Throttled(delay.unwrap_or(DEFAULT_COOLDOWN)),
            },
            Outcome::Answered { status: 500.., hint: Some(hint) } if hint.delay() <= MAX_COOLDOWN => Self::Paused,
            Outcome::Answered { status: 500.. | 401 | 403 | 408, .. } => Self::Strike,
            Outcome::Answered { .. } => Self::Alive,
            Outcome::Faulted(Fault::Timeout | Fault::Reset) => Self::Strike,
            Outcome::Faulted(Fault::Request) => Self::Nothing,
            Outcome::Faulted(_) => Self::Down,
            Outcome::Cancelled if stalled_after.is_some_and(|after| lasted >= after) => Self::Strike,
            Outcome::Cancelled => Self::Nothing,
            _ => panic!("an outcome that the worlds do not know: {outcome:?}"),
        }
    }

    /// Whether it speaks against the backend.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Strike | Self::Down | Self::Paused)
    }
}
