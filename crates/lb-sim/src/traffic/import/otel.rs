//! Spans of calls to a model, as OpenTelemetry's conventions for generative AI name their attributes.
//!
//! The file is OTLP as JSON lines, as the collector's file exporter writes it: one `TracesData` a line. Sources, read on
//! 2026-11-26: <https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/> and `docs/gen-ai/gen-ai-spans.md` of
//! <https://github.com/open-telemetry/semantic-conventions-genai> (status: development). The names of token counts
//! before version 1.27 of the conventions, `gen_ai.usage.prompt_tokens` and `gen_ai.usage.completion_tokens`, are read too.

use std::{collections::BTreeSet, io::Read, num::NonZeroU32};

use serde::Deserialize;
use serde_json::Value;

use super::{Row, Trace, json_lines, table::excerpt};

/// A line of the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TracesData {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    start_time_unix_nano: Value,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: serde_json::Map<String, Value>,
}

/// Operations that are one request to a model; an agent's or a tool's spans have such requests below them.
const CALLS: [&str; 4] = ["chat", "text_completion", "generate_content", "embeddings"];

const INPUTS: [&str; 2] = ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];
const OUTPUTS: [&str; 2] = ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"];
const CACHED: [&str; 1] = ["gen_ai.usage.cache_read.input_tokens"];
const MAX_TOKENS: [&str; 1] = ["gen_ai.request.max_tokens"];

/// The calls in the lines of a file of this name.
pub(super) fn trace(name: &str, from: impl Read) -> Result<Trace, String> {
    let (mut rows, mut others, mut untold) = (Vec::new(), 0_u64, 0_u64);
    let mut models = BTreeSet::new();
    json_lines::each(name, from, |place, line: TracesData| {
        for span in line.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans) {
            let operation = span.text("gen_ai.operation.name");
            let is_call = match operation {
                Some(operation) => CALLS.contains(&operation),
                None => span.find(&INPUTS).is_some(),
            };
            if !is_call {
                others += 1;
                continue;
            }
            let Some(input) = span.tokens(place, &INPUTS)? else {
                untold += 1;
                continue;
            };
            models.extend(span.text("gen_ai.request.model").map(str::to_owned));
            rows.push(Row {
                at: span.start(place)?,
                input,
                output: span.tokens(place, &OUTPUTS)?.unwrap_or(0),
                cached: span.tokens(place, &CACHED)?.unwrap_or(0),
                max_tokens: span.tokens(place, &MAX_TOKENS)?.and_then(NonZeroU32::new),
            });
        }
        Ok(())
    })?;
    let mut trace = Trace::new(rows);
    if others > 0 {
        trace = trace.with_note(format!("{others} spans are no calls of a model; they are left out"));
    }
    if untold > 0 {
        trace = trace.with_note(format!("{untold} calls have no `{}`, as failed ones; they are left out", INPUTS[0]));
    }
    Ok(super::formats::with_models(trace, &models))
}

impl Span {
    fn find(&self, keys: &[&str]) -> Option<&Attribute> {
        keys.iter().find_map(|key| self.attributes.iter().find(|attribute| attribute.key == *key))
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.find(&[key])?.value.get("stringValue")?.as_str()
    }

    /// A count, under the first of these names that is there. JSON has 64-bit integers of Protobuf as strings; numbers are
    /// taken as well.
    fn tokens(&self, place: &str, keys: &[&str]) -> Result<Option<u32>, String> {
        let Some(attribute) = self.find(keys) else { return Ok(None) };
        let count = attribute.value.get("intValue").and_then(integer).and_then(|count| u32::try_from(count).ok());
        let wrong = || {
            let value = attribute.value.values().next().map(plain).unwrap_or_default();
            format!("{place}, {}: `{}` is no `intValue` of tokens", attribute.key, excerpt(&value))
        };
        count.map(Some).ok_or_else(wrong)
    }

