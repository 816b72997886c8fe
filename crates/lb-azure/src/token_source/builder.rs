//! Builds a token source.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_core::{async_runtime::AsyncRuntime, credentials::TokenCredential};
use lb_core::{Clock, SystemClock};

use super::{COGNITIVE_SERVICES_SCOPE, Cache, Shared, Spawner, TokenSource};

/// The caches of azure_identity's credentials give out the token they have until 5 minutes before its end: an earlier
/// refresh would get the same one.
const REFRESH_AHEAD: Duration = Duration::from_secs(5 * 60);

/// The default cooldown of a backend: where there is no token at all, the request after the cooldown asks again.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// Far longer than an issuer takes that works, its own retries included; shorter than callers are patient.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Builds a [`TokenSource`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct TokenSourceBuilder {
    name: Option<String>,
    credential: Arc<dyn TokenCredential>,
    scopes: Vec<String>,
    refresh_ahead: Duration,
    retry_pause: Duration,
    fetch_timeout: Duration,
    clock: Box<dyn Clock>,
    runtime: Option<Arc<dyn AsyncRuntime>>,
}

impl TokenSourceBuilder {
    pub(super) fn new(credential: Arc<dyn TokenCredential>) -> Self {
        Self {
            name: None,
            credential,
            scopes: vec![COGNITIVE_SERVICES_SCOPE.to_owned()],
            refresh_ahead: REFRESH_AHEAD,
            retry_pause: RETRY_PAUSE,
            fetch_timeout: FETCH_TIMEOUT,
            clock: Box::new(SystemClock::new()),
            runtime: None,
        }
    }

    /// The name in events: the backend's, say. Default: the scopes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What the token is for. Default: [`COGNITIVE_SERVICES_SCOPE`].
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// How long before its end a token is refreshed, at most half of what is left of it when it comes. Default: 5 minutes;
    /// the caches of azure_identity's credentials give out nothing newer before that.
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.refresh_ahead = ahead;
        self
    }

    /// How long after a fetch that failed none is started. Default: 10 s.
    pub fn retry_pause(mut self, pause: Duration) -> Self {
        self.retry_pause = pause;
        self
    }

    /// How long a fetch may take; one that takes longer is dropped, and has failed. Default: 30 s. It passes in the time of
    /// the runtime, not of the clock.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// Where the time comes from: a clone of the pool's [`MockClock`](lb_core::MockClock) in tests. Default:
    /// [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// What runs the fetches. Default: tokio, see [where a fetch runs](TokenSource#where-a-fetch-runs). Under another
    /// runtime give azure_core's, [`get_async_runtime()`](azure_core::async_runtime::get_async_runtime), which you can
    /// [set](azure_core::async_runtime::set_async_runtime), and which without azure_core's feature `tokio` is a thread
    /// per task.
    pub fn runtime(mut self, runtime: Arc<dyn AsyncRuntime>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The source. It fetches nothing before it is asked.
    #[must_use]
    pub fn build(self) -> TokenSource {
        let shared = Shared {
            name: self.name.unwrap_or_else(|| self.scopes.join(" ")),
            credential: self.credential,
            scopes: self.scopes,
            refresh_ahead: self.refresh_ahead,
            retry_pause: self.retry_pause,
            fetch_timeout: self.fetch_timeout,
            clock: self.clock,
            spawner: Spawner::new(self.runtime),
            cache: Mutex::new(Cache::default()),
        };
        TokenSource { shared: Arc::new(shared) }
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .field("refresh_ahead", &self.refresh_ahead)
            .field("retry_pause", &self.retry_pause)
            .field("fetch_timeout", &self.fetch_timeout)
            .finish_non_exhaustive()
    }
}
