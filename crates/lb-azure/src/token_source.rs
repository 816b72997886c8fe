//! Tokens of a `TokenCredential` as a backend's credential.

mod builder;
mod cache;
mod fetch;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_core::credentials::TokenCredential;
use lb_core::{BoxFuture, Clock, Credential, CredentialError, CredentialSource};

pub use builder::TokenSourceBuilder;
use cache::{Cache, Look, Moment};
use fetch::{Fetch, Spawner};

/// The scope of Azure OpenAI and the other Azure AI services.
pub const COGNITIVE_SERVICES_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// Bearer tokens of a [`TokenCredential`], such as those of azure_identity, as the credential of a backend.
///
/// Clones share one token: backends that take the same identity share a clone, and others have a source each.
///
/// # What a request may rely on
///
/// - A token that is at hand is given out at once. No request gets one that has expired.
/// - From 5 minutes before its end ([`refresh_ahead`](TokenSourceBuilder::refresh_ahead)) the next request starts a
///   refresh, and all requests keep the old token meanwhile, until it expires. They wait only if there is none.
/// - There is one fetch at a time, whatever the number of requests. It is a task of its own: it goes on when the request
///   that started it is dropped.
/// - A fetch that fails is an event of the target `lb_azure`, level warn. It is repeated at the earliest after 10 s
///   ([`retry_pause`](TokenSourceBuilder::retry_pause)), not by each request. While the old token lasts nobody notices; after
///   that it is [this backend's fault](lb_core::Fault::Credential): the request fails over and the backend cools. If no
///   other is left the caller gets [`Error::Credential`](lb_core::Error::Credential), with the reason as its source.
/// - A credential that gives no answer has failed after 30 s ([`fetch_timeout`](TokenSourceBuilder::fetch_timeout)): who
///   waits for it goes on to the next backend.
///
/// # Where a fetch runs
///
/// On the tokio runtime of the request, else on the one in which the source was built or first used; it must have time
/// enabled, as `#[tokio::main]` does. Under another runtime say so with [`runtime`](TokenSourceBuilder::runtime).
///
/// # Blocking
///
/// A [`BlockingLoadBalancer`](lb_core::BlockingLoadBalancer) does not wait for tokens: without one the backend is at
/// fault, while the fetch goes on. [`warm_up`](TokenSource::warm_up) before the first request, on a runtime that stays:
/// later refreshes run there, ahead of expiry, and no request sees them.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
///
/// use azure_core::credentials::TokenCredential;
/// use lb_azure::{Backend, BuildError, Pool, TokenSource};
///
/// /// `credential` is one of azure_identity's: `DeveloperToolsCredential::new(None)?`, `ManagedIdentityCredential::new(None)?`.
/// fn pool(credential: Arc<dyn TokenCredential>) -> Result<Pool, BuildError> {
///     let tokens = TokenSource::new(credential);
///     Pool::new([
///         Backend::builder("ptu.openai.azure.com").credential_source(tokens.clone()).build()?,
///         Backend::builder("eu.openai.azure.com").priority(2).credential_source(tokens).build()?,
///     ])
/// }
/// ```
#[derive(Clone)]
pub struct TokenSource {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    credential: Arc<dyn TokenCredential>,
    scopes: Vec<String>,
    refresh_ahead: Duration,
    retry_pause: Duration,
    fetch_timeout: Duration,
    clock: Box<dyn Clock>,
    spawner: Spawner,
    cache: Mutex<Cache>,
}

impl TokenSource {
    /// Tokens of `credential` for [`COGNITIVE_SERVICES_SCOPE`], with the defaults.
    #[must_use]
    pub fn new(credential: Arc<dyn TokenCredential>) -> Self {
        Self::builder(credential).build()
    }

    /// Tokens of `credential`, with every option.
    pub fn builder(credential: Arc<dyn TokenCredential>) -> TokenSourceBuilder {
        TokenSourceBuilder::new(credential)
    }

    /// Waits until a token is at hand: before the first request, so that it does not wait, and before a
    /// [`BlockingLoadBalancer`](lb_core::BlockingLoadBalancer) is used, which cannot wait.
    ///
    /// # Errors
    ///
    /// If no token can be had.
    ///
    /// # Cancel safety
    ///
    /// The fetch goes on if the future is dropped.
    pub async fn warm_up(&self) -> Result<(), CredentialError> {
        self.credential().await.map(drop)
    }
}

impl CredentialSource for TokenSource {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        Box::pin(async move {
            let flight = match Shared::look(&self.shared) {
                Look::Token(token) => return Ok(token),
                Look::Failed(reason) => return Err(CredentialError::new(reason)),
                Look::Wait(flight) => flight,
            };
            let token = flight.await.map_err(CredentialError::new)?;
            token.at(self.shared.moment()).map_err(CredentialError::new)
        })
    }

    fn identity(&self) -> Option<usize> {
        Some(Arc::as_ptr(&self.shared).addr())
    }
}

impl Shared {
    /// Looks for a token, and starts a fetch if one is due.
    fn look(shared: &Arc<Self>) -> Look {
        let moment = shared.moment();
        let (look, landing) = shared.cache().look(moment);
        // Started after the lock is released: a runtime may run some of a task at once.
        if let Some(landing) = landing {
            shared.spawner.start(Fetch::new(Arc::clone(shared), landing));
        }
        look
    }

    fn moment(&self) -> Moment {
        Moment { instant: self.clock.now(), wall: self.clock.wall() }
    }

    /// The cache, also if a thread panicked while it held it: every change is complete in itself.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The credential's own `Debug` is somebody else's code.
        f.debug_struct("TokenSource")
            .field("name", &self.shared.name)
            .field("scopes", &self.shared.scopes)
            .field("refresh_ahead", &self.shared.refresh_ahead)
            .field("retry_pause", &self.shared.retry_pause)
            .field("fetch_timeout", &self.shared.fetch_timeout)
            .finish_non_exhaustive()
    }
}
