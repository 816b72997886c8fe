//! A pool, as the Python side holds it.

use std::sync::Arc;

use lb_core::{Dispatch, Pool as CorePool, PoolBuilder, ReplaceablePool};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};

use crate::{backend::Backend, log::Logger, options, walk::Walk, wishes::Wishes};

/// The backends of a balancer with what is known about them, until they are replaced.
#[pyclass(frozen, module = "lb_python._core")]
#[derive(Debug)]
pub(crate) struct Pool {
    /// What leads to the pool that serves requests now.
    handle: ReplaceablePool,
    pub(crate) pool: Arc<CorePool>,
    /// By slot.
    backends: Vec<Py<Backend>>,
    /// Whether streams that announce a refusal are looked into.
    #[pyo3(get)]
    peeks: bool,
}

#[pymethods]
impl Pool {
    #[new]
    #[pyo3(signature = (backends, logger, **options))]
    fn new(
        py: Python<'_>,
        backends: Vec<Py<Backend>>,
        logger: Py<PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let builder = builder(&backends, options)?.observer(Logger(logger));
        let pool = Arc::new(builder.build().map_err(invalid)?);
        Self::of(py, ReplaceablePool::from(pool), &backends, options)
    }

    /// Puts other backends and options in the place of these; gives the pool that serves requests from now on.
    #[pyo3(signature = (backends, **options))]
    fn replace(
        &self,
        py: Python<'_>,
        backends: Vec<Py<Backend>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        self.handle.replace(builder(&backends, options)?).map_err(invalid)?;
        Self::of(py, self.handle.clone(), &backends, options)
    }

    /// The backends by slot: sorted by priority.
    #[getter]
    fn backends(&self, py: Python<'_>) -> Vec<Py<Backend>> {
        self.backends.iter().map(|backend| backend.clone_ref(py)).collect()
    }

    /// Begins a request's walk over the backends.
    #[pyo3(signature = (wishes=None))]
    fn walk(&self, wishes: Option<&Bound<'_, Wishes>>) -> PyResult<Walk> {
        let pool = Arc::clone(&self.pool);
        match wishes {
            None => Ok(Walk::new(Dispatch::new(pool))),
            Some(wishes) => Dispatch::with(pool, wishes.get().wishes.clone()).map(Walk::new).map_err(invalid),
        }
    }

    /// The state of every backend, as JSON.
    fn snapshot(&self) -> PyResult<String> {
        serde_json::to_string(&self.pool.snapshot()).map_err(invalid)
    }

    fn drain(&self, name: &str) -> bool {
        self.pool.drain(name)
    }

    fn reopen(&self, name: &str) -> bool {
        self.pool.reopen(name)
    }

    fn cool(&self, name: &str, duration: crate::seconds::Seconds) -> bool {
        self.pool.cool(name, duration.0)
    }

    fn end_cooldown(&self, name: &str) -> bool {
        self.pool.end_cooldown(name)
    }
}

impl Pool {
    fn of(
        py: Python<'_>,
        handle: ReplaceablePool,
        given: &[Py<Backend>],
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let pool = handle.pool();
        let mut backends = Vec::with_capacity(given.len());
        for slot in pool.backends() {
            let named = given.iter().find(|backend| backend.get().backend.name() == slot.name());
            backends.extend(named.map(|backend| backend.clone_ref(py)));
        }
        let peek = options.map(|options| options.get_item("peek")).transpose()?.flatten();
        let peeks = match peek {
            Some(peek) if !peek.is_none() => peek.extract()?,
            _ => true,
        };
        Ok(Self { handle, pool, backends, peeks })
    }
}

fn builder(backends: &[Py<Backend>], options: Option<&Bound<'_, PyDict>>) -> PyResult<PoolBuilder> {
    Ok(options::builder(options)?.backends(backends.iter().map(|backend| backend.get().backend.clone())))
}

fn invalid(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}
