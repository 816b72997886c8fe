//! Decisions: an observer that prints what a pool decides.

use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use lb_core::{Event, Observer};

/// Prints each decision of a pool as a short line with the seconds since it was made. Clones print to the same place.
///
/// An observer is on the path of every request. This one writes to a terminal under a lock, which is fine for a
/// demonstration; a service counts instead, or takes the `tracing` events.
#[derive(Clone)]
pub struct Decisions {
    begin: Instant,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl Decisions {
    /// Prints to `out`, with times from now on.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { begin: Instant::now(), out: Arc::new(Mutex::new(out)) }
    }

    /// The same, with times from now on.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { begin: Instant::now(), out: Arc::clone(&self.out) }
    }

    /// Prints a line of its own between the decisions.
    pub fn headline(&self, text: &str) {
        // A closed terminal is no reason to fail requests.
        let _ = writeln!(self.out.lock().unwrap_or_else(PoisonError::into_inner), "\n{text}");
    }

    fn line(&self, what: &str, detail: fmt::Arguments<'_>) {
        let elapsed = self.begin.elapsed().as_secs_f64();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(out, "{elapsed:8.3} s  {what:<12} {detail}");
    }
}

impl Observer for Decisions {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Sent { backend, attempt, .. } => {
                self.line("sent", format_args!("{} (attempt {attempt})", backend.name()));
            }
            Event::FailedOver { from, to, outcome, .. } => {
                self.line("failed over", format_args!("{} -> {} ({outcome})", from.name(), to.name()));
            }
            Event::Cooling { backend, duration, cause, hint, .. } => {
                let hint = hint.as_ref().map_or("no hint", |source| source.as_str());
                let seconds = duration.as_secs_f64();
                let reason = cause.reason();
                self.line("cooling", format_args!("{} for {seconds:.3} s ({reason}, {hint})", backend.name()));
            }
            Event::Struck { backend, strikes, cause, .. } => {
                self.line("struck", format_args!("{} ({cause}, {strikes} in a row)", backend.name()));
            }
            Event::Suspected { backend, after, cause, .. } => {
                let seconds = after.as_secs_f64();
                self.line("suspect", format_args!("{} ({cause}), asked first in {seconds:.3} s", backend.name()));
            }
            Event::Available { backend } => self.line("available", format_args!("{}", backend.name())),
            Event::Exhausted { exhausted, attempts, .. } => {
                self.line("exhausted", format_args!("{exhausted} ({attempts} tried)"));
            }
            // `Settled` says of every attempt what the others say of the interesting ones.
            _ => {}
        }
    }
}

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decisions").finish_non_exhaustive()
    }
}
