//! A workload: the same request, many times, a few at a time.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{Answer, Prompt, RequestLog, Usage};

/// What one approach has to send.
#[derive(Debug, Clone)]
pub struct Workload {
    /// How many requests.
    pub requests: usize,
    /// How many of them at a time.
    pub concurrency: usize,
    /// What each of them says.
    pub prompt: Prompt,
    /// Whether the backends are on this machine, where no proxy reaches them.
    pub is_local: bool,
    /// Where answers are logged.
    pub log: Option<RequestLog>,
}

impl Workload {
    /// How long a connection may take; after that the request fails over.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// How long a request may take, so that a run is bounded.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// The same, with answers that stream.
    #[must_use]
    pub fn streaming(self) -> Self {
        let mut prompt = self.prompt.streaming();
        if self.log.is_some() {
            // A stream does not say its usage unless asked to.
            prompt.body["stream_options"] = json!({ "include_usage": true });
        }
        Self { prompt, ..self }
    }

    /// Logs an answer whose body has ended now, if there is a log.
    pub fn log(&self, start: SystemTime, answer: &Answer, usage: Option<Usage>) {
        if let Some(log) = &self.log {
            let max_tokens = self.prompt.body.get("max_tokens").and_then(Value::as_u64);
            log.answered(start, answer, max_tokens, usage);
        }
    }

    /// Sends all requests from one task.
    pub async fn send_from_a_task(&self, send_one: impl AsyncFn() -> Answer) -> Vec<Answer> {
        let sending = stream::iter(0..self.requests).map(|_| send_one());
        sending.buffer_unordered(self.concurrency.max(1)).collect().await
    }

    /// Sends all requests from as many threads as there may be requests at a time.
    pub fn send_from_threads(&self, send_one: impl Fn() -> Answer + Sync) -> Vec<Answer> {
        let begun = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::with_capacity(self.requests));
        thread::scope(|scope| {
            for _ in 0..self.concurrency.max(1) {
                scope.spawn(|| {
                    while begun.fetch_add(1, Ordering::Relaxed) < self.requests {
                        let answer = send_one();
                        answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                    }
                });
            }
        });
        answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
