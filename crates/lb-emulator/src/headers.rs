//! The headers of lb-limits, in the types of `http`.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use lb_limits::{Counter, Hint, HintForm, Unit, utilisation_header};

use crate::quota::{Refused, View};

/// Adds the headers that say "come back after `wait`".
pub(crate) fn write_hint(headers: &mut HeaderMap, form: HintForm, wait: Duration) {
    let mut hint = Hint::new(form, wait, SystemTime::now());
    if hint.date.is_none() {
        // The live service never says 0 seconds.
        hint.seconds = hint.seconds.map(|seconds| seconds.max(1));
    }
    for (name, value) in hint.headers() {
        insert(headers, name, value);
    }
}

/// Adds `x-ratelimit-*` for windows and the utilisation for PTU buckets. On a refusal the exhausted unit shows nothing
/// left, and resets when the request would be admitted.
pub(crate) fn write_limits(headers: &mut HeaderMap, form: HintForm, limits: &[View], refused: Option<&Refused>) {
    if refused.is_some() && form == HintForm::None {
        return;
    }
    for view in limits {
        if let Some(used) = view.utilisation {
            let (name, value) = utilisation_header(used);
            insert(headers, name, value);
            continue;
        }
        let refused = refused.filter(|refused| refused.unit == view.unit);
        let counter = refused.map_or(view.counter, |refused| Counter::exhausted(view.counter.limit, refused.wait));
        write_counter(headers, view.unit, counter);
    }
    if let (Some(refused), HintForm::Reset) = (refused, form) {
        // Of a PTU bucket, and of a script, nothing has been told yet.
        write_counter(headers, refused.unit, Counter::exhausted(None, refused.wait));
    }
}

fn write_counter(headers: &mut HeaderMap, unit: Unit, counter: Counter) {
    for (name, value) in counter.headers(unit) {
        // The first limit of a unit is the one that is told.
        if !headers.contains_key(name) {
            insert(headers, name, value);
        }
    }
}

/// Sets a header; a value that HTTP does not allow is left out.
pub(crate) fn insert(headers: &mut HeaderMap, name: &'static str, value: impl ToString) {
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
