use std::io::{self, Write};

use super::Attempt;
use crate::time::to_seconds;

/// Writes a [`Log`](super::Log) as CSV, attempt by attempt, in any order.
///
/// ```
/// use lb_sim::log::{Attempt, Log, LogWriter};
///
/// let attempt = Attempt { start: 1_000, end: 2_000, status: 429, hint_ms: Some(250), ..Attempt::default() };
/// let mut writer = LogWriter::new(Vec::new())?;
/// writer.write(&attempt)?;
/// let text = String::from_utf8(writer.finish()?)?;
/// assert_eq!(Log::parse(&text)?.attempts(), [attempt]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LogWriter<W: Write> {
    csv: csv::Writer<W>,
}

impl<W: Write> LogWriter<W> {
    /// Writes the header line.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written to.
    pub fn new(out: W) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record([
            "start",
            "end",
            "prompt_tokens",
            "cached_tokens",
            "max_tokens",
            "completion_tokens",
            "status",
            "hint_ms",
            "backend",
            "request",
        ])?;
        Ok(Self { csv })
    }

    /// Writes one line.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&mut self, attempt: &Attempt) -> io::Result<()> {
        let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        self.csv.write_record([
            to_seconds(attempt.start),
            to_seconds(attempt.end),
            count(attempt.prompt_tokens),
            attempt.cached_tokens.to_string(),
            count(attempt.max_tokens),
            count(attempt.completion_tokens),
            attempt.status.to_string(),
            count(attempt.hint_ms),
            attempt.backend.clone().unwrap_or_default(),
            attempt.request.clone().unwrap_or_default(),
        ])?;
        Ok(())
    }

    /// Hands what is written to the output.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.csv.flush()
    }

    /// The output, flushed.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.csv.into_inner().map_err(|error| error.into_error())
    }
}
