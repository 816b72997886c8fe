//! An endpoint that was pasted with the path that the requests have too: a warning says so, once for each backend.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use lb_core::{Backend, Pool, Step, ThreadRng};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The warnings, one a line.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Addresses `requests` for `path` to a backend at `endpoint`.
fn address(endpoint: &str, path: &str, requests: usize) {
    let pool = Pool::new([Backend::builder(endpoint).name("pasted").build().unwrap()]).unwrap();
    for _ in 0..requests {
        let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { panic!("no backend") };
        let mut request = http::Request::get(path).body(()).unwrap();
        pool.target(&attempt).address(&mut request).unwrap();
    }
}

// One test: the subscriber is global.
#[test]
fn an_endpoint_with_the_path_of_the_requests_is_warned_of_once() {
    let warnings = Warnings::default();
    // Nobody is told: the warning is still to come.
    let early = Backend::builder("https://early.example/v1").build().unwrap();
    let pool = Pool::new([early]).unwrap();
    let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { panic!("no backend") };
    pool.target(&attempt).path_and_query("/v1/models").unwrap();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    pool.target(&attempt).path_and_query("/v1/models").unwrap();
    assert_eq!(warnings.0.lock().unwrap().drain(..).count(), 1);

    address("https://a.example/team-a", "/openai/v1/chat/completions", 3);
    address("a.example", "/openai/v1/chat/completions", 3);
    assert!(warnings.0.lock().unwrap().is_empty());

    address("https://a.example/openai/v1", "/openai/v1/files/CANARY?key=CANARY", 3);
    let lines = std::mem::take(&mut *warnings.0.lock().unwrap());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("lb_core ") && line.contains("pasted") && line.contains("/openai/v1"), "{line}");
    assert!(line.contains("404") && !line.contains("CANARY"), "{line}");
}
