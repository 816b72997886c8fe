//! Which pool serves a request.

mod by_model;
mod replaceable;

use std::{ops::Deref, sync::Arc};

use crate::pool::Pool;
pub use by_model::{NoPool, PoolsByModel};
pub use replaceable::ReplaceablePool;

/// Which pool serves a request: what a balancer holds.
///
/// It is made of a [`Pool`], of an `Arc<Pool>` that others use too, of a [`ReplaceablePool`], or of several of these, one
/// for each [model](Pools::by_model). Clones share the pools.
///
/// ```
/// use lb_core::{Backend, Pool, Pools};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let pool = Arc::new(Pool::new([Backend::new("a.openai.azure.com", 1)?])?);
/// let pools = Pools::from(Arc::clone(&pool));
/// assert!(Arc::ptr_eq(&pools.pool(), &pool));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pools(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fixed(Arc<Pool>),
    Replaceable(ReplaceablePool),
    ByModel(Arc<by_model::ByModel>),
}

/// The pool that serves a request, as long as the request needs it.
pub(crate) enum Serving<'p> {
    Fixed(&'p Pool),
    Held(Arc<Pool>),
}

impl Deref for Serving<'_> {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        match self {
            Self::Fixed(pool) => pool,
            Self::Held(pool) => pool,
        }
    }
}

impl Pools {
    /// Pools by model, see [`PoolsByModel`].
    pub fn by_model() -> PoolsByModel {
        PoolsByModel::default()
    }

    /// The pool that a request which begins now is served by. With pools by model it is the first of them: ask
    /// [`pool_for`](Pools::pool_for).
    #[must_use]
    #[inline]
    pub fn pool(&self) -> Arc<Pool> {
        match &self.0 {
            Kind::Fixed(pool) => Arc::clone(pool),
            Kind::Replaceable(pool) => pool.pool(),
            Kind::ByModel(pools) => pools.first().pool(),
        }
    }

    /// The pool that serves a request for this model, or for none; without pools by model the one that serves them all.
    ///
    /// # Errors
    ///
    /// If there are pools by model, and none for this one.
    #[inline]
    pub fn pool_for(&self, model: Option<&str>) -> Result<Arc<Pool>, NoPool> {
        match &self.0 {
            Kind::ByModel(pools) => pools.of(model).map(Self::pool),
            Kind::Fixed(_) | Kind::Replaceable(_) => Ok(self.pool()),
        }
    }

    /// Every pool, once: for status pages, and for operators.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        let Kind::ByModel(pools) = &self.0 else { return vec![self.pool()] };
        let mut all: Vec<Arc<Pool>> = Vec::new();
        for pool in pools.all().flat_map(Self::pools) {
            if !all.iter().any(|other| Arc::ptr_eq(other, &pool)) {
                all.push(pool);
            }
        }
        all
    }

    /// Whether it is one and the same pool always.
    pub(crate) const fn are_fixed(&self) -> bool {
        matches!(self.0, Kind::Fixed(_))
    }

    /// Whether it depends on the model which pool serves a request.
    pub(crate) const fn are_by_model(&self) -> bool {
        matches!(self.0, Kind::ByModel(_))
    }

    /// As [`pool_for`](Pools::pool_for) for a request of the loop, which pays nothing for a pool that cannot change.
    #[inline]
    pub(crate) fn serving(&self, model: Option<&str>) -> Result<Serving<'_>, NoPool> {
        match &self.0 {
            Kind::Fixed(pool) => Ok(Serving::Fixed(pool)),
            Kind::Replaceable(pool) => Ok(Serving::Held(pool.pool())),
            Kind::ByModel(pools) => pools.of(model)?.serving(model),
        }
    }
}

impl From<Pool> for Pools {
    fn from(pool: Pool) -> Self {
        Self::from(Arc::new(pool))
    }
}

impl From<Arc<Pool>> for Pools {
    fn from(pool: Arc<Pool>) -> Self {
        Self(Kind::Fixed(pool))
    }
}

impl From<&Arc<Pool>> for Pools {
    fn from(pool: &Arc<Pool>) -> Self {
        Self::from(Arc::clone(pool))
    }
}

impl From<ReplaceablePool> for Pools {
    fn from(pool: ReplaceablePool) -> Self {
        Self(Kind::Replaceable(pool))
    }
}

impl From<&ReplaceablePool> for Pools {
    fn from(pool: &ReplaceablePool) -> Self {
        Self::from(pool.clone())
    }
}

impl From<&Self> for Pools {
    fn from(pools: &Self) -> Self {
        pools.clone()
    }
}
