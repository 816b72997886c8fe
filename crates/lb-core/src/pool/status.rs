//! A snapshot as a status page wants it.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{BackendSnapshot, Counters, Snapshot, Waits};
use crate::{cause::Cause, state::State};

/// Whole milliseconds.
pub(super) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(duration.as_millis())
}

fn rfc3339<S: Serializer>(moment: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*moment))
}

fn rfc3339_if_any<S: Serializer>(moment: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => rfc3339(moment, serializer),
        None => serializer.serialize_none(),
    }
}

/// A backend's line.
#[derive(Serialize)]
struct Line<'s> {
    name: &'s str,
    priority: u32,
    weight: u32,
    origin: String,
    path_prefix: &'s str,
    deployment: Option<&'s str>,
    state: &'static str,
    /// When time alone may bring it back, and in how long.
    #[serde(serialize_with = "rfc3339_if_any", skip_serializing_if = "Option::is_none")]
    until: Option<SystemTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_ms: Option<u128>,
    /// Why it is out.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    strikes: u32,
    last_failure: Option<Failure<'s>>,
    counters: Counters,
}

#[derive(Serialize)]
struct Failure<'s> {
    reason: String,
    text: Option<&'s str>,
    request_id: Option<&'s str>,
}

impl<'s> Failure<'s> {
    fn of(cause: &'s Cause) -> Self {
        Self { reason: cause.reason().to_string(), text: cause.text(), request_id: cause.request_id() }
    }
}

impl<'s> Line<'s> {
    fn of(entry: &'s BackendSnapshot, snapshot: &Snapshot) -> Self {
        let BackendSnapshot { backend, state, strikes, last_failure, counters } = entry;
        let (until, reason) = match state {
            State::Available | State::Drained => (None, None),
            State::Cooling { until, reason, .. } => (Some(*until), Some(*reason)),
            State::Suspect { probe_at, reason, .. } => (Some(*probe_at), Some(*reason)),
        };
        Self {
            name: backend.name(),
            priority: backend.priority(),
            weight: backend.weight(),
            origin: backend.origin(),
            path_prefix: backend.path_prefix(),
            deployment: backend.deployment(),
            state: state.as_str(),
            until: until.map(|until| snapshot.wall_at(until)),
            remaining_ms: state.remaining().map(|remaining| remaining.as_millis()),
            reason: reason.map(|reason| reason.to_string()),
            strikes: *strikes,
            last_failure: last_failure.as_ref().map(Failure::of),
            counters: *counters,
        }
    }
}

/// When it was taken.
#[derive(Serialize)]
#[serde(transparent)]
struct At(#[serde(serialize_with = "rfc3339")] SystemTime);

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { backends, waits, .. } = self;
        let lines: Vec<_> = backends.iter().map(|entry| Line::of(entry, self)).collect();
        let mut status = serializer.serialize_struct("Snapshot", 5)?;
        status.serialize_field("at", &At(self.wall))?;
        status.serialize_field("backends", &lines)?;
        status.serialize_field("removed", &self.removed)?;
        status.serialize_field("counters", &self.counters())?;
        status.serialize_field::<Waits>("waits", waits)?;
        status.end()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Backend, Detail, MockClock, Outcome, Pool, SeededRng, Step,
        retry_after::{Hint, HintSource},
    };
    use std::time::Duration;

    #[test]
    fn a_status_page_says_who_is_out_until_when_and_why_and_nothing_secret() {
        let backend = |name: &str, priority| {
            let endpoint = format!("{name}.example/team");
            Backend::builder(endpoint).name(name).priority(priority).api_key("CANARY").deployment("d").build().unwrap()
        };
        let clock = MockClock::new();
        let pool = Pool::builder().backends([backend("a", 1), backend("b", 2), backend("c", 3)]).clock(clock.clone());
        let pool = pool.build().unwrap();
        clock.advance(Duration::from_millis(1_500));
        let mut dispatch = pool.dispatch();
        assert!(matches!(dispatch.next(|| pool.now(), &SeededRng::new(1)), Step::Try(_)));
        let hint = Some(Hint::new(Duration::from_millis(2_250), HintSource::RetryAfterMs));
        let detail = || Detail::from_headers([("apim-request-id", "0f8fad5b")].as_slice());
        let _ = dispatch.settle_with(Outcome::Answered { status: 429, hint }, detail, || pool.now());
        assert!(pool.drain("b") && pool.cool("c", Duration::from_secs(60)));

        let text = serde_json::to_string(&pool.snapshot()).unwrap();
        assert!(!text.contains("CANARY"), "{text}");
        let status: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status["at"], "1970-01-01T00:00:01.500Z");
        let [a, b, c] = [0, 1, 2].map(|number| &status["backends"][number]);
        assert_eq!((&a["state"], &a["until"]), (&"cooling".into(), &"1970-01-01T00:00:03.750Z".into()));
        assert_eq!((&a["remaining_ms"], &a["reason"]), (&2_250.into(), &"429".into()));
        assert_eq!(
            (&a["last_failure"]["reason"], &a["last_failure"]["request_id"]),
            (&"429".into(), &"0f8fad5b".into())
        );
        assert_eq!((&a["origin"], &a["path_prefix"]), (&"https://a.example".into(), &"/team".into()));
        assert_eq!((&b["state"], b.get("until"), b.get("reason")), (&"drained".into(), None, None));
        assert_eq!(
            (&c["state"], &c["reason"], &c["remaining_ms"]),
            (&"cooling".into(), &"by hand".into(), &60_000.into())
        );
        assert_eq!((&status["counters"]["throttles"], &status["counters"]["attempts"]), (&1.into(), &1.into()));
        assert_eq!(status["removed"]["attempts"], 0);
        assert_eq!((&status["waits"]["waiting"], &status["waits"]["waited_ms"]), (&0.into(), &0.into()));
    }
}
