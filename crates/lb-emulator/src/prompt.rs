//! What a request asks a model for, and what that costs.

use lb_limits::{CHARS_PER_TOKEN, Demand, STANDARD_MAX_TOKENS, Usage};
use serde_json::Value;

/// What a model is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Embeddings,
}

impl Operation {
    /// As the service's refusals call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "ChatCompletions_Create",
            Self::Embeddings => "Embeddings_Create",
        }
    }
}

/// What the emulator needs of a request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    chars: u64,
    pub(crate) inputs: usize,
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
