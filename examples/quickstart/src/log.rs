//! A request log: a line per attempt at one backend and per request that none got, as `lb-sim calibrate` and
//! `lb-sim run --against` read it.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lb_core::{Ending, Event, Observer, Outcome};
use serde_json::Value;

use crate::Answer;

/// Writes a line for every attempt: for refused and failed ones from the pool's events, for answered ones from what the
/// application tells it, since tokens are in the answer's body. A request that no backend got has a line without a backend.
/// Clones write to the same place.
///
/// ```
/// use std::time::SystemTime;
/// use lb_quickstart::{Answer, RequestLog, Usage};
///
/// let log = RequestLog::new(std::io::sink())?;
/// let body = r#"{"usage": {"prompt_tokens": 20, "completion_tokens": 5}}"#;
/// let answer = Answer::Served { backend: "ptu".to_owned(), request: Some(7) };
/// log.answered(SystemTime::now(), &answer, Some(16), Usage::in_body(body));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct RequestLog {
    out: Arc<Mutex<dyn Write + Send>>,
    /// What numbers of requests begin with: every pool counts from 1.
    pool: String,
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
        writeln!(
            out,
            "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms,backend,request"
        )?;
        Ok(Self { out: Arc::new(Mutex::new(out)), pool: String::new() })
    }

    /// The same log for the requests of one pool: their numbers are unique in it only, so that the pool's name goes before
    /// them. With several processes the name is of both.
    #[must_use]
    pub fn of_pool(&self, name: &str) -> Self {
        Self { out: Arc::clone(&self.out), pool: format!("{name}-") }
    }

    /// An answer that was served, from its sending to the end of its body, which is now.
    pub fn answered(&self, start: SystemTime, answer: &Answer, max_tokens: Option<u64>, usage: Option<Usage>) {
        let Answer::Served { backend, request } = answer else { return };
        let text = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        let [prompt, cached, completion] =
            [usage.map(|usage| usage.prompt), usage.map(|usage| usage.cached), usage.map(|usage| usage.completion)]
                .map(text);
        let what = format!("{prompt},{cached},{},{completion},200,", text(max_tokens));
        self.line(start, &what, Some(backend), *request);
    }

    /// A backend that did not serve, without a pool, from the sending to the answer, which is now.
    pub fn refused(&self, start: SystemTime, backend: &str, status: u16, hint: Option<Duration>) {
        self.line(start, &unserved(status, hint), Some(backend), None);
    }

    fn line(&self, start: SystemTime, what: &str, backend: Option<&str>, request: Option<u64>) {
        let (start, end) = (seconds(start), seconds(SystemTime::now()));
        let backend = backend.map(quoted).unwrap_or_default();
        let request = request.map(|number| format!("{}{number}", self.pool)).unwrap_or_default();
        // A full disk is no reason to fail requests.
        let _ = writeln!(
            self.out.lock().unwrap_or_else(PoisonError::into_inner),
            "{start},{end},{what},{backend},{request}"
        );
    }
}

impl Observer for RequestLog {
    fn on_event(&self, event: &Event<'_>) {
        let now = SystemTime::now();
        match event {
            Event::Settled { request, backend, outcome, elapsed, .. } => {
                let what = match outcome {
                    // A 2xx is written when its body has ended.
                    Outcome::Answered { status: ..300, .. } => return,
                    Outcome::Answered { status, hint } => unserved(*status, hint.map(|hint| hint.delay())),
                    _ => unserved(0, None),
                };
                let start = now.checked_sub(elapsed.unwrap_or_default()).unwrap_or(now);
                self.line(start, &what, Some(backend.name()), Some(*request));
            }
            Event::Exhausted { request, exhausted, synthesized: true, .. } => {
                let hint = exhausted.retry_after_millis().map(Duration::from_millis);
                self.line(now, &unserved(exhausted.status().as_u16(), hint), None, Some(*request));
            }
            // Its caller left while it waited, or a wish of it could not be granted.
            Event::Finished { request, ending: Ending::Cancelled | Ending::Refused, attempts: 0, .. } => {
                self.line(now, &unserved(0, None), None, Some(*request));
            }
            _ => {}
        }
    }

    fn wants_time(&self) -> bool {
        true
    }
}

/// The columns between the times and the backend of what was not served.
fn unserved(status: u16, hint: Option<Duration>) -> String {
    format!(",,,,{status},{}", hint.map(|hint| hint.as_millis().to_string()).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use std::io::read_to_string;

    use lb_core::{Backend, Pool, Step, ThreadRng};

    use super::*;

    #[test]
    fn the_lines_of_a_request_have_its_number_and_one_that_no_backend_got_names_none() {
        let (reader, writer) = io::pipe().unwrap();
        let log = RequestLog::new(writer).unwrap().of_pool("web");
        let pool =
            Pool::builder().backend(Backend::new("a.example", 1).unwrap()).observer(log.clone()).build().unwrap();
        let refused = Outcome::answered(429, &[("retry-after-ms", "2500")][..], SystemTime::now);
        {
            let mut first = pool.dispatch();
            assert!(matches!(first.next(|| pool.now(), &ThreadRng), Step::Try(_)));
            let _ = first.settle(refused, || pool.now());
            assert!(matches!(first.next(|| pool.now(), &ThreadRng), Step::Exhausted(_)));
            assert!(matches!(pool.dispatch().next(|| pool.now(), &ThreadRng), Step::Exhausted(_)));
        }
        let answer = Answer::Served { backend: "a.example".to_owned(), request: Some(3) };
        log.answered(SystemTime::now(), &answer, None, None);
        drop((log, pool));
        let text = read_to_string(reader).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let columns: Vec<_> = lines.iter().map(|line| (line[6], line[8], line[9])).collect();
        let name = "\"a.example\"";
        assert_eq!(
            columns,
            [("429", name, "web-1"), ("429", "", "web-1"), ("429", "", "web-2"), ("200", name, "web-3")],
            "{text}"
        );
        assert!(lines[..3].iter().all(|line| (1..=2_500).contains(&line[7].parse::<u64>().unwrap())), "{text}");
    }
}
