//! The Responses API: answers that are kept, and that the next request may go on from.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::{
    fields::Fields,
    openai::{Completion, named_event, unix_seconds},
    problem::Problem,
    store::{Response, Store},
};

/// What a request for one response gets, as JSON.
pub(crate) fn answer(store: &Store, method: &Method, id: &str) -> Result<Bytes, Problem> {
    let body = store.with(|shelves| match *method {
        Method::DELETE => {
            let deleted = || Bytes::from(json!({ "id": id, "object": "response", "deleted": true }).to_string());
            shelves.responses.remove(id).then(deleted)
        }
        _ => shelves.responses.get(id).map(|kept| kept.body.clone()),
    });
    body.ok_or_else(|| Problem::not_found(&format!("Response with id '{id}' not found.")))
}

/// Characters of the conversation that ends with the response `id`.
pub(crate) fn conversation(store: &Store, id: &str) -> Result<u64, Problem> {
    store.with(|shelves| shelves.responses.get(id).map(|kept| kept.chars)).ok_or_else(|| {
        let message = format!("Previous response with id '{id}' not found.");
        Problem::invalid(&message, Some("previous_response_id"), Some("previous_response_not_found"))
    })
}

/// Keeps a response whose conversation has so many characters before its own text.
pub(crate) fn keep(store: &Store, response: &Value, chars: u64) {
    let (Some(id), text) = (response["id"].as_str(), text(response)) else { return };
    let answered = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let body = Bytes::from(response.to_string());
    let (bytes, kept) = (body.len(), Response { body, chars: chars.saturating_add(answered) });
    store.with(|shelves| shelves.responses.insert(id.to_owned(), bytes, kept));
}

fn text(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap_or_default()
}

/// A finished response, as its creation and each later request for it give it.
pub(crate) fn response(completion: &Completion<'_>, fields: &Fields, ids: [String; 2]) -> Value {
    let [id, message] = ids;
    let status = if completion.is_cut { "incomplete" } else { "completed" };
    let details = if completion.is_cut { json!({ "reason": "max_output_tokens" }) } else { Value::Null };
    let echo = |name: &str, default: Value| fields.get(name).cloned().unwrap_or(default);
    let text: String = completion.words().collect();
    let (input, output) = (completion.usage.input_tokens, completion.usage.output_tokens);
    json!({
        "id": id,
        "object": "response",
        "created_at": unix_seconds(),
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": details,
        "instructions": echo("instructions", Value::Null),
        "max_output_tokens": echo("max_output_tokens", Value::Null),
        "metadata": echo("metadata", json!({})),
        "model": completion.model,
        "output": [{
            "id": message,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }],
        }],
        "parallel_tool_calls": echo("parallel_tool_calls", true.into()),
        "previous_response_id": echo("previous_response_id", Value::Null),
        "reasoning": { "effort": null, "summary": null },
        "store": echo("store", true.into()),
        "temperature": echo("temperature", 1.0.into()),
        "text": echo("text", json!({ "format": { "type": "text" } })),
        "tool_choice": echo("tool_choice", "auto".into()),
        "tools": echo("tools", json!([])),
        "top_p": echo("top_p", 1.0.into()),
        "truncation": echo("truncation", "disabled".into()),
        "usage": {
            "input_tokens": input,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": output,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": input.saturating_add(output),
        },
        "user": echo("user", Value::Null),
    })
}

/// The events of a stream that ends with this response: its frame, one delta per word, and what has become whole.
pub(crate) fn events(response: &Value, words: impl Iterator<Item = String>) -> Vec<Bytes> {
    let mut begun = response.clone();
    begun["status"] = "in_progress".into();
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    begun["incomplete_details"] = Value::Null;
    let item = &response["output"][0];
    let part = &item["content"][0];
    let mut empty_item = item.clone();
    empty_item["status"] = "in_progress".into();
    empty_item["content"] = json!([]);
    let mut empty_part = part.clone();
    empty_part["text"] = "".into();
    let at = json!({ "item_id": item["id"], "output_index": 0, "content_index": 0 });
    let ended = if response["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };

    let mut stream = Stream::default();
    stream.push("response.created", json!({ "response": begun }));
    stream.push("response.in_progress", json!({ "response": begun }));
    stream.push("response.output_item.added", json!({ "output_index": 0, "item": empty_item }));
    stream.push("response.content_part.added", with(&at, "part", &empty_part));
    for word in words {
        stream.push("response.output_text.delta", with(&at, "delta", &word.into()));
    }
    stream.push("response.output_text.done", with(&at, "text", &part["text"]));
    stream.push("response.content_part.done", with(&at, "part", part));
    stream.push("response.output_item.done", json!({ "output_index": 0, "item": item }));
    stream.push(ended, json!({ "response": response }));
    stream.0
}

/// The events of a stream that refuses its request when the head has promised an answer already.
pub(crate) fn refused(id: &str, message: &str) -> Vec<Bytes> {
    let response = json!({
        "id": id,
        "object": "response",
        "created_at": unix_seconds(),
        "status": "failed",
        // The service leaves it open here, and tells it in the next event.
        "error": null,
        "incomplete_details": null,
        "output": [],
        "usage": null,
    });
    let error = json!({
        "code": "rate_limit_exceeded",
        "type": "too_many_requests",
        "message": message,
        "param": null,
        "headers": { "x-ms-fe-error": "true" },
    });
    let mut stream = Stream::default();
    stream.push("response.failed", json!({ "response": response }));
    stream.push("error", json!({ "error": error }));
    stream.0
}

fn with(at: &Value, name: &str, value: &Value) -> Value {
    let mut event = at.clone();
    event[name] = value.clone();
    event
}

/// Events with their names and rising numbers.
#[derive(Default)]
struct Stream(Vec<Bytes>);

impl Stream {
    fn push(&mut self, name: &str, mut event: Value) {
        event["type"] = name.into();
        event["sequence_number"] = self.0.len().into();
        self.0.push(named_event(name, &event.to_string()));
    }
}
