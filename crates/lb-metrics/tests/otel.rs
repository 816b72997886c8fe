//! OpenTelemetry: exact values for a scripted scene, through the SDK's exporter in memory.

#![cfg(feature = "otel")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod scene;

use std::collections::BTreeMap;

use lb_core::MockClock;
use lb_metrics::otel::Metrics;
use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData},
};

/// An SDK that keeps what it collects.
struct Sdk {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Sdk {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let provider =
            SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
        Self { provider, exporter }
    }

    fn metrics(&self, pool: &'static str) -> Metrics {
        Metrics::new(&self.provider.meter("lb"), pool)
    }

    /// Every series as `name{attributes}`, and its value: a number, or count and sum of a histogram.
    fn collect(&self) -> BTreeMap<String, String> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let mut series = BTreeMap::new();
        for collected in self.exporter.get_finished_metrics().unwrap() {
            for metric in collected.scope_metrics().flat_map(|scope| scope.metrics()) {
                points(metric, |attributes, value| {
                    let mut labels: Vec<_> = attributes.iter().map(|it| format!("{}={}", it.key, it.value)).collect();
                    labels.sort();
                    let twice = series.insert(format!("{}{{{}}}", metric.name(), labels.join(",")), value);
                    assert_eq!(twice, None, "{} has a series twice", metric.name());
                });
            }
        }
        series
    }
}

fn points(metric: &Metric, mut take: impl FnMut(Vec<KeyValue>, String)) {
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic());
            sum.data_points().for_each(|point| take(point.attributes().cloned().collect(), point.value().to_string()));
        }
        AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
            gauge
                .data_points()
                .for_each(|point| take(point.attributes().cloned().collect(), point.value().to_string()));
        }
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram.data_points().for_each(|point| {
            take(point.attributes().cloned().collect(), format!("{} in {}", point.sum(), point.count()));
        }),
        other => panic!("{} is {other:?}", metric.name()),
    }
}

const PTU: &str = "lb.backend=ptu,lb.pool=chat,lb.priority=1";
const AT_PTU: &str = "server.address=ptu.example,server.port=443";
const PAYGO: &str = "lb.backend=paygo,lb.pool=chat,lb.priority=2";
const AT_PAYGO: &str = "server.address=paygo.example,server.port=8080";

#[test]
fn a_scene_gives_exactly_these_numbers() {
    let (sdk, clock) = (Sdk::new(), MockClock::new());
    let metrics = sdk.metrics("chat");
    let pool = scene::pool(&clock, metrics.observer());
    metrics.watch(&pool);
    scene::play(&pool, &clock);

    let told = sdk.collect();
    let value = |key: String| told.get(&key).map_or("missing", String::as_str);
    let requests = |outcome: &str| value(format!("lb.requests{{lb.outcome={outcome},lb.pool=chat}}"));
    assert_eq!(["served", "cancelled", "returned"].map(requests), ["2", "1", "1"]);
    let took = |outcome: &str| value(format!("lb.request.duration{{lb.outcome={outcome},lb.pool=chat}}"));
    assert_eq!(["served", "cancelled", "returned"].map(took), ["5 in 2", "4 in 1", "0 in 1"]);
    let attempts = |outcome: &str| value(format!("lb.request.attempts{{lb.outcome={outcome},lb.pool=chat}}"));
    assert_eq!(["served", "cancelled"].map(attempts), ["3 in 2", "2 in 1"]);
    assert_eq!(value("lb.failovers{lb.from=ptu,lb.pool=chat,lb.reason=429,lb.to=paygo}".to_owned()), "1");
    let cooled = "{lb.backend=ptu,lb.hint=retry-after,lb.pool=chat,lb.reason=429}";
    assert_eq!(value(format!("lb.cooldowns{cooled}")), "1");
    assert_eq!(value(format!("lb.cooldown.duration{cooled}")), "5 in 1");
    assert_eq!(value("lb.suspicions{lb.backend=paygo,lb.pool=chat,lb.reason=connect}".to_owned()), "1");
    assert_eq!(value("lb.wait.duration{lb.pool=chat}".to_owned()), "2 in 1");

    let result = |backend: &str, at: &str, result| value(format!("lb.attempts{{{backend},lb.result={result},{at}}}"));
    assert_eq!(["success", "throttle", "cancelled", "fault"].map(|it| result(PTU, AT_PTU, it)), ["1", "1", "1", "0"]);
    assert_eq!(["success", "rejected", "fault"].map(|it| result(PAYGO, AT_PAYGO, it)), ["1", "0", "1"]);
    let status = "http.response.status_code=429";
    assert_eq!(value(format!("lb.attempt.duration{{error.type=429,{status},{PTU},{AT_PTU}}}")), "1 in 1");
    assert_eq!(value(format!("lb.attempt.duration{{error.type=connect,{PAYGO},{AT_PAYGO}}}")), "1 in 1");
    let state = |word| value(format!("lb.backend.state{{{PAYGO},lb.state={word},{AT_PAYGO}}}"));
    assert_eq!(["available", "cooling", "suspect", "drained"].map(state), ["0", "0", "1", "0"]);
    assert_eq!(value(format!("lb.backend.available{{{PTU},{AT_PTU}}}")), "1");
    assert_eq!(value(format!("lb.attempts.in_flight{{{PTU},{AT_PTU}}}")), "0");
    assert_eq!(value("lb.waiting{lb.pool=chat}".to_owned()), "0");
    assert!(!format!("{told:?}").contains("CANARY"));
}

#[test]
fn pools_are_told_apart_and_one_that_is_dropped_is_reported_no_more() {
    let (sdk, clock) = (Sdk::new(), MockClock::new());
    let (chat, embeddings) = (sdk.metrics("chat"), sdk.metrics("embeddings"));
    let pools = [&chat, &embeddings].map(|metrics| {
        let pool = scene::pool(&clock, metrics.observer());
        metrics.watch(&pool);
        scene::play(&pool, &clock);
        pool
    });
    let attempts = |told: BTreeMap<String, String>, name: &str| -> Option<u64> {
        let of_it = told.into_iter().filter(|(key, _)| key.starts_with("lb.attempts{") && key.contains(name));
        of_it.map(|(_, value)| value.parse::<u64>().unwrap()).reduce(|a, b| a + b)
    };
    for (name, pool) in ["lb.pool=chat", "lb.pool=embeddings"].into_iter().zip(&pools) {
        assert_eq!(attempts(sdk.collect(), name), Some(pool.snapshot().counters().attempts));
    }
    drop(embeddings);
    assert_eq!(attempts(sdk.collect(), "lb.pool=embeddings"), None);
    assert!(attempts(sdk.collect(), "lb.pool=chat").is_some());
    let [_, pool] = pools;
    assert_eq!(std::sync::Arc::strong_count(&pool), 1, "nothing keeps it alive");
}
