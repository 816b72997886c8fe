//! A fetch of a token: a task of its own, which always ends with a result.

use std::{
    error::Error as _,
    fmt,
    iter::successors,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use azure_core::{
    async_runtime::{AsyncRuntime, TaskFuture},
    credentials::AccessToken,
    time::OffsetDateTime,
};
use futures::future::{Either, select};
use lb_core::Credential;
use tokio::runtime::Handle;

use super::{
    Shared,
    cache::{Landed, Landing, Reason, Token},
};

/// In place of what azure_core's durations cannot hold.
const MAX_SLEEP: azure_core::time::Duration = azure_core::time::Duration::days(365);

/// What runs the fetches.
pub(super) enum Spawner {
    /// The tokio runtime of the request, else the one that was seen first.
    Tokio(OnceLock<Handle>),
    /// A runtime of the user's.
    Given(Arc<dyn AsyncRuntime>),
}

impl Spawner {
    pub(super) fn new(given: Option<Arc<dyn AsyncRuntime>>) -> Self {
        given.map_or_else(|| Self::Tokio(Handle::try_current().map(OnceLock::from).unwrap_or_default()), Self::Given)
    }

    /// Runs a fetch in a task of its own, so that it survives the request that started it.
    pub(super) fn start(&self, mut fetch: Fetch) {
        match self {
            // Dropping the handle of a task leaves the task alone.
            Self::Given(runtime) => drop(runtime.spawn(Box::pin(fetch.run()))),
            Self::Tokio(seen) => {
                let current = Handle::try_current().ok().inspect(|current| drop(seen.set(current.clone())));
                match current.as_ref().or_else(|| seen.get()) {
                    Some(runtime) => drop(runtime.spawn(fetch.run())),
                    None => fetch.land(Err(Reason::NoRuntime)),
                }
            }
        }
    }

    /// Real time, and not the clock's: it only bounds how long a silent issuer is waited for.
    fn sleep(&self, duration: Duration) -> TaskFuture {
        match self {
            Self::Given(runtime) => runtime.sleep(azure_core::time::Duration::try_from(duration).unwrap_or(MAX_SLEEP)),
            Self::Tokio(_) => Box::pin(tokio::time::sleep(duration)),
        }
    }
}

/// A fetch under way. Dropped before it landed, it lands as abandoned: who waits is told, and the next one can start.
pub(super) struct Fetch {
    shared: Arc<Shared>,
    landing: Option<Landing>,
}

impl Fetch {
    pub(super) fn new(shared: Arc<Shared>, landing: Landing) -> Self {
        Self { shared, landing: Some(landing) }
    }

    async fn run(mut self) {
        let scopes: Vec<&str> = self.shared.scopes.iter().map(String::as_str).collect();
        let limit = self.shared.fetch_timeout;
        let token = self.shared.credential.get_token(&scopes, None);
        let landed = match select(token, self.shared.spawner.sleep(limit)).await {
            Either::Left((Ok(token), _)) => self.token(&token),
            Either::Left((Err(error), _)) => Err(Reason::Credential(Arc::new(error))),
            Either::Right(((), _)) => Err(Reason::TimedOut(limit)),
        };
        self.land(landed);
    }

    fn token(&self, token: &AccessToken) -> Landed {
        let credential =
            Credential::bearer_token(token.token.secret()).map_err(|error| Reason::Unusable(Arc::new(error)))?;
        Token::new(credential, wall(token.expires_on), self.shared.refresh_ahead, self.shared.moment())
    }

    fn land(&mut self, landed: Landed) {
        let Some(landing) = self.landing.take() else { return };
        let shared = &self.shared;
        // Without a runtime nothing was asked, and nobody has to be spared.
        let pause = if matches!(landed, Err(Reason::NoRuntime)) { Duration::ZERO } else { shared.retry_pause };
        let has_token = shared.cache().land(&landed, pause, shared.moment());
        let source = shared.name.as_str();
        match landed.as_ref().map_err(Chain) {
            Ok(_) => tracing::debug!(target: "lb_azure", source, "token fetched"),
            Err(error) if has_token => {
                tracing::warn!(target: "lb_azure", source, %error, "token not refreshed, the old one is kept");
            }
            Err(error) => tracing::warn!(target: "lb_azure", source, %error, "no token"),
        }
        // Nobody may be waiting.
        let _ = landing.send(landed);
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.land(Err(Reason::Abandoned));
    }
}

/// An error with its causes: what went wrong with a token is mostly said by the last.
struct Chain<'e>(&'e Reason);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        successors(self.0.source(), |&cause| cause.source()).try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// The end of a token as wall time, in whole seconds; one before 1970 or beyond what a `SystemTime` can hold has ended.
fn wall(expires_on: OffsetDateTime) -> SystemTime {
    let secs = u64::try_from(expires_on.unix_timestamp()).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(secs)).unwrap_or(SystemTime::UNIX_EPOCH)
}
