//! Where something in a configuration is written, and what it is called there.

use std::{fmt, path::PathBuf, sync::Arc};

/// A text that is read: a file, or what a program has from elsewhere.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name for errors.
    pub(crate) name: String,
    /// Where relative paths in it begin; `None` is the working directory.
    pub(crate) folder: Option<PathBuf>,
}

/// Where something is written.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a line of a text, from 1.
    Line { source: Arc<Source>, line: usize },
    /// In an environment variable. The prefix is known, because a suggestion changes one level of what follows it.
    Variable { prefix: Arc<str>, name: Arc<str> },
    /// In no variable yet: the place of a configuration from variables as a whole.
    Prefix(Arc<str>),
}

impl Place {
    pub(crate) const fn line(source: Arc<Source>, line: usize) -> Self {
        Self::Line { source, line }
    }
}

/// The line of a byte, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// One step from a table or a list to what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The way to a value, as it is printed: `backends[1].endpoint`, `pools."gpt-4.1".models`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(pub(crate) Vec<Step>);

impl Path {
    /// This one and a step more.
    pub(crate) fn to(&self, step: impl Into<Step>) -> Self {
        let mut path = self.clone();
        path.0.push(step.into());
        path
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    if depth > 0 {
                        f.write_str(".")?;
                    }
                    // `{:?}` escapes line ends, so that a message stays in its line.
                    if is_bare(name) { f.write_str(name)? } else { write!(f, "{name:?}")? }
                }
            }
        }
        Ok(())
    }
}
