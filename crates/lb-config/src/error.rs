//! What is wrong with a configuration, and where.

use std::{error::Error as StdError, fmt, sync::Arc};

use crate::place::{Path, Place, Step};

/// What is wrong with a configuration, where it is written, and what to do. No credential is in it.
///
/// It reads `balancer.toml:7: backends[1].endpoint: ...`, or `environment variable LB_OPTIONS__STRIKES: ...`. Lists count from
/// 0, lines from 1.
#[derive(Debug)]
pub struct ConfigError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    file: Option<String>,
    line: Option<usize>,
    key: Option<String>,
    variable: Option<String>,
    /// What the message begins with, and the message.
    text: String,
}

impl ConfigError {
    /// An error about the value at the end of `path`, which is written at `place`.
    pub(crate) fn new(place: &Place, path: &Path, message: impl fmt::Display) -> Self {
        let key = (!path.0.is_empty()).then(|| path.to_string());
        let parts = match place {
            Place::Line { source, line } => {
                let before = key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
                let text = format!("{}:{line}: {before}{message}", source.name);
                Parts { file: Some(source.name.clone()), line: Some(*line), key, variable: None, text }
            }
            Place::Variable { name, .. } => {
                let text = format!("environment variable {name}: {message}");
                Parts { file: None, line: None, key, variable: Some(name.to_string()), text }
            }
            Place::Prefix(prefix) => {
                let text = format!("environment variables {prefix}_*: {message}");
                Parts { file: None, line: None, key, variable: None, text }
            }
        };
        Self::of(parts)
    }

    /// In one line, whatever is quoted, the names of files and variables too: errors go to logs.
    fn of(parts: Parts) -> Self {
        let text = parts.text.replace(char::is_control, " ");
        Self(Box::new(Parts { text, ..parts }))
    }

    /// The same about a value that is missing: where the rest is in variables, it is about the one that it belongs into.
    pub(crate) fn missing(place: &Place, path: &Path, message: impl fmt::Display) -> Self {
        match (place, path.0.split_last()) {
            (Place::Variable { prefix, name }, Some((Step::Name(last), tables))) => {
                let levels = name[prefix.len() + 1..].split("__").take(tables.len());
                let levels = levels.map(str::to_owned).chain([last.to_uppercase()]).collect::<Vec<_>>().join("__");
                let name = format!("{prefix}_{levels}").into();
                Self::new(&Place::Variable { prefix: Arc::clone(prefix), name }, path, message)
            }
            _ => Self::new(place, path, message),
        }
    }

    /// An error about a file as a whole.
    pub(crate) fn of_file(name: &str, message: impl fmt::Display) -> Self {
        let text = format!("{name}: {message}");
        Self::of(Parts { file: Some(name.to_owned()), line: None, key: None, variable: None, text })
    }

    /// An error about the prefix of variables.
    pub(crate) fn of_prefix(message: impl fmt::Display) -> Self {
        let text = format!("prefix of environment variables: {message}");
        Self::of(Parts { file: None, line: None, key: None, variable: None, text })
    }

    /// The same, about a variable that something else names.
    pub(crate) fn about_variable(mut self, name: &str) -> Self {
        self.0.variable = Some(name.to_owned());
        self
    }

    /// The file, or the name that was given for the text; `None` if it is written in a variable.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line in it, from 1; `None` also if the file could not be read.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// The way to the value, such as `backends[1].endpoint`; `None` if it is about all of them. It is told for variables too.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The environment variable: the one that it is written in or is missing, or the one that should hold a key and does not.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.0.variable.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl StdError for ConfigError {}
