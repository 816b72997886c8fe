//! Attributes: what tells the series of a metric apart.
//!
//! All come from the pool's configuration, or from a closed set. There are as many series as backends times statuses, and
//! nothing that a request says makes one.

use lb_core::{Backend, Outcome};

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

/// Attributes of one series.
pub(crate) type Labels = Vec<(&'static str, Value)>;

pub(crate) fn text(key: &'static str, value: impl Into<String>) -> (&'static str, Value) {
    (key, Value::Text(value.into()))
}

fn number(key: &'static str, value: impl Into<i64>) -> (&'static str, Value) {
    (key, Value::Number(value.into()))
}

pub(crate) fn of_pool(pool: &str) -> Labels {
    vec![text("lb.pool", pool)]
}

/// Which backend, and where it is: `server.address` and `server.port` as OpenTelemetry's conventions have them.
pub(crate) fn of_backend(pool: &str, backend: &Backend) -> Labels {
    let mut labels = of_pool(pool);
    let authority = backend.authority();
    let port = authority.port_u16().unwrap_or(if backend.scheme().as_str() == "http" { 80 } else { 443 });
    labels.extend([
        text("lb.backend", backend.name()),
        number("lb.priority", backend.priority()),
        text("server.address", authority.host()),
        number("server.port", port),
    ]);
    labels
}

/// How an attempt ended: `http.response.status_code` and `error.type` as OpenTelemetry's conventions have them.
pub(crate) fn of_outcome(outcome: Outcome) -> Labels {
    let (status, error) = match outcome {
        Outcome::Answered { status, .. } => (Some(status), (status >= 400).then(|| status.to_string())),
        Outcome::Html { status } => (Some(status), Some("html".to_owned())),
        Outcome::Faulted(fault) => (None, Some(fault.as_str().to_owned())),
        Outcome::Cancelled => (None, Some("cancelled".to_owned())),
        // Of a later version.
        _ => (None, Some("_OTHER".to_owned())),
    };
    let status = status.map(|status| number("http.response.status_code", status));
    status.into_iter().chain(error.map(|error| text("error.type", error))).collect()
}
