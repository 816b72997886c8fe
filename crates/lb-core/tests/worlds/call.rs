//! Calls: what applications ask, and what they do when it fails.

use std::time::Duration;

use lb_core::{Fault, Outcome};

use crate::behaviour::Poison;

/// One call of an application: its moment, its prompt, and what is above the balancer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) at: Duration,
    pub(crate) poison: Option<Poison>,
    pub(crate) retry: Retry,
    /// After so long its caller goes away, whatever happened.
    pub(crate) leaves: Option<Duration>,
}

/// The layer above the balancer that sends a failed request again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Retry {
    Never,
    /// The SDK of OpenAI for Python, which retries twice.
    OpenAi,
    /// So often, always after the same pause.
    Fixed {
        retries: usize,
        pause: Duration,
    },
}

/// How one request ended, as the layer above sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// A backend's answer, or the fault of the transport.
    Given(Outcome),
    /// The balancer's own refusal, and how long it says to wait.
    Refused(Option<Duration>),
    /// The layer above gave the request up before there was a head.
    GivenUp,
}

impl Call {
    /// A healthy call that nobody repeats.
    pub(crate) fn at(at: Duration) -> Self {
        Self { at, poison: None, retry: Retry::Never, leaves: None }
    }

    pub(crate) fn poison(mut self, poison: Poison) -> Self {
        self.poison = Some(poison);
        self
    }

    pub(crate) fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }
}

/// Healthy calls at a fixed rate: one each `every`, from zero on, before `until`.
pub(crate) fn steady(every: Duration, until: Duration) -> Vec<Call> {
    let mut at = Duration::ZERO;
    let mut calls = Vec::new();
    while at < until {
        calls.push(Call::at(at));
        at += every;
    }
    calls
}

impl Retry {
    /// How long after this answer the request is sent again, `retries` having been made; `None`: never.
    pub(crate) fn pause(self, retries: usize, answer: &Answer) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Fixed { retries: most, pause } => (retries < most).then_some(pause),
            Self::OpenAi => openai(retries, answer),
        }
    }
}

/// The rule of openai-python without its jitter: two retries on 408, 409, 429, 5xx and faults. It waits as long as it is
/// told, but for more than 120 s not at all; untold it waits for half a second, doubling up to 8 s.
fn openai(retries: usize, answer: &Answer) -> Option<Duration> {
    let told = match answer {
        Answer::Given(Outcome::Answered { status: 408 | 409 | 429 | 500.., hint }) => hint.map(|hint| hint.delay()),
        Answer::Given(Outcome::Faulted(fault)) if *fault != Fault::Request => None,
        Answer::Refused(pause) => *pause,
        Answer::GivenUp => None,
        Answer::Given(_) => return None,
    };
    if retries >= 2 {
        return None;
    }
    let untold = Duration::from_millis(500 << retries).min(Duration::from_secs(8));
    match told.filter(|told| !told.is_zero()) {
        Some(told) => (told <= Duration::from_secs(120)).then_some(told),
        None => Some(untold),
    }
}
