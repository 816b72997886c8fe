//! Calls that LiteLLM logged: its standard logging payload, or rows of its spend logs, as JSON lines.
//!
//! Source, read on 2026-11-26: <https://docs.litellm.ai/docs/proxy/logging_spec>. Of a payload are read `startTime`
//! (seconds since 1970, or a date in spend logs), `prompt_tokens`, `completion_tokens`, `model`, `status`, `cache_hit` and
//! `model_parameters.max_tokens`; of `metadata.usage_object`, where it is there, the cached tokens.

use std::{collections::BTreeSet, io::Read, num::NonZeroU32};

use lb_limits::SECOND;
use serde::Deserialize;
use serde_json::Value;

use super::{Row, Trace, json_lines, table::excerpt};
use crate::time;

/// A line of the file.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "startTime")]
    start_time: Value,
    prompt_tokens: u32,
    completion_tokens: u32,
    model: Option<String>,
    status: Option<String>,
    /// A word in spend logs, where "None" is one of them.
    cache_hit: Option<Value>,
    #[serde(default)]
    model_parameters: Option<Value>,
    #[serde(default)]
    metadata: Option<Value>,
}

/// The calls in the lines of a file of this name; dates without a zone are `ahead` of UTC.
pub(super) fn trace(name: &str, from: impl Read, ahead: i64) -> Result<Trace, String> {
    let (mut rows, mut failed, mut answered) = (Vec::new(), 0_u64, 0_u64);
    let mut models = BTreeSet::new();
    json_lines::each(name, from, |place, call: Payload| {
        if call.status.as_deref() == Some("failure") {
            failed += 1;
            return Ok(());
        }
        if call.is_from_its_cache() {
            answered += 1;
            return Ok(());
        }
        let row = Row {
            at: call.start(place, ahead)?,
            input: call.prompt_tokens,
            output: call.completion_tokens,
            cached: call.cached().unwrap_or(0),
            max_tokens: call.max_tokens(),
        };
        models.extend(call.model);
        rows.push(row);
        Ok(())
    })?;
    let mut trace = Trace::new(rows);
    if failed > 0 {
        trace = trace.with_note(format!("{failed} calls failed when they were recorded; they are left out"));
    }
    if answered > 0 {
        trace = trace.with_note(format!("{answered} calls were answered by LiteLLM's cache; they are left out"));
    }
    Ok(super::formats::with_models(trace, &models))
}

impl Payload {
    fn start(&self, place: &str, ahead: i64) -> Result<u64, String> {
        let text = match &self.start_time {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        time::nanos(&text, SECOND, ahead)
            .ok_or_else(|| format!("{place}, startTime: `{}` is not a time", excerpt(&text)))
    }

    fn is_from_its_cache(&self) -> bool {
        match &self.cache_hit {
            Some(Value::Bool(hit)) => *hit,
            Some(Value::String(hit)) => hit.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    fn cached(&self) -> Option<u32> {
        let cached = self.metadata.as_ref()?.pointer("/usage_object/prompt_tokens_details/cached_tokens")?;
        u32::try_from(cached.as_u64()?).ok()
    }

    fn max_tokens(&self) -> Option<NonZeroU32> {
        let given = self.model_parameters.as_ref()?;
        let said = ["max_tokens", "max_completion_tokens"].iter().find_map(|key| given.get(key)?.as_u64())?;
        NonZeroU32::new(u32::try_from(said).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_and_spend_logs_are_requests_but_for_failures_and_cached_answers() {
        let file = r#"{"id":"1","startTime":1700158624.25,"endTime":1700158626.0,"prompt_tokens":2000,"completion_tokens":90,"model":"gpt-4.1","status":"success","cache_hit":null,"model_parameters":{"max_tokens":400,"stream":true},"metadata":{"usage_object":{"prompt_tokens_details":{"cached_tokens":1024}}}}

{"startTime":"2023-11-16T18:17:03.750Z","prompt_tokens":7,"completion_tokens":3,"model":"gpt-4.1-mini","cache_hit":"None","metadata":{}}
{"startTime":1700158624.0,"prompt_tokens":0,"completion_tokens":0,"status":"failure"}
{"startTime":1700158624.0,"prompt_tokens":9,"completion_tokens":9,"cache_hit":true}
"#;
        let trace = trace("t.jsonl", file.as_bytes(), 0).unwrap();
        let told = Row { at: 500_000_000, input: 2_000, output: 90, cached: 1_024, max_tokens: NonZeroU32::new(400) };
        assert_eq!(trace.rows(), [Row { input: 7, output: 3, ..Row::default() }, told]);
        let notes = trace.notes().join("\n");
        assert!(
            notes.contains("1 calls failed") && notes.contains("1 calls were answered by LiteLLM's cache"),
            "{notes}"
        );
        assert!(notes.contains("several models (gpt-4.1, gpt-4.1-mini)"), "{notes}");
    }

    #[test]
    fn what_is_wrong_is_named_by_line() {
        let wrong = |file: &str| trace("t.jsonl", file.as_bytes(), 0).unwrap_err();
        let lacks = wrong("{\"startTime\":1,\"prompt_tokens\":5}\n");
        assert!(lacks.starts_with("t.jsonl:1, column ") && lacks.contains("completion_tokens"), "{lacks}");
        assert_eq!(
            wrong("\n{\"startTime\":\"soon\",\"prompt_tokens\":5,\"completion_tokens\":1}\n"),
            "t.jsonl:2, startTime: `soon` is not a time"
        );
        let negative = wrong("{\"startTime\":1,\"prompt_tokens\":-5,\"completion_tokens\":1}\n");
        assert!(negative.starts_with("t.jsonl:1, column ") && negative.contains("-5"), "{negative}");
        let list = wrong("[\n");
        assert!(list.starts_with("t.jsonl:1, column "), "{list}");
    }
}
