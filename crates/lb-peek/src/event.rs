//! What one event says.

use std::time::Duration;

use lb_core::Refusal;
use serde_json::Value;

/// What one event says of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Nothing.
    Preamble,
    /// It is refused.
    Refusal(Refusal),
    /// It has failed, for whatever reason.
    Failure,
    /// It is a real answer, or a failure that is the caller's.
    Answer,
    /// It ends here.
    End,
}

/// What comes before the first word of an answer.
const PREAMBLE: [&str; 3] = ["response.created", "response.queued", "response.in_progress"];

/// The codes that refuse, and the status that each would have been.
const REFUSALS: [(&str, u16); 7] = [
    ("rate_limit_exceeded", 429),
    ("too_many_requests", 429),
    ("429", 429),
    ("insufficient_quota", 429),
    ("slow_down", 429),
    ("server_is_overloaded", 503),
    ("503", 503),
];

/// Where an error says what it is.
const CODES: [&str; 4] = ["code", "type", "status", "status_code"];

/// Reads an event of this name, if it has one, with this data.
pub(crate) fn read(name: Option<&str>, data: Option<&str>) -> Sign {
    let data = data.unwrap_or_default().trim();
    match data {
        // A browser would not even be told of it.
        "" => return Sign::Preamble,
        "[DONE]" => return Sign::End,
        _ => {}
    }
    let Ok(event @ Value::Object(_)) = serde_json::from_str::<Value>(data) else { return Sign::Answer };
    let kind = event["type"].as_str().or(name);
    let is_error = kind == Some("error");
    if is_error || kind == Some("response.failed") || !event["error"].is_null() {
        let own = is_error.then_some(&event);
        return failure([Some(&event["error"]), Some(&event["response"]["error"]), own].into_iter().flatten());
    }
    let is_preamble = match &event["choices"] {
        Value::Array(choices) => choices.iter().all(says_nothing),
        _ => kind.is_some_and(|kind| PREAMBLE.contains(&kind)),
    };
    if is_preamble { Sign::Preamble } else { Sign::Answer }
}

/// What a failure is for, by the places where its code may be.
fn failure<'e>(errors: impl Iterator<Item = &'e Value> + Clone) -> Sign {
    for error in errors.clone() {
        let status = |code: String| REFUSALS.iter().find(|(refusal, _)| *refusal == code).map(|(_, status)| *status);
        if let Some(status) = codes(error).find_map(status) {
            let refusal = Refusal::new(status);
            return Sign::Refusal(retry_after(error).map_or(refusal, |after| refusal.with_retry_after(after)));
        }
    }
    // `error` is the event's own type, and what an unknown form says is the caller's to read.
    let is_coded = |error: &Value| match error {
        Value::Null => false,
        Value::Object(_) => codes(error).any(|code| code != "error"),
        _ => true,
    };
    if { errors }.any(is_coded) { Sign::Answer } else { Sign::Failure }
}

fn codes(error: &Value) -> impl Iterator<Item = String> {
    CODES.iter().filter_map(|name| text(&error[name]))
}

/// When to come back; what is no time says nothing.
fn retry_after(error: &Value) -> Option<Duration> {
    let number = |name: &str| text(&error[name])?.parse::<f64>().ok();
    let seconds = number("retry_after_ms").map(|millis| millis / 1_000.0).or_else(|| number("retry_after"))?;
    // Beyond all times is as far away as can be told.
    Duration::try_from_secs_f64(seconds).ok().or_else(|| (seconds > 0.0).then_some(Duration::MAX))
}

/// Text, or a number as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a choice of a chunk says no more than whose turn it is.
fn says_nothing(choice: &Value) -> bool {
    let Value::Object(delta) = &choice["delta"] else { return false };
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    };
    choice["finish_reason"].is_null() && delta.iter().all(|(name, value)| name == "role" || is_empty(value))
}
