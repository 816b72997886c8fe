//! The observer: which events are which metrics.

use std::{fmt, sync::Arc, time::Duration};

use lb_core::{Event, Observer};

use crate::{
    instrument::{Counted, Measured},
    labels::{self, Labels, text},
};

/// Where numbers go.
pub(crate) trait Sink: Send + Sync + 'static {
    fn count(&self, what: Counted, labels: Labels);
    fn measure(&self, what: Measured, value: f64, labels: Labels);
}

/// Tells a sink what a pool decides.
pub(crate) struct Recorder<S> {
    pub(crate) pool: Arc<str>,
    pub(crate) sink: S,
}

impl<S: Sink> Recorder<S> {
    fn count(&self, what: Counted, more: impl IntoIterator<Item = (&'static str, labels::Value)>) {
        let mut labels = labels::of_pool(&self.pool);
        labels.extend(more);
        self.sink.count(what, labels);
    }

    fn measure_time(&self, what: Measured, time: Duration, labels: Labels) {
        self.sink.measure(what, time.as_secs_f64(), labels);
    }

    fn cooldown(&self, backend: &lb_core::Backend, duration: Duration, reason: String, hint: &'static str) {
        let labels = [text("lb.backend", backend.name()), text("lb.reason", reason), text("lb.hint", hint)];
        self.count(Counted::Cooldowns, labels.clone());
        let labels = labels::of_pool(&self.pool).into_iter().chain(labels).collect();
        self.measure_time(Measured::CooldownDuration, duration, labels);
    }
}

impl<S: Sink> Observer for Recorder<S> {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Settled { backend, outcome, elapsed: Some(elapsed), .. } => {
                let mut labels = labels::of_backend(&self.pool, backend);
                labels.extend(labels::of_outcome(*outcome));
                self.measure_time(Measured::AttemptDuration, *elapsed, labels);
            }
            Event::FailedOver { from, to, cause, .. } => self.count(
                Counted::Failovers,
                [text("lb.from", from.name()), text("lb.to", to.name()), text("lb.reason", cause.reason().to_string())],
            ),
            Event::Cooling { backend, duration, cause, hint, .. } => {
                let hint = hint.map_or("default", |hint| hint.as_str());
                self.cooldown(backend, *duration, cause.reason().to_string(), hint);
            }
            Event::CooledByHand { backend, duration, .. } => {
                self.cooldown(backend, *duration, lb_core::Reason::ByHand.to_string(), "by hand");
            }
            Event::Suspected { backend, cause, .. } => self.count(
                Counted::Suspicions,
                [text("lb.backend", backend.name()), text("lb.reason", cause.reason().to_string())],
            ),
            Event::Waited { waited, .. } => {
                self.measure_time(Measured::WaitDuration, *waited, labels::of_pool(&self.pool));
            }
            Event::Finished { ending, attempts, elapsed, .. } => {
                let outcome = || text("lb.outcome", ending.as_str());
                let labels = || labels::of_pool(&self.pool).into_iter().chain([outcome()]).collect();
                self.count(Counted::Requests, [outcome()]);
                self.sink.measure(Measured::RequestAttempts, f64::from(*attempts), labels());
                if let Some(elapsed) = elapsed {
                    self.measure_time(Measured::RequestDuration, *elapsed, labels());
                }
            }
            _ => {}
        }
    }

    fn wants_time(&self) -> bool {
        true
    }
}

impl<S> fmt::Debug for Recorder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("pool", &self.pool).finish_non_exhaustive()
    }
}
