//! Which pool serves a request.

mod replaceable;

use std::{ops::Deref, sync::Arc};

use crate::pool::Pool;
pub use replaceable::{ReplaceablePool, Replaced};

/// Which pool serves a request: what a balancer holds.
///
/// It is made of a [`Pool`], of an `Arc<Pool>` that others use too, or of a [`ReplaceablePool`]. Clones share the pool.
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
    /// The pool that a request which begins now is served by.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        match &self.0 {
            Kind::Fixed(pool) => Arc::clone(pool),
            Kind::Replaceable(pool) => pool.pool(),
        }
    }

    /// Whether it is one and the same pool always.
    pub(crate) const fn are_fixed(&self) -> bool {
        matches!(self.0, Kind::Fixed(_))
    }

    /// The same for a request of the loop, which pays nothing for a pool that cannot change.
    #[inline]
    pub(crate) fn serving(&self) -> Serving<'_> {
        match &self.0 {
            Kind::Fixed(pool) => Serving::Fixed(pool),
            Kind::Replaceable(pool) => Serving::Held(pool.pool()),
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
