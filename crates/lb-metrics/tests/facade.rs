//! The `metrics` facade: exact values for a scripted scene.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod scene;

use std::collections::BTreeMap;

use lb_core::MockClock;
use lb_metrics::facade::{self, Metrics};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Every series as `name{labels}`, without what is the same everywhere, and its value.
fn series(snapshotter: &Snapshotter) -> BTreeMap<String, String> {
    let entry = |(key, _, _, value): (metrics_util::CompositeKey, _, _, DebugValue)| {
        let mut labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        let value = match value {
            DebugValue::Counter(value) => value.to_string(),
            DebugValue::Gauge(value) => value.to_string(),
            DebugValue::Histogram(values) => {
                let mut values: Vec<_> = values.into_iter().map(|value| value.into_inner()).collect();
                values.sort_by(f64::total_cmp);
                format!("{values:?}")
            }
        };
        (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
    };
    snapshotter.snapshot().into_vec().into_iter().map(entry).collect()
}

const PTU: &str = "lb.backend=ptu,lb.pool=chat,lb.priority=1";
const AT_PTU: &str = "server.address=ptu.example,server.port=443";
const PAYGO: &str = "lb.backend=paygo,lb.pool=chat,lb.priority=2";
const AT_PAYGO: &str = "server.address=paygo.example,server.port=8080";

#[test]
fn a_scene_gives_exactly_these_numbers() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        facade::describe();
        let (clock, metrics) = (MockClock::new(), Metrics::new("chat"));
        let pool = scene::pool(&clock, metrics.observer());
        metrics.watch(&pool);
        scene::play(&pool, &clock);
        metrics.update();

        let told = series(&snapshotter);
        let value = |key: String| told.get(&key).map_or("missing", String::as_str);
        let requests = |outcome: &str| value(format!("lb.requests{{lb.outcome={outcome},lb.pool=chat}}"));
        assert_eq!(["served", "cancelled", "returned"].map(requests), ["2", "1", "1"]);
        let took = |outcome: &str| value(format!("lb.request.duration{{lb.outcome={outcome},lb.pool=chat}}"));
        assert_eq!(["served", "cancelled", "returned"].map(took), ["[2.0, 3.0]", "[4.0]", "[0.0]"]);
        let attempts = |outcome: &str| value(format!("lb.request.attempts{{lb.outcome={outcome},lb.pool=chat}}"));
        assert_eq!(["served", "cancelled"].map(attempts), ["[1.0, 2.0]", "[2.0]"]);
        assert_eq!(value("lb.failovers{lb.from=ptu,lb.pool=chat,lb.reason=429,lb.to=paygo}".to_owned()), "1");
        let cooled = "{lb.backend=ptu,lb.hint=retry-after,lb.pool=chat,lb.reason=429}";
        assert_eq!(value(format!("lb.cooldowns{cooled}")), "1");
        assert_eq!(value(format!("lb.cooldown.duration{cooled}")), "[5.0]");
        assert_eq!(value("lb.suspicions{lb.backend=paygo,lb.pool=chat,lb.reason=connect}".to_owned()), "1");
        assert_eq!(value("lb.wait.duration{lb.pool=chat}".to_owned()), "[2.0]");

        let result =
            |backend: &str, at: &str, result| value(format!("lb.attempts{{{backend},lb.result={result},{at}}}"));
        assert_eq!(
            ["success", "throttle", "cancelled", "fault"].map(|it| result(PTU, AT_PTU, it)),
            ["1", "1", "1", "0"]
        );
        assert_eq!(["success", "rejected", "fault"].map(|it| result(PAYGO, AT_PAYGO, it)), ["1", "0", "1"]);
        let status = "http.response.status_code=429";
        let throttled = format!("lb.attempt.duration{{error.type=429,{status},{PTU},{AT_PTU}}}");
        assert_eq!(value(throttled), "[1.0]");
        assert_eq!(value(format!("lb.attempt.duration{{error.type=connect,{PAYGO},{AT_PAYGO}}}")), "[1.0]");
        let state = |word| value(format!("lb.backend.state{{{PAYGO},lb.state={word},{AT_PAYGO}}}"));
        assert_eq!(["available", "cooling", "suspect", "drained"].map(state), ["0", "0", "1", "0"]);
        assert_eq!(value(format!("lb.backend.available{{{PTU},{AT_PTU}}}")), "1");
        assert_eq!(value(format!("lb.attempts.in_flight{{{PTU},{AT_PTU}}}")), "0");
        assert_eq!(value("lb.waiting{lb.pool=chat}".to_owned()), "0");
        assert!(!format!("{told:?}").contains("CANARY"));
    });
}

#[test]
fn counters_are_the_pools_own_and_gauges_are_of_now() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let (clock, metrics) = (MockClock::new(), Metrics::new("chat"));
        let pool = scene::pool(&clock, metrics.observer());
        metrics.watch(&pool);
        for round in 1..3 {
            scene::play(&pool, &clock);
            metrics.update();
            let told = series(&snapshotter);
            let sum: u64 = told
                .iter()
                .filter(|(key, _)| key.starts_with("lb.attempts{"))
                .map(|(_, value)| value.parse::<u64>().unwrap())
                .sum();
            assert_eq!(sum, pool.snapshot().counters().attempts, "round {round}");
        }
        assert!(pool.drain("ptu"));
        metrics.update();
        let told = series(&snapshotter);
        assert_eq!(told[&format!("lb.backend.state{{{PTU},lb.state=drained,{AT_PTU}}}")], "1");
        assert_eq!(told[&format!("lb.backend.available{{{PTU},{AT_PTU}}}")], "0");
    });
}
