//! The metrics: their names, units and descriptions.

/// What a metric is called, and what it is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// As UCUM has it; what is in braces is a word for people.
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
}

/// What is counted where it happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    Requests,
    Failovers,
    Cooldowns,
    Suspicions,
}

/// What is measured where it happens, as histograms.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Measured {
    RequestAttempts,
    RequestDuration,
    AttemptDuration,
    WaitDuration,
    CooldownDuration,
}

/// What is read from a pool when somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulled {
    Attempts,
    InFlight,
    Available,
    State,
    Waiting,
}

const fn spec(name: &'static str, unit: &'static str, description: &'static str) -> Spec {
    Spec { name, unit, description }
}

impl Counted {
    pub(crate) const ALL: [Self; 4] = [Self::Requests, Self::Failovers, Self::Cooldowns, Self::Suspicions];

    pub(crate) const fn spec(self) -> Spec {
        match self {
            Self::Requests => spec("lb.requests", "{request}", "Requests that have ended, by how they ended."),
            Self::Failovers => {
                spec("lb.failovers", "{failover}", "Requests that went on from one backend to another, and why.")
            }
            Self::Cooldowns => {
                spec("lb.cooldowns", "{cooldown}", "Cooldowns that began, or became longer, by reason and hint.")
            }
            Self::Suspicions => spec("lb.suspicions", "{suspicion}", "How often backends became suspect, and why."),
        }
    }
}

impl Measured {
    pub(crate) const ALL: [Self; 5] = [
        Self::RequestAttempts,
        Self::RequestDuration,
        Self::AttemptDuration,
        Self::WaitDuration,
        Self::CooldownDuration,
    ];

    pub(crate) const fn spec(self) -> Spec {
        match self {
            Self::RequestAttempts => spec("lb.request.attempts", "{attempt}", "Attempts that one request made."),
            Self::RequestDuration => spec(
                "lb.request.duration",
                "s",
                "How long requests took up to the head of their answer, waits included.",
            ),
            Self::AttemptDuration => {
                spec("lb.attempt.duration", "s", "How long attempts took up to the response head or the failure.")
            }
            Self::WaitDuration => spec("lb.wait.duration", "s", "How long requests waited for a cooldown to end."),
            Self::CooldownDuration => {
                spec("lb.cooldown.duration", "s", "For how long backends were out, as they said.")
            }
        }
    }

    /// The bounds of its buckets; a recorder of the facade is given them by the application.
    #[cfg(feature = "otel")]
    pub(crate) const fn bounds(self) -> &'static [f64] {
        match self {
            Self::RequestAttempts => ATTEMPTS,
            Self::RequestDuration | Self::AttemptDuration | Self::WaitDuration | Self::CooldownDuration => SECONDS,
        }
    }
}

impl Pulled {
    pub(crate) const fn spec(self) -> Spec {
        match self {
            Self::Attempts => spec("lb.attempts", "{attempt}", "Attempts that have ended, by backend and result."),
            Self::InFlight => {
                spec("lb.attempts.in_flight", "{attempt}", "Attempts whose response head is not here yet.")
            }
            Self::Available => spec("lb.backend.available", "", "1 while a backend is available, else 0."),
            Self::State => spec("lb.backend.state", "", "1 for the state that a backend is in, 0 for the others."),
            Self::Waiting => spec("lb.waiting", "{request}", "Requests that wait for a cooldown to end."),
        }
    }
}

/// Bounds for durations, in seconds: from a refusal on this continent to a long completion without streaming. Answers of models
/// take longer than those of other services, and PTU hints are of milliseconds.
pub const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0];

/// Bounds for numbers of attempts.
pub const ATTEMPTS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0];
