//! Who served a response.

use std::{fmt, sync::Arc, time::Duration};

/// Which backend served a response, after how many attempts and what waits: an extension of the response.
///
/// ```
/// fn log<B>(response: &http::Response<B>) {
///     if let Some(served) = response.extensions().get::<lb_core::Served>() {
///         println!("{} after {} attempts", served.backend(), served.attempts());
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    backend: Arc<str>,
    attempts: u32,
    waited: Duration,
}

impl Served {
    pub(crate) const fn new(backend: Arc<str>, attempts: u32, waited: Duration) -> Self {
        Self { backend, attempts, waited }
    }

    /// The name of the backend.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// How many attempts the request made, this one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long the request [waited](crate::PoolBuilder::wait) for backends to come back, all its waits together.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (attempt {})", self.backend, self.attempts)
    }
}
