//! A credential that can be replaced while requests run.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Credential, CredentialError, CredentialSource};
use crate::future::BoxFuture;

/// A credential that can be replaced while requests run, without rebuilding the pool. Clones share it.
///
/// An attempt that begins after [`rotate`](RotatingCredential::rotate) returned carries the new credential. Attempts under
/// way finish with the one they have. It is ready at once, so it also serves a
/// [`BlockingLoadBalancer`](crate::BlockingLoadBalancer), and one may serve several backends.
///
/// What it costs: two short allocations and one read lock per attempt, held for the copy of a pointer.
///
/// # Example
///
/// ```
/// use lb_core::{Backend, Credential, Pool, RotatingCredential};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = RotatingCredential::new(Credential::api_key("the key of today")?);
/// let backend = Backend::builder("ptu.openai.azure.com").credential_source(key.clone()).build()?;
/// let pool = Pool::new([backend])?;
/// // Requests run; then the vault says that there is a new key.
/// key.rotate(Credential::api_key("the key of tomorrow")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RotatingCredential {
    current: Arc<RwLock<Arc<dyn CredentialSource>>>,
}

impl RotatingCredential {
    /// Begins with `credential`: a [`Credential`], or any other source.
    pub fn new(credential: impl CredentialSource + 'static) -> Self {
        Self { current: Arc::new(RwLock::new(Arc::new(credential))) }
    }

    /// Replaces the credential, for every attempt that begins after this call returned.
    ///
    /// The new one may be of another kind: a bearer token after a key, or a source of tokens after a fixed one. An
    /// attempt that waits for the old source still gets what that one answers.
    pub fn rotate(&self, credential: impl CredentialSource + 'static) {
        let next: Arc<dyn CredentialSource> = Arc::new(credential);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, next);
        // Released first: what the old source does when it is dropped is its own business.
        drop(current);
        drop(old);
    }
}

impl CredentialSource for RotatingCredential {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async move { current.credential().await })
    }

    fn identity(&self) -> Option<usize> {
        Some(Arc::as_ptr(&self.current).addr())
    }
}

impl fmt::Debug for RotatingCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatingCredential").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Future, pending},
        pin::pin,
        sync::atomic::{AtomicU64, Ordering},
        task::{Context, Poll, Waker},
        thread,
    };

    use super::*;
    use crate::{Backend, Pool, Step, ThreadRng};

    fn key(version: u64) -> Credential {
        Credential::api_key(version.to_string()).unwrap()
    }

    fn poll<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// The value that an attempt on a pool of one backend would carry now.
    fn carried(pool: &Pool) -> (String, String) {
        let mut dispatch = pool.dispatch();
        let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!("no target") };
        let mut target = pool.target(&attempt);
        target.obtain_credential_now().unwrap();
        let mut request = http::Request::new(());
        target.address(&mut request).unwrap();
        let (name, value) = request.headers().iter().next().unwrap();
        (name.to_string(), value.to_str().unwrap().to_owned())
    }

    fn pool(credential: &RotatingCredential) -> Pool {
        Pool::new([Backend::builder("a.example").credential_source(credential.clone()).build().unwrap()]).unwrap()
    }

    #[test]
    fn no_attempt_that_begins_after_a_rotation_carries_an_older_key() {
        const ROTATIONS: u64 = 2_000;
        let credential = RotatingCredential::new(key(0));
        let pool = pool(&credential);
        // The newest version whose rotation has returned.
        let rotated = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = 0;
                    while last < ROTATIONS {
                        let at_least = rotated.load(Ordering::SeqCst);
                        let carried = carried(&pool).1.parse().unwrap();
                        assert!(carried >= at_least, "carried {carried} after {at_least} was in place");
                        assert!(carried >= last, "went back from {last} to {carried}");
                        last = carried;
                    }
                });
            }
            scope.spawn(|| {
                for version in 1..=ROTATIONS {
                    credential.rotate(key(version));
                    rotated.store(version, Ordering::SeqCst);
                }
            });
        });
    }

    #[test]
    fn an_attempt_keeps_the_key_that_it_began_with() {
        let credential = RotatingCredential::new(key(1));
        let pool = pool(&credential);
        let mut dispatch = pool.dispatch();
        let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!("no target") };
        let mut target = pool.target(&attempt);
        target.obtain_credential_now().unwrap();
        credential.rotate(key(2));
        let mut request = http::Request::new(());
        target.address(&mut request).unwrap();
        assert_eq!(request.headers()["api-key"], "1");
        assert_eq!(carried(&pool), ("api-key".to_owned(), "2".to_owned()));
    }

    #[test]
    fn a_key_can_become_a_token_and_a_source() {
        struct Never;
        impl CredentialSource for Never {
            fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
                Box::pin(pending())
            }
        }
        let credential = RotatingCredential::new(key(1));
        let pool = pool(&credential);
        credential.rotate(Credential::bearer_token("t").unwrap());
        assert_eq!(carried(&pool), ("authorization".to_owned(), "Bearer t".to_owned()));
        credential.rotate(Never);
        assert!(poll(credential.credential()).is_pending());
        credential.rotate(key(3));
        assert_eq!(carried(&pool).1, "3");
    }

    #[test]
    fn debug_shows_no_key_before_or_after() {
        let credential = RotatingCredential::new(Credential::api_key("CANARY-1").unwrap());
        let pool = pool(&credential);
        let before = format!("{credential:?} {pool:?}");
        credential.rotate(Credential::api_key("CANARY-2").unwrap());
        let printed = format!("{before} {credential:?} {pool:?}");
        assert!(!printed.contains("CANARY"), "{printed}");
    }
}
