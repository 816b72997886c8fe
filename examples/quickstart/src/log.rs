//! A request log: one line per attempt at one backend, as `lb-sim calibrate` and `lb-sim run --against` read it.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lb_core::{Event, Observer, Outcome};
use serde_json::Value;

use crate::Answer;

/// Writes a line for every attempt: for refused and failed ones from the pool's events, for answered ones from what the
/// application tells it, since tokens are in the answer's body. Clones write to the same place.
///
/// ```
/// use std::time::SystemTime;
/// use lb_quickstart::{Answer, RequestLog, Usage};
///
/// let log = RequestLog::new(std::io::sink())?;
/// let body = r#"{"usage": {"prompt_tokens": 20, "completion_tokens": 5}}"#;
/// log.answered(SystemTime::now(), &Answer::Served("ptu".to_owned()), Some(16), Usage::in_body(body));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct RequestLog {
    out: Arc<Mutex<dyn Write + Send>>,
}

/// The tokens that an answer says it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt: u64,
    /// Tokens of the prompt that came from the cache.
    pub cached: u64,
    /// Tokens of the completion.
    pub completion: u64,
}

impl Usage {
    /// The usage in a body, or in the data of an event of a stream that was asked for with
    /// `"stream_options": {"include_usage": true}`.
    #[must_use]
    pub fn in_body(body: impl AsRef<[u8]>) -> Option<Self> {
        let body: Value = serde_json::from_slice(body.as_ref()).ok()?;
        let usage = body.get("usage")?;
        Some(Self {
            prompt: usage.get("prompt_tokens")?.as_u64()?,
            cached: usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_u64).unwrap_or(0),
            completion: usage.get("completion_tokens")?.as_u64()?,
        })
    }
}

impl RequestLog {
    /// A log that is written to `out`, with its header line.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn new(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        writeln!(out, "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms,backend")?;
        Ok(Self { out: Arc::new(Mutex::new(out)) })
    }

    /// An answer that was served, from its sending to the end of its body, which is now.
    pub fn answered(&self, start: SystemTime, answer: &Answer, max_tokens: Option<u64>, usage: Option<Usage>) {
        let Answer::Served(backend) = answer else { return };
        let text = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        let [prompt, cached, completion] =
            [usage.map(|usage| usage.prompt), usage.map(|usage| usage.cached), usage.map(|usage| usage.completion)]
                .map(text);
        let (start, end, max_tokens) = (seconds(start), seconds(SystemTime::now()), text(max_tokens));
        self.line(format_args!("{start},{end},{prompt},{cached},{max_tokens},{completion},200,,{}", quoted(backend)));
    }

    /// A backend that did not serve: a refusal comes at once, so that its sending is now.
    pub fn refused(&self, backend: &str, status: u16, hint: Option<Duration>) {
        let now = seconds(SystemTime::now());
        let hint = hint.map(|hint| hint.as_millis().to_string()).unwrap_or_default();
        self.line(format_args!("{now},{now},,,,,{status},{hint},{}", quoted(backend)));
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        // A full disk is no reason to fail requests.
        let _ = writeln!(self.out.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
    }
}

impl Observer for RequestLog {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Settled { backend, outcome: Outcome::Answered { status: status @ 300.., hint }, .. } => {
                self.refused(backend.name(), *status, hint.map(|hint| hint.delay()));
            }
            Event::Settled { backend, outcome: Outcome::Faulted(_), .. } => self.refused(backend.name(), 0, None),
            // A 2xx is written when its body has ended.
            _ => {}
        }
    }
}

impl fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLog").finish_non_exhaustive()
    }
}

/// A name as a value of a CSV, whatever it contains.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Seconds since 1970, to the microsecond.
fn seconds(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}
