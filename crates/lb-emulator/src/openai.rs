//! What a model answers, as JSON and as events.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use lb_limits::Usage;
use serde_json::{Value, json};

use crate::{config::Config, filter, problem::Problem, prompt::Prompt};

/// Length of the vectors that the embeddings operation returns.
const EMBEDDING_LENGTH: usize = 8;

/// A served answer's identity.
#[derive(Debug)]
pub(crate) struct Completion<'a> {
    id: String,
    /// The emulator's name: the first word of every answer.
    name: &'a str,
    pub(crate) model: &'a str,
    pub(crate) usage: Usage,
    /// Whether `max_tokens` ended it.
    pub(crate) is_cut: bool,
    /// Whether the content filter annotates it.
    is_filtered: bool,
}

impl<'a> Completion<'a> {
    /// What the emulator answers.
    pub(crate) fn new(config: &'a Config, id: String, model: &'a str, prompt: &Prompt) -> Self {
        let tokens = config.completion_tokens;
        Self {
            id,
            name: &config.name,
            model,
            usage: prompt.usage(tokens),
            is_cut: prompt.cuts(tokens),
            is_filtered: config.content_filter,
        }
    }

    /// The words of the answer, one per token.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        let mut next = self.name.to_owned();
        (0..self.usage.output_tokens)
            .map(move |number| std::mem::replace(&mut next, format!(" word{}", number.saturating_add(1))))
    }

    fn finish_reason(&self) -> &'static str {
        if self.is_cut { "length" } else { "stop" }
    }

    fn usage_json(&self) -> Value {
        let (input, output) = (self.usage.input_tokens, self.usage.output_tokens);
        json!({
            "prompt_tokens": input,
            "completion_tokens": output,
            "total_tokens": input.saturating_add(output),
        })
    }

    fn object(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": object,
            "created": unix_seconds(),
            "model": self.model,
            "system_fingerprint": format!("fp_{}", self.name),
            "choices": choices,
        })
    }

    pub(crate) fn chat(&self) -> Value {
        let mut answer = self.object(
            "chat.completion",
            json!([{
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": self.words().collect::<String>(),
                    "refusal": null,
                },
                "logprobs": null,
                "finish_reason": self.finish_reason(),
            }]),
        );
        answer["usage"] = self.usage_json();
        if self.is_filtered {
            answer["choices"][0]["content_filter_results"] = filter::results();
            answer["prompt_filter_results"] = filter::prompt_results();
        }
        answer
    }

    /// The events of a stream: the filter's if it is on, one per token, the finish reason, the usage if asked for, `[DONE]`.
    pub(crate) fn events(&self, prompt: &Prompt) -> Vec<Bytes> {
        let chunk = |delta: Value, finish: Value| {
            let mut choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
            if self.is_filtered {
                let said = choice["delta"]["content"].is_string();
                choice["content_filter_results"] = if said { filter::results() } else { json!({}) };
            }
            self.object("chat.completion.chunk", json!([choice]))
        };
        let words = self.words().enumerate().map(|(index, word)| match index {
            0 => json!({ "role": "assistant", "content": word }),
            _ => json!({ "content": word }),
        });
        let mut events = Vec::new();
        if self.is_filtered {
            events.push(event(&filter_chunk().to_string()));
        }
        events.extend(words.map(|delta| event(&chunk(delta, Value::Null).to_string())));
        events.push(event(&chunk(json!({}), self.finish_reason().into()).to_string()));
        if prompt.include_usage {
            let mut last = self.object("chat.completion.chunk", json!([]));
            last["usage"] = self.usage_json();
            events.push(event(&last.to_string()));
        }
        events.push(event("[DONE]"));
        events
    }

    pub(crate) fn embeddings(&self, prompt: &Prompt) -> Value {
        let numbers = [0.125_f32; EMBEDDING_LENGTH];
        let vector = if prompt.base64 {
            let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
            STANDARD.encode(bytes).into()
        } else {
            json!(numbers)
        };
        let data: Vec<Value> = (0..prompt.inputs)
            .map(|index| json!({ "object": "embedding", "index": index, "embedding": vector }))
            .collect();
        let tokens = self.usage.input_tokens;
        json!({
            "object": "list",
            "data": data,
            "model": self.model,
            "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        })
    }
}

/// The first chunk of Azure's streams: about the prompt, before there is an answer that could have an id.
fn filter_chunk() -> Value {
    json!({
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": filter::prompt_results(),
    })
}

/// The events of a stream that refuses its request when the head has promised an answer already, behind what comes first
/// in every stream of Azure's.
pub(crate) fn refused(problem: &Problem) -> Vec<Bytes> {
    vec![event(&filter_chunk().to_string()), event(&problem.body.to_string()), event("[DONE]")]
}

/// A server-sent event with this data.
pub(crate) fn event(data: &str) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// The same with a name.
pub(crate) fn named_event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
