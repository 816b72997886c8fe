use std::{
    error::Error as StdError,
    fmt, io,
    path::{Path, PathBuf},
};

use super::path;

/// What is wrong with a scenario: the file, the line and the key, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    file: Option<PathBuf>,
    line: Option<usize>,
    key: String,
    problem: String,
}

impl ScenarioError {
    /// A problem with the value at `key` (a dotted path), or with the whole if `key` is empty.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { file: None, line: None, key: key.into(), problem: problem.into() }
    }

    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self::new("", format!("it cannot be read: {error}")).in_file(file)
    }

    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| line_at(text, span.start));
        let key = error.span().and_then(|span| path::at(text, span.start)).unwrap_or_default();
        Self { line, ..Self::new(key, in_words(&error.message().replace('\n', " "))) }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// With the line of the key, or of the nearest table around it that the text has.
    pub(super) fn at_line_of(self, text: &str) -> Self {
        let line = path::offset(text, &self.key).map(|offset| line_at(text, offset));
        Self { line, ..self }
    }

    pub(super) fn without_line(self) -> Self {
        Self { line: None, ..self }
    }

    /// The line of the file, from 1.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// The dotted path of the key; empty if the whole file is meant.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The message of a reader, with the names that its types have for those who write scenarios.
fn in_words(message: &str) -> String {
    let Some((before, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let words = match expected {
        "f64" => "a number",
        "u64" | "u32" | "u16" => "a whole number of 0 or more",
        "i64" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        other => other,
    };
    format!("{before}expected {words}")
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

impl StdError for ScenarioError {}
