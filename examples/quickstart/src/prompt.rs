//! A prompt: the request that is sent again and again.

use serde_json::{Value, json};

/// A request's path and body; which host it goes to is the balancer's choice.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Path and query, with a leading `/`.
    pub path: String,
    /// The body: a JSON object.
    pub body: Value,
}

impl Prompt {
    /// A chat completion with one user message.
    #[must_use]
    pub fn chat(path: impl Into<String>, message: &str, max_tokens: u32) -> Self {
        let body = json!({ "messages": [{ "role": "user", "content": message }], "max_tokens": max_tokens });
        Self { path: path.into(), body }
    }

    /// The same, answered as server-sent events.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.body["stream"] = Value::Bool(true);
        self
    }

    /// A URL for it. Each attempt goes to its backend's origin, whatever the one here is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://any.host{}", self.path)
    }
}
