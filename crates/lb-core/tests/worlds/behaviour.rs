//! What backends do with the attempts that they get.

use std::time::Duration;

use lb_core::{Fault, Hint, HintSource, Outcome};

/// What a backend does with every attempt that begins while it behaves so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Behaviour {
    /// 200, and the head comes after `head`.
    Fine { head: Duration },
    /// A fixed window: fine for `open` out of every `window`, and 429s with the time that is left of it.
    Quota { head: Duration, open: Duration, window: Duration },
    /// This status after a while: a 429, a 5xx, or a 401 that its own key gets.
    Answers { status: u16, after: Duration, hint: Option<Duration> },
    /// It takes the request and breaks the connection after a while.
    Resets { after: Duration },
    /// It takes the request and never answers.
    Stalls,
    /// It refuses connections.
    Refuses,
    /// Connections do not come about, which the transport notices after a while.
    HangsInConnect { after: Duration },
}

/// A prompt that no backend can serve, and what healthy ones do with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Poison {
    /// It is answered so, as late as others get their heads.
    Answered { status: u16, hint: Option<Duration> },
    /// It takes for ever.
    Endless,
}

/// 500 from everybody.
pub(crate) const BREAKING: Poison = Poison::Answered { status: 500, hint: None };
/// Larger than the quota: Azure answers with a day.
pub(crate) const OVERSIZED: Poison = Poison::Answered { status: 429, hint: Some(Duration::from_secs(86_400)) };

/// How an attempt ends, and when; fixed when it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ending {
    pub(crate) after: Duration,
    pub(crate) outcome: Outcome,
}

impl Behaviour {
    /// What becomes of an attempt that begins at `now`, if its client waits for `timeout`.
    pub(crate) fn meet(self, now: Duration, poison: Option<Poison>, timeout: Duration) -> Ending {
        let ending = match self {
            Self::Fine { head } => served(head, poison),
            Self::Quota { head, open, window } => {
                let into = Duration::from_nanos(nanos(now) % nanos(window));
                if into < open { served(head, poison) } else { answered(429, Duration::ZERO, Some(window - into)) }
            }
            Self::Answers { status, after, hint } => answered(status, after, hint),
            Self::Resets { after } => faulted(Fault::Reset, after),
            Self::Stalls => faulted(Fault::Timeout, Duration::MAX),
            Self::Refuses => faulted(Fault::Connect, Duration::ZERO),
            Self::HangsInConnect { after } => faulted(Fault::ConnectTimeout, after),
        };
        if ending.after > timeout { faulted(Fault::Timeout, timeout) } else { ending }
    }

    /// Whether a request that is no poison would be served.
    pub(crate) fn serves(self, now: Duration, timeout: Duration) -> bool {
        is_success(&self.meet(now, None, timeout).outcome)
    }
}

/// Whether the caller got what it came for.
pub(crate) fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered { status: 200..=299, .. })
}

fn served(head: Duration, poison: Option<Poison>) -> Ending {
    match poison {
        None => answered(200, head, None),
        Some(Poison::Answered { status, hint }) => answered(status, head, hint),
        Some(Poison::Endless) => faulted(Fault::Timeout, Duration::MAX),
    }
}

fn answered(status: u16, after: Duration, hint: Option<Duration>) -> Ending {
    let hint = hint.map(|delay| Hint::new(delay, HintSource::RetryAfter));
    Ending { after, outcome: Outcome::Answered { status, hint } }
}

fn faulted(fault: Fault, after: Duration) -> Ending {
    Ending { after, outcome: Outcome::Faulted(fault) }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().expect("a world ends before 584 years")
}

/// A backend: its priority, and what it does from when on.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) priority: u32,
    /// By time; the first begins at zero.
    pub(crate) phases: Vec<(Duration, Behaviour)>,
}

impl Site {
    pub(crate) fn new(priority: u32, behaviour: Behaviour) -> Self {
        Self { priority, phases: vec![(Duration::ZERO, behaviour)] }
    }

    /// From `at` on it behaves so.
    pub(crate) fn then(mut self, at: Duration, behaviour: Behaviour) -> Self {
        assert!(self.phases.iter().all(|(before, _)| *before < at), "phases are in order");
        self.phases.push((at, behaviour));
        self
    }

    pub(crate) fn at(&self, now: Duration) -> Behaviour {
        let next = self.phases.partition_point(|(from, _)| *from <= now);
        self.phases[next - 1].1
    }
}
