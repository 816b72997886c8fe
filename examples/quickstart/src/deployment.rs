//! A deployment: what a program knows of a backend before it builds one.

use lb_core::{Backend, BuildError};

use crate::Key;

/// Where one deployment lives, how much it is preferred, and which key it takes.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The name in reports.
    pub name: String,
    /// Host, `host:port` or URL; see [`Backend`].
    pub endpoint: String,
    /// From 1; lower is preferred.
    pub priority: u32,
    /// From 1 to 100, among those of the same priority.
    pub weight: u32,
    /// The deployment's name in the path; `None` leaves the path's own.
    pub deployment: Option<String>,
    /// Sent to this deployment only; `None` sends no key.
    pub key: Option<Key>,
}

impl Deployment {
    /// The balancer's view of it.
    ///
    /// # Errors
    ///
    /// If anything is invalid; the error names the backend, and prints no key.
    pub fn backend(&self) -> Result<Backend, BuildError> {
        let mut builder = Backend::builder(&self.endpoint).name(&self.name).priority(self.priority).weight(self.weight);
        if let Some(deployment) = &self.deployment {
            builder = builder.deployment(deployment);
        }
        if let Some(key) = &self.key {
            builder = builder.api_key(key.reveal());
        }
        builder.build()
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.backend().is_ok_and(|backend| backend.origin().starts_with("https:"))
    }
}
