use std::{
    error::Error as StdError,
    fmt, io,
    path::{Path, PathBuf},
};

/// What is wrong with a log: the file and the line, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogError {
    file: Option<PathBuf>,
    line: Option<u64>,
    problem: String,
}

impl LogError {
    pub(super) fn at(line: u64, problem: impl Into<String>) -> Self {
        Self { file: None, line: Some(line), problem: problem.into() }
    }

    pub(super) fn unreadable(error: &io::Error) -> Self {
        Self { file: None, line: None, problem: format!("it cannot be read: {error}") }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// The line of the file, from 1.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        self.line
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.problem)
    }
}

impl StdError for LogError {}
