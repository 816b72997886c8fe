//! A journal: one list of what happened, in order, from observers and from tests.

use std::sync::{Arc, Mutex, PoisonError};

use lb_core::{Event, Observer};

/// A list of lines that an observer writes, and a test may write too. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All lines since this was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One event in words.
#[must_use]
pub fn line(event: &Event<'_>) -> String {
    match event {
        Event::Sent { backend, attempt, .. } => format!("sent {} #{attempt}", backend.name()),
        Event::Settled { backend, attempt, outcome, .. } => {
            format!("settled {} #{attempt} {outcome:?}", backend.name())
        }
        Event::FailedOver { from, to, outcome, .. } => {
            format!("failed over {} -> {} {outcome:?}", from.name(), to.name())
        }
        Event::NotRepeated { backend, outcome, .. } => format!("not repeated {} {outcome:?}", backend.name()),
        Event::Cooling { backend, until, duration, cause, hint, .. } => {
            let (reason, hint) = (cause.reason(), hint.map_or("default", |hint| hint.as_str()));
            format!("cooling {} {duration:?} until {} ns: {reason}, {hint}", backend.name(), until.as_nanos())
        }
        Event::Struck { backend, strikes, cause, .. } => {
            format!("struck {} {strikes}: {}", backend.name(), cause.reason())
        }
        Event::Suspected { backend, probe_at, cause, .. } => {
            format!("suspect {} until {} ns: {}", backend.name(), probe_at.as_nanos(), cause.reason())
        }
        Event::CooledByHand { backend, duration, .. } => format!("cooled by hand {} {duration:?}", backend.name()),
        Event::Replaced { replaced } => format!("replaced: {replaced}"),
        Event::Available { backend } => format!("available {}", backend.name()),
        Event::Exhausted { exhausted, attempts, synthesized, .. } => {
            let verdict = if *synthesized { "synthesised" } else { "last" };
            format!(
                "exhausted #{attempts} {verdict} {:?} {}",
                exhausted.retry_after().unwrap_or_default(),
                exhausted.cooling()
            )
        }
        Event::Finished { ending, attempts, backend, .. } => {
            let by = backend.map(|backend| format!(" by {}", backend.name())).unwrap_or_default();
            format!("finished #{attempts} {ending}{by}")
        }
        other => format!("unknown {other:?}"),
    }
}

impl Observer for Journal {
    fn on_event(&self, event: &Event<'_>) {
        self.note(line(event));
    }
}
