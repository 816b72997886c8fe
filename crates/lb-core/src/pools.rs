//! Which pool serves a request.

use std::sync::Arc;

use crate::pool::Pool;

/// Which pool serves a request: what a balancer holds.
///
/// It is made of a [`Pool`], or of an `Arc<Pool>` that others use too. Clones share the pool.
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
pub struct Pools {
    fixed: Arc<Pool>,
}

impl Pools {
    /// The pool that a request which begins now is served by.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.fixed)
    }

    /// The same for a request of the loop, which pays nothing for it.
    pub(crate) fn serving(&self) -> &Pool {
        &self.fixed
    }
}

impl From<Pool> for Pools {
    fn from(pool: Pool) -> Self {
        Self { fixed: Arc::new(pool) }
    }
}

impl From<Arc<Pool>> for Pools {
    fn from(pool: Arc<Pool>) -> Self {
        Self { fixed: pool }
    }
}

impl From<&Arc<Pool>> for Pools {
    fn from(pool: &Arc<Pool>) -> Self {
        Self { fixed: Arc::clone(pool) }
    }
}
