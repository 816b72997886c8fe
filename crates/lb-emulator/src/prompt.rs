//! What a request asks a model for, and what that costs.

use lb_limits::{CHARS_PER_TOKEN, Demand, STANDARD_MAX_TOKENS, Usage};
use serde_json::Value;

use crate::{
    fields::{Fields, unknown_value, wrong_type},
    problem::Problem,
};

/// The least `max_output_tokens` that the live service takes (vectorize-io/hindsight#58).
const LEAST_OUTPUT_TOKENS: u64 = 16;

/// What a model is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Embeddings,
    Responses,
}

impl Operation {
    /// As the service's refusals call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "ChatCompletions_Create",
            Self::Embeddings => "Embeddings_Create",
            Self::Responses => "Responses_Create",
        }
    }
}

/// What the emulator needs of a request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) operation: Operation,
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) inputs: usize,
    /// Whether vectors are wanted as base64 and not as numbers.
    pub(crate) base64: bool,
    /// The response that this goes on from.
    pub(crate) previous: Option<String>,
    /// Whether the answer is to be kept.
    pub(crate) store: bool,
    pub(crate) chars: u64,
    max_tokens: Option<u64>,
    best_of: u64,
}

impl Prompt {
    /// Reads the parameters, or says what is wrong with them.
    pub(crate) fn read(operation: Operation, fields: &Fields) -> Result<Self, Problem> {
        let prompt = Self {
            operation,
            model: fields.text("model")?.map(str::to_owned),
            stream: false,
            include_usage: false,
            inputs: 1,
            base64: false,
            previous: None,
            store: false,
            chars: 0,
            max_tokens: None,
            best_of: 1,
        };
        match operation {
            Operation::Chat => prompt.chat(fields),
            Operation::Embeddings => prompt.embeddings(fields),
            Operation::Responses => prompt.responses(fields),
        }
    }

    fn chat(self, fields: &Fields) -> Result<Self, Problem> {
        let contents = fields.list("messages")?.iter().filter_map(|message| message.get("content"));
        let max_tokens = fields.integer("max_tokens", 1)?;
        sampling(fields)?;
        for name in ["presence_penalty", "frequency_penalty"] {
            fields.decimal(name, -2.0, 2.0)?;
        }
        let usage = fields.get("stream_options").and_then(|options| options.get("include_usage"));
        Ok(Self {
            stream: fields.flag("stream")?,
            include_usage: usage.and_then(Value::as_bool).unwrap_or(false),
            chars: contents.map(chars).sum(),
            max_tokens: fields.integer("max_completion_tokens", 1)?.or(max_tokens),
            best_of: fields.integer("best_of", 1)?.unwrap_or(1),
            ..self
        })
    }

    fn embeddings(self, fields: &Fields) -> Result<Self, Problem> {
        let input = fields.required("input")?;
        let inputs = match input {
            Value::String(_) => 1,
            // An array of numbers is one input, given as tokens.
            Value::Array(inputs) if inputs.iter().all(Value::is_u64) => 1,
            Value::Array(inputs) => inputs.len(),
            other => return Err(wrong_type("input", "a string or an array", other)),
        };
        if input.is_array() {
            fields.list("input")?;
        }
        let base64 = match fields.text("encoding_format")? {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => return Err(unknown_value("encoding_format", other, "'float' and 'base64'")),
        };
        Ok(Self { chars: chars(input), inputs, base64, ..self })
    }

    fn responses(self, fields: &Fields) -> Result<Self, Problem> {
        let input = fields.required("input")?;
        match input {
            Value::String(_) => {}
            Value::Array(_) => drop(fields.list("input")?),
            other => return Err(wrong_type("input", "a string or an array", other)),
        }
        sampling(fields)?;
        let instructions = fields.text("instructions")?.unwrap_or_default();
        Ok(Self {
            stream: fields.flag("stream")?,
            previous: fields.text("previous_response_id")?.map(str::to_owned),
            store: fields.get("store").is_none() || fields.flag("store")?,
            chars: chars(input).saturating_add(length(instructions)),
            max_tokens: fields.integer("max_output_tokens", LEAST_OUTPUT_TOKENS)?,
            ..self
        })
    }

    pub(crate) fn demand(&self) -> Demand {
        let reserved = match self.operation {
            Operation::Chat | Operation::Responses => self.max_tokens.unwrap_or(STANDARD_MAX_TOKENS),
            Operation::Embeddings => 0,
        };
        let demand = Demand::standard(self.chars, reserved, self.best_of);
        match self.operation {
            // A PTU bucket has its own default.
            Operation::Chat | Operation::Responses => Demand { max_tokens: self.max_tokens, ..demand },
            Operation::Embeddings => demand,
        }
    }

    /// Whether `completion_tokens` tokens are more than the request allows.
    pub(crate) fn cuts(&self, completion_tokens: u64) -> bool {
        self.max_tokens.is_some_and(|max| completion_tokens > max)
    }

    /// What the answer costs if the model would say `completion_tokens` tokens.
    pub(crate) fn usage(&self, completion_tokens: u64) -> Usage {
        Usage {
            input_tokens: Demand::standard(self.chars, 0, 1).input_tokens,
            cached_tokens: 0,
            output_tokens: match self.operation {
                Operation::Chat | Operation::Responses => completion_tokens.min(self.max_tokens.unwrap_or(u64::MAX)),
                Operation::Embeddings => 0,
            },
        }
    }
}

/// The parameters of sampling: checked, and without effect.
fn sampling(fields: &Fields) -> Result<(), Problem> {
    fields.decimal("temperature", 0.0, 2.0)?;
    fields.decimal("top_p", 0.0, 1.0)
}

fn length(text: &str) -> u64 {
    text.chars().count().try_into().unwrap_or(u64::MAX)
}

/// Characters of a text, or of the text parts of a content array; a token given as a number counts as the
/// characters it stands for.
fn chars(content: &Value) -> u64 {
    match content {
        Value::String(text) => length(text),
        Value::Array(parts) => parts.iter().map(chars).sum(),
        Value::Object(part) => part.get("text").or_else(|| part.get("content")).map_or(0, chars),
        Value::Number(_) => CHARS_PER_TOKEN,
        Value::Null | Value::Bool(_) => 0,
    }
}
