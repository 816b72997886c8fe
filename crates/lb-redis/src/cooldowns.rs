use std::{error::Error as StdError, fmt, future::Future, sync::Arc, time::Duration};

use lb_core::{ReplaceablePool, Rng, ThreadRng};
use tracing::{debug, error, info, warn};

use crate::{
    link::{Link, Lost},
    publisher::Publisher,
    server::Server,
    shared::Shared,
    status::Status,
    unsupported::Unsupported,
};

/// How long to wait before the first new try to connect, and the longest wait.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// The cooldowns of one pool, shared with the processes that use the same name: a handle, whose clones are the same.
///
/// It has two ends: an [observer](SharedCooldowns::observer) that goes into the pool's builder, and a future that
/// [runs](SharedCooldowns::run) beside it. A pool of several models has one of these for each of its pools.
#[derive(Clone)]
pub struct SharedCooldowns(Arc<Shared>);

impl SharedCooldowns {
    /// Cooldowns of the pool of this name, over this server. Nothing is connected before it [runs](SharedCooldowns::run).
    ///
    /// # Errors
    ///
    /// If the name cannot be part of a key: it is empty, longer than 64 bytes, or has braces, white space or control
    /// characters.
    pub fn new(server: Server, pool: &str) -> Result<Self, InvalidName> {
        let is_wrong = |char: char| matches!(char, '{' | '}') || char.is_whitespace() || char.is_control();
        if pool.is_empty() || pool.len() > 64 || pool.contains(is_wrong) {
            return Err(InvalidName { name: pool.to_owned() });
        }
        Ok(Self(Arc::new(Shared {
            server,
            name: pool.to_owned(),
            process: ThreadRng.next_u64(),
            shares_drains: false,
            outbox: Arc::default(),
            counts: Arc::default(),
        })))
    }

    /// Shares drains too: what is drained or reopened in one process is in all of them, and in those that join later. The
    /// last word holds. The handle that this gives is the one to take the observer of, and to run.
    #[must_use]
    pub fn with_drains(self) -> Self {
        Self(Arc::new(Shared { shares_drains: true, ..Shared::clone(&self.0) }))
    }

    /// The end that publishes: for [`PoolBuilder::observer`](lb_core::PoolBuilder::observer).
    #[must_use]
    pub fn observer(&self) -> Publisher {
        Publisher { outbox: Arc::clone(&self.0.outbox), shares_drains: self.0.shares_drains }
    }

    /// The other end: publishes what the observer saw, and applies to the pool what other processes say. It goes on until it
    /// is dropped. Run it once per process, under tokio.
    ///
    /// While Redis is away the pool goes on as if it were alone; the connection is tried again after 100 ms, then twice as
    /// long each time, up to 30 s. What was to be published and still holds is published then. The changes are `tracing`
    /// events of the target `lb_redis`; [`status`](SharedCooldowns::status) tells the same.
    ///
    /// It ends by itself only if the server is one that it cannot work with.
    pub fn run<P: Into<ReplaceablePool>>(
        &self,
        pool: P,
    ) -> impl Future<Output = Unsupported> + Send + 'static + use<P> {
        let shared = Arc::clone(&self.0);
        let pool = pool.into();
        async move { shared.run(&pool).await }
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.counts.status()
    }
}

impl Shared {
    async fn run(&self, pool: &ReplaceablePool) -> Unsupported {
        let mut wait = BACKOFF.0;
        let mut is_away = false;
        loop {
            let lost = match Link::connect(self, pool).await {
                Ok(link) => {
                    info!(target: "lb_redis", pool = self.name, "connected");
                    (wait, is_away) = (BACKOFF.0, false);
                    link.serve().await
                }
                Err(lost) => lost,
            };
            let why = match lost {
                Lost::Unsupported(unsupported) => {
                    error!(target: "lb_redis", pool = self.name, %unsupported, "cooldowns are not shared");
                    self.counts.failed(unsupported.to_string());
                    return unsupported;
                }
                Lost::Away(why) => why,
            };
            // Once while it is away: the rest is for those who look closer.
            if is_away {
                debug!(target: "lb_redis", pool = self.name, error = why, "still away");
            } else {
                warn!(target: "lb_redis", pool = self.name, error = why, "Redis is away: cooldowns are not shared");
            }
            is_away = true;
            self.counts.failed(why);
            tokio::time::sleep(jittered(wait)).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }
}

/// From half of it to all of it, so that processes which lost the same server do not come back at once.
fn jittered(wait: Duration) -> Duration {
    let part = u32::try_from(ThreadRng.next_u64() >> 33).unwrap_or(u32::MAX);
    wait / 2 + (wait / 2).mul_f64(f64::from(part) / f64::from(u32::MAX))
}

impl fmt::Debug for SharedCooldowns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { server, name, shares_drains, .. } = &*self.0;
        f.debug_struct("SharedCooldowns")
            .field("server", server)
            .field("pool", name)
            .field("shares_drains", shares_drains)
            .finish_non_exhaustive()
    }
}

/// A name that a pool cannot have in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    name: String,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} cannot name a pool in Redis: give it 1 to 64 bytes without braces, white space and control characters",
            self.name
        )
    }
}

impl StdError for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_in_a_key_are_refused() {
        let server = || Server::from_url("redis://cache.example").unwrap();
        for name in ["", "a b", "{a}", "a\n", &"x".repeat(65)] {
            assert!(SharedCooldowns::new(server(), name).is_err(), "{name:?}");
        }
        assert!(SharedCooldowns::new(server(), "chat:east/1").is_ok());
    }

    #[test]
    fn a_wait_is_from_half_of_it_to_all_of_it() {
        for _ in 0..100 {
            let wait = jittered(Duration::from_secs(8));
            assert!(wait >= Duration::from_secs(4) && wait <= Duration::from_secs(8), "{wait:?}");
        }
    }
}
