//! Metrics for OpenTelemetry.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use lb_core::{Observer, Pools};
use opentelemetry::{
    Key, KeyValue,
    metrics::{AsyncInstrument, Counter, Histogram, Meter},
};

use crate::{
    instrument::{Counted, Measured, Pulled},
    labels::{Labels, Value},
    reading::{Watched, read},
    recorder::{Recorder, Sink},
};

/// The metrics of one pool, as instruments of a [`Meter`].
///
/// What happens (requests, failovers, cooldowns, durations) is recorded by the [`observer`](Metrics::observer). What the pool
/// counts anyway is read when the SDK collects, from the pools that it [watches](Metrics::watch): the path of a request pays
/// nothing for that.
///
/// Keep it, or a clone, for as long as the pool is to be reported: when the last is dropped nothing is read any more, although
/// OpenTelemetry has no way to take a callback back. It keeps the pools that it watches alive.
///
/// ```
/// use lb_core::{Backend, Pool};
/// use opentelemetry::metrics::MeterProvider;
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Of the application: with the reader or the exporter that it has.
/// let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().build();
///
/// let metrics = lb_metrics::otel::Metrics::new(&provider.meter("lb"), "chat");
/// let backend = Backend::new("ptu.openai.azure.com", 1)?;
/// let pool = Arc::new(Pool::builder().backend(backend).observer(metrics.observer()).build()?);
/// metrics.watch(&pool);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is read of a pool when this is dropped"]
pub struct Metrics {
    pool: Arc<str>,
    instruments: Arc<Instruments>,
    watched: Arc<Watched>,
}

impl Metrics {
    /// Makes the instruments; `pool` tells several pools of a program apart, as the attribute `lb.pool`.
    pub fn new(meter: &Meter, pool: impl Into<Arc<str>>) -> Self {
        let (pool, watched) = (pool.into(), Arc::new(Watched::default()));
        let callback = |what| {
            let (pool, watched) = (Arc::clone(&pool), Arc::downgrade(&watched));
            move |instrument: &dyn AsyncInstrument<u64>| observe(what, &pool, &watched, instrument)
        };
        let attempts = Pulled::Attempts.spec();
        let counter = meter.u64_observable_counter(attempts.name).with_unit(attempts.unit);
        let _ = counter.with_description(attempts.description).with_callback(callback(Pulled::Attempts)).build();
        for what in [Pulled::InFlight, Pulled::Available, Pulled::State, Pulled::Waiting] {
            let spec = what.spec();
            let gauge = meter.u64_observable_gauge(spec.name).with_unit(spec.unit);
            let _ = gauge.with_description(spec.description).with_callback(callback(what)).build();
        }
        let instruments = Arc::new(Instruments::new(meter));
        Self { pool, instruments, watched }
    }

    /// What the pool is built with: [`PoolBuilder::observer`](lb_core::PoolBuilder::observer). It wants time, which costs two
    /// clock reads a request.
    #[must_use]
    pub fn observer(&self) -> impl Observer + use<> {
        Recorder { pool: Arc::clone(&self.pool), sink: Arc::clone(&self.instruments) }
    }

    /// Reads the numbers of this pool, or of whichever pool stands behind `pools` at that time, whenever the SDK collects.
    ///
    /// Of pools [by model](Pools::by_model) that is the first: make one of these for each of them, with a name of its own, and
    /// let it watch that pool.
    pub fn watch(&self, pools: impl Into<Pools>) {
        self.watched.add(pools.into());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("pool", &self.pool).finish_non_exhaustive()
    }
}

fn observe(what: Pulled, pool: &str, watched: &Weak<Watched>, instrument: &dyn AsyncInstrument<u64>) {
    let Some(watched) = watched.upgrade() else { return };
    for snapshot in watched.snapshots() {
        read(what, pool, &snapshot, |value, labels| instrument.observe(value, &attributes(labels)));
    }
}

fn attributes(labels: Labels) -> Vec<KeyValue> {
    let attribute = |(key, value)| match value {
        Value::Text(text) => KeyValue::new(Key::from_static_str(key), text),
        Value::Number(number) => KeyValue::new(Key::from_static_str(key), number),
    };
    labels.into_iter().map(attribute).collect()
}

/// The instruments that events are recorded with, in the order of their enums.
struct Instruments {
    counters: [Counter<u64>; Counted::ALL.len()],
    histograms: [Histogram<f64>; Measured::ALL.len()],
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let counter = |what: Counted| {
            let spec = what.spec();
            meter.u64_counter(spec.name).with_unit(spec.unit).with_description(spec.description).build()
        };
        let histogram = |what: Measured| {
            let spec = what.spec();
            let builder = meter.f64_histogram(spec.name).with_unit(spec.unit).with_description(spec.description);
            builder.with_boundaries(what.bounds().to_vec()).build()
        };
        Self { counters: Counted::ALL.map(counter), histograms: Measured::ALL.map(histogram) }
    }
}

impl Sink for Arc<Instruments> {
    fn count(&self, what: Counted, labels: Labels) {
        self.counters[what as usize].add(1, &attributes(labels));
    }

    fn measure(&self, what: Measured, value: f64, labels: Labels) {
        self.histograms[what as usize].record(value, &attributes(labels));
    }
}
