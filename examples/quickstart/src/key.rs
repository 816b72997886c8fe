//! A key: a secret that is not printed.

use std::fmt;

/// The key of one deployment. `Debug` does not show it.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// A key with this value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}
