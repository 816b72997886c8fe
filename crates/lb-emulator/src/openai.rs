//! The JSON of the API: requests read, answers and errors written.
//!
//! Error texts are those of the live service, as quoted in Microsoft Learn and in public issues.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lb_limits::{CHARS_PER_TOKEN, Demand, STANDARD_MAX_TOKENS, Unit, Usage};
use serde_json::{Value, json};

/// Length of the vectors that the embeddings operation returns.
const EMBEDDING_LENGTH: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Embeddings,
}

/// What the emulator needs of a request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    include_usage: bool,
    chars: u64,
    inputs: usize,
    max_tokens: Option<u64>,
    best_of: u64,
}

impl Prompt {
    /// Reads the body, or says what is wrong with it.
    pub(crate) fn parse(operation: Operation, body: &[u8]) -> Result<Self, &'static str> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "The request body is not valid JSON.")?;
        let chat = operation == Operation::Chat;
        let (chars, inputs) = match (chat, body.get("messages"), body.get("input")) {
            (true, Some(Value::Array(messages)), _) if !messages.is_empty() => {
                let contents = messages.iter().filter_map(|message| message.get("content"));
                (contents.map(chars).sum(), 1)
            }
            (true, ..) => return Err("'messages' must be a non-empty array."),
            (false, _, Some(Value::Array(inputs))) => {
                // An array of numbers is one input, given as tokens.
                let tokens = inputs.iter().all(Value::is_u64);
                let count = if tokens { 1 } else { inputs.len() };
                (inputs.iter().map(chars).sum(), count)
            }
            (false, _, Some(input @ Value::String(_))) => (chars(input), 1),
            (false, ..) => return Err("'input' must be a string or an array."),
        };
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
        let options = body.get("stream_options");
        Ok(Self {
            model: body.get("model").and_then(Value::as_str).map(str::to_owned),
            stream: chat && flag(body.get("stream")),
            include_usage: flag(options.and_then(|options| options.get("include_usage"))),
            chars,
            inputs,
            max_tokens: number("max_completion_tokens").or_else(|| number("max_tokens")),
            best_of: number("best_of").unwrap_or(1),
        })
    }

    pub(crate) fn demand(&self, operation: Operation) -> Demand {
        let reserved = match operation {
            Operation::Chat => self.max_tokens.unwrap_or(STANDARD_MAX_TOKENS),
            Operation::Embeddings => 0,
        };
        let demand = Demand::standard(self.chars, reserved, self.best_of);
        match operation {
            // A PTU bucket has its own default.
            Operation::Chat => Demand { max_tokens: self.max_tokens, ..demand },
            Operation::Embeddings => demand,
        }
    }

    /// What the answer costs if the model would say `completion_tokens` tokens.
    pub(crate) fn usage(&self, operation: Operation, completion_tokens: u64) -> Usage {
        Usage {
            input_tokens: Demand::standard(self.chars, 0, 1).input_tokens,
            cached_tokens: 0,
            output_tokens: match operation {
                Operation::Chat => completion_tokens.min(self.max_tokens.unwrap_or(u64::MAX)),
                Operation::Embeddings => 0,
            },
        }
    }
}

/// Characters of a text, or of the text parts of a content array; a token given as a number counts as the
/// characters it stands for.
fn chars(content: &Value) -> u64 {
    match content {
        Value::String(text) => text.chars().count().try_into().unwrap_or(u64::MAX),
        Value::Array(parts) => parts.iter().map(chars).sum(),
        Value::Object(part) => part.get("text").map_or(0, chars),
        Value::Number(_) => CHARS_PER_TOKEN,
        Value::Null | Value::Bool(_) => 0,
    }
}

/// A served answer's identity.
#[derive(Debug)]
pub(crate) struct Completion<'a> {
    pub(crate) id: String,
    /// The emulator's name: the first word of every answer.
    pub(crate) name: &'a str,
    pub(crate) model: &'a str,
    pub(crate) usage: Usage,
}

impl Completion<'_> {
    /// The words of the answer, one per token.
    fn words(&self) -> impl Iterator<Item = String> {
        let mut next = self.name.to_owned();
        (0..self.usage.output_tokens)
            .map(move |number| std::mem::replace(&mut next, format!(" word{}", number.saturating_add(1))))
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
                "finish_reason": "stop",
            }]),
        );
        answer["usage"] = self.usage_json();
        answer
    }

    /// The events of a stream: one per token, the finish reason, the usage if asked for, `[DONE]`.
    pub(crate) fn events(&self, prompt: &Prompt) -> Vec<Bytes> {
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
            self.object("chat.completion.chunk", json!([choice]))
        };
        let mut events: Vec<Bytes> = self
            .words()
            .enumerate()
            .map(|(index, word)| match index {
                0 => json!({ "role": "assistant", "content": word }),
                _ => json!({ "content": word }),
            })
            .map(|delta| event(&chunk(delta, Value::Null).to_string()))
            .collect();
        events.push(event(&chunk(json!({}), "stop".into()).to_string()));
        if prompt.include_usage {
            let mut last = self.object("chat.completion.chunk", json!([]));
            last["usage"] = self.usage_json();
            events.push(event(&last.to_string()));
        }
        events.push(event("[DONE]"));
        events
    }

    pub(crate) fn embeddings(&self, prompt: &Prompt) -> Value {
        let vector = [0.125; EMBEDDING_LENGTH];
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

/// A server-sent event with this data.
pub(crate) fn event(data: &str) -> Bytes {
    format!("data: {data}\n\n").into()
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

pub(crate) fn access_denied() -> Value {
    error(
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide \
         a valid key for an active subscription and use a correct regional API endpoint for your \
         resource.",
    )
}

pub(crate) fn deployment_not_found() -> Value {
    error(
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within \
         the last 5 minutes, please wait a moment and try again.",
    )
}

pub(crate) fn resource_not_found() -> Value {
    error("404", "Resource not found")
}

pub(crate) fn method_not_allowed() -> Value {
    error("405", "The method is not allowed here; use POST.")
}

pub(crate) fn too_large() -> Value {
    error("413", "The request body is larger than the emulator reads.")
}

pub(crate) fn invalid_script(reason: &str) -> Value {
    error("500", &format!("The scripted reply is not valid: {reason}."))
}

pub(crate) fn invalid_request(message: &str) -> Value {
    json!({ "error": {
        "message": message,
        "type": "invalid_request_error",
        "param": null,
        "code": null,
    } })
}

/// The body of a 429; `seconds` as in the hint, rounded up.
pub(crate) fn throttled(operation: Operation, unit: Unit, seconds: u64) -> Value {
    let operation = match operation {
        Operation::Chat => "ChatCompletions_Create",
        Operation::Embeddings => "Embeddings_Create",
    };
    let limit = match unit {
        Unit::Requests => "call",
        Unit::Tokens => "token",
    };
    error(
        "429",
        &format!(
            "Requests to the {operation} Operation under Azure OpenAI API have exceeded {limit} \
             rate limit of your current OpenAI S0 pricing tier. Please retry after {seconds} \
             seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further \
             increase the default rate limit."
        ),
    )
}
