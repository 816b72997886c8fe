//! A pool that can be replaced while requests run.

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crate::{
    backend::Backend,
    build_error::BuildError,
    observe::Event,
    pool::{Pool, PoolBuilder},
    replaced::Replaced,
};

/// A pool whose backends and options can be replaced while requests run: a handle, whose clones are the same.
///
/// Give one clone to the balancer, or to the service of an SDK, and keep another. A [`Pool`] itself never changes;
/// [`replace`](ReplaceablePool::replace) puts another in its place:
///
/// - A request is served by the pool that it began on, to its end. Only one that waits goes on in the new pool.
/// - What is known about a backend stays with it as long as its name and endpoint (origin, path prefix, deployment and
///   names for models) do: its state, its strikes and its counters. Priority, weight and credential may change. One that is
///   new, or whose endpoint is another, begins available and with nothing counted.
/// - News reach both pools, whoever brings them. A request on the old pool does not go to a backend that a request on the
///   new one found to be out; and a drain, which stays, holds for both.
///
/// A request pays for it once: a read lock, which is free as good as always, and a reference count.
///
/// ```
/// use lb_core::{Backend, Pool, Pools, ReplaceablePool};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let east = || Backend::builder("east.openai.azure.com").build();
/// let pool = ReplaceablePool::from(Pool::new([east()?])?);
/// let pools = Pools::from(&pool); // for a balancer
/// pool.pool().cool("east.openai.azure.com", Duration::from_secs(60));
///
/// let west = Backend::builder("west.openai.azure.com").priority(2).build()?;
/// let replaced = pool.replace(Pool::builder().backend(east()?).backend(west))?;
/// assert_eq!(replaced.to_string(), "added west.openai.azure.com");
/// assert_eq!(pools.pool().snapshot().backends[0].state.as_str(), "cooling");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReplaceablePool(Arc<Handle>);

struct Handle {
    current: RwLock<Arc<Pool>>,
    /// One replacement at a time.
    replacing: Mutex<()>,
}

impl ReplaceablePool {
    /// The pool that serves a request which begins now.
    #[must_use]
    #[inline]
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Builds a pool, and puts it in the place of the one that is there, for all requests that begin from now on and for
    /// those that wait. All options are those of the builder, or their defaults; the clock is the one that was there, and so
    /// are the observers if the builder has none.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`], and if the builder has a clock of its own. Then nothing has changed.
    pub fn replace(&self, builder: PoolBuilder) -> Result<Replaced, BuildError> {
        let replacing = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.pool();
        let mut known: HashMap<_, _> = old.backends().iter().map(|backend| (backend.name(), backend)).collect();
        let new = Arc::new(builder.build_in_place_of(&old)?);
        let mut replaced = Replaced::default();
        for backend in new.backends() {
            let name = || Arc::clone(backend.shared_name());
            match known.remove(backend.name()) {
                None => replaced.added.push(name()),
                Some(before) if !before.shares_endpoint_with(backend) => replaced.changed.push(name()),
                Some(_) => {}
            }
        }
        let is_gone = |backend: &&Backend| known.contains_key(backend.name());
        replaced.removed = old.backends().iter().filter(is_gone).map(|gone| Arc::clone(gone.shared_name())).collect();

        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *current, Arc::clone(&new));
        drop(current);
        // With no lock held: what they own may be the user's.
        drop((replacing, before));
        new.waiting.stir();
        new.emit(&Event::Replaced { replaced: &replaced });
        Ok(replaced)
    }
}

impl From<Pool> for ReplaceablePool {
    fn from(pool: Pool) -> Self {
        Self::from(Arc::new(pool))
    }
}

impl From<Arc<Pool>> for ReplaceablePool {
    fn from(pool: Arc<Pool>) -> Self {
        Self(Arc::new(Handle { current: RwLock::new(pool), replacing: Mutex::new(()) }))
    }
}

impl fmt::Debug for ReplaceablePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplaceablePool").field(&self.pool()).finish()
    }
}
