//! What a replacement did.

use std::{fmt, sync::Arc};

/// What a replacement did to the set of backends, by name. Those that stay are not named, whatever else of them changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Replaced {
    /// Backends that are new.
    pub added: Vec<Arc<str>>,
    /// Backends that are no longer there.
    pub removed: Vec<Arc<str>>,
    /// Backends whose endpoint is another: they begin anew.
    pub changed: Vec<Arc<str>>,
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)];
        let named = named.into_iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<_> = named.map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
        f.write_str(if parts.is_empty() { "the same backends" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}
