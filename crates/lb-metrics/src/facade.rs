//! Metrics for the `metrics` facade.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use lb_core::{Observer, Pools};
use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{
    instrument::{Counted, Measured, Pulled, Spec},
    labels::{Labels, Value},
    reading::{Watched, read},
    recorder::{Recorder, Sink},
};

const GAUGES: [Pulled; 4] = [Pulled::InFlight, Pulled::Available, Pulled::State, Pulled::Waiting];

/// A metric and the labels of one of its series.
type Series = (&'static str, Vec<Label>);

/// Tells the recorder units and descriptions: once, after it was installed.
pub fn describe() {
    let unit = |spec: Spec| if spec.unit == "s" { Unit::Seconds } else { Unit::Count };
    for spec in Counted::ALL.map(Counted::spec).into_iter().chain([Pulled::Attempts.spec()]) {
        describe_counter!(spec.name, unit(spec), spec.description);
    }
    for spec in GAUGES.map(Pulled::spec) {
        describe_gauge!(spec.name, unit(spec), spec.description);
    }
    for spec in Measured::ALL.map(Measured::spec) {
        describe_histogram!(spec.name, unit(spec), spec.description);
    }
}

/// The metrics of one pool, for whichever recorder the application has installed.
///
/// What happens (requests, failovers, cooldowns, durations) is recorded by the [`observer`](Metrics::observer). What the pool
/// counts anyway is read by [`update`](Metrics::update), which whoever renders the metrics calls before: the path of a request
/// pays nothing for that.
///
/// With metrics-exporter-prometheus ask for `with_recommended_naming(true)`, and give the histograms their
/// bounds: [`SECONDS`](crate::SECONDS) to all, [`ATTEMPTS`](crate::ATTEMPTS) to `lb.request.attempts`. Without bounds it makes summaries of them, which cannot be
/// added up.
///
/// ```
/// use lb_core::{Backend, Pool};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// lb_metrics::facade::describe();
/// let metrics = lb_metrics::facade::Metrics::new("chat");
/// let backend = Backend::new("ptu.openai.azure.com", 1)?;
/// let pool = Arc::new(Pool::builder().backend(backend).observer(metrics.observer()).build()?);
/// metrics.watch(&pool);
///
/// // Where the metrics are rendered:
/// metrics.update();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Metrics {
    pool: Arc<str>,
    watched: Arc<Watched>,
    /// The series of the gauges that were set last.
    set: Arc<Mutex<HashSet<Series>>>,
}

impl Metrics {
    /// The metrics of a pool; `pool` tells several of a program apart, as the label `lb.pool`.
    #[must_use]
    pub fn new(pool: impl Into<Arc<str>>) -> Self {
        Self { pool: pool.into(), watched: Arc::default(), set: Arc::default() }
    }

    /// What the pool is built with: [`PoolBuilder::observer`](lb_core::PoolBuilder::observer). It wants time, which costs two
    /// clock reads a request.
    #[must_use]
    pub fn observer(&self) -> impl Observer + use<> {
        Recorder { pool: Arc::clone(&self.pool), sink: Facade }
    }

    /// Reads the numbers of this pool, or of whichever pool stands behind `pools` at that time, at each
    /// [`update`](Metrics::update). It keeps them alive.
    ///
    /// Of pools [by model](Pools::by_model) that is the first: make one of these for each of them, with a name of its own, and
    /// let it watch that pool.
    pub fn watch(&self, pools: impl Into<Pools>) {
        self.watched.add(pools.into());
    }

    /// Reads the pools. The facade cannot take a series back: gauges of a backend that is gone are set to 0, and its
    /// counters stay where they are.
    pub fn update(&self) {
        let mut now = HashSet::new();
        for snapshot in self.watched.snapshots() {
            read(Pulled::Attempts, &self.pool, &snapshot, |value, labels| {
                counter!(Pulled::Attempts.spec().name, facade_labels(labels)).absolute(value);
            });
            for what in GAUGES {
                read(what, &self.pool, &snapshot, |value, labels| {
                    let series = (what.spec().name, facade_labels(labels));
                    // Exact below 2^53.
                    gauge!(series.0, series.1.clone()).set(value as f64);
                    now.insert(series);
                });
            }
        }
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *set, now);
        for (name, labels) in before.into_iter().filter(|series| !set.contains(series)) {
            gauge!(name, labels).set(0.0);
        }
    }
}

fn facade_labels(labels: Labels) -> Vec<Label> {
    let label = |(key, value)| match value {
        Value::Text(text) => Label::new(key, text),
        Value::Number(number) => Label::new(key, number.to_string()),
    };
    labels.into_iter().map(label).collect()
}

/// The facade's recorder, whichever it is.
struct Facade;

impl Sink for Facade {
    fn count(&self, what: Counted, labels: Labels) {
        counter!(what.spec().name, facade_labels(labels)).increment(1);
    }

    fn measure(&self, what: Measured, value: f64, labels: Labels) {
        histogram!(what.spec().name, facade_labels(labels)).record(value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod tests {
    use lb_core::{Backend, Pool, ReplaceablePool};
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    #[test]
    fn a_backend_that_is_gone_is_available_no_more() {
        let recorder = DebuggingRecorder::new();
        let of = |name: &str| Pool::builder().backend(Backend::new(name, 1).unwrap());
        let available = || {
            let told = recorder.snapshotter().snapshot().into_vec().into_iter();
            let mut told: Vec<_> = told
                .filter(|(key, ..)| key.key().name() == "lb.backend.available")
                .map(|(key, _, _, value)| {
                    let mut labels = key.key().labels();
                    let name = labels.find(|label| label.key() == "lb.backend").unwrap().value().to_owned();
                    (name, value == DebugValue::Gauge(1.0.into()))
                })
                .collect();
            told.sort();
            told
        };
        metrics::with_local_recorder(&recorder, || {
            let metrics = Metrics::new("chat");
            let pool = ReplaceablePool::from(of("a.example").build().unwrap());
            metrics.watch(&pool);
            metrics.update();
            // Not looked at here: this recorder forgets what it has told.
            pool.replace(of("b.example")).unwrap();
            metrics.update();
            assert_eq!(available(), [("a.example".to_owned(), false), ("b.example".to_owned(), true)]);
        });
    }
}