    fn start(&self, place: &str) -> Result<u64, String> {
        let value = &self.start_time_unix_nano;
        integer(value).filter(|at| *at > 0).ok_or_else(|| {
            format!("{place}, startTimeUnixNano: `{}` is no nanoseconds since 1970", excerpt(&plain(value)))
        })
    }
}

/// A value as it stands in the file, a text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(spans: &str) -> String {
        format!(
            "{{\"resourceSpans\":[{{\"resource\":{{}},\"scopeSpans\":[{{\"scope\":{{}},\"spans\":[{spans}]}}]}}]}}\n"
        )
    }

    fn span(start: &str, attributes: &str) -> String {
        format!(
            "{{\"name\":\"chat\",\"startTimeUnixNano\":{start},\"endTimeUnixNano\":\"9\",\"attributes\":[{attributes}]}}"
        )
    }

    fn int(key: &str, value: &str) -> String {
        format!("{{\"key\":\"{key}\",\"value\":{{\"intValue\":{value}}}}}")
    }

    fn text(key: &str, value: &str) -> String {
        format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}")
    }

    #[test]
    fn calls_of_a_model_are_requests_and_spans_around_them_are_not() {
        let called = [
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", "gpt-4.1"),
            int("gen_ai.usage.input_tokens", "\"2000\""),
            int("gen_ai.usage.cache_read.input_tokens", "1024"),
            int("gen_ai.usage.output_tokens", "\"90\""),
            int("gen_ai.request.max_tokens", "400"),
        ];
        let agent = [text("gen_ai.operation.name", "invoke_agent"), int("gen_ai.usage.input_tokens", "\"2000\"")];
        let older = [int("gen_ai.usage.prompt_tokens", "7"), int("gen_ai.usage.completion_tokens", "3")];
        let failed = [text("gen_ai.operation.name", "chat"), text("error.type", "429")];
        // Spans are written when they end: not in the order of their starts.
        let first = [
            span("\"1700158625000000000\"", &called.join(",")),
            span("\"1700158623000000000\"", &agent.join(",")),
            span("\"1700158623000000001\"", &failed.join(",")),
            span("\"1700158623000000002\"", "{\"key\":\"http.route\"}"),
        ];
        let file = line(&first.join(",")) + "\n" + &line(&span("1700158624500000000", &older.join(",")));
        let trace = trace("t.jsonl", file.as_bytes()).unwrap();
        let called = Row { at: 500_000_000, input: 2_000, output: 90, cached: 1_024, max_tokens: NonZeroU32::new(400) };
        assert_eq!(trace.rows(), [Row { input: 7, output: 3, ..Row::default() }, called]);
        let notes = trace.notes().join("\n");
        assert!(
            notes.contains("2 spans are no calls") && notes.contains("1 calls have no `gen_ai.usage.input"),
            "{notes}"
        );
        assert!(!notes.contains("models"), "{notes}");
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_attribute() {
        let wrong = |file: String| trace("t.jsonl", file.as_bytes()).unwrap_err();
        let tokens = int("gen_ai.usage.input_tokens", "\"many\"");
        assert_eq!(
            wrong("\n".to_owned() + &line(&span("\"5\"", &tokens))),
            "t.jsonl:2, gen_ai.usage.input_tokens: `many` is no `intValue` of tokens"
        );
        let tokens = int("gen_ai.usage.input_tokens", "5");
        assert_eq!(
            wrong(line(&span("\"soon\"", &tokens))),
            "t.jsonl:1, startTimeUnixNano: `soon` is no nanoseconds since 1970"
        );
        let metrics = wrong("{\"resourceMetrics\":[]}\n".to_owned());
        assert!(metrics.starts_with("t.jsonl:1, column ") && metrics.contains("resourceSpans"), "{metrics}");
        assert!(wrong("[]\n{".to_owned()).starts_with("t.jsonl:1, column "));
    }
}
