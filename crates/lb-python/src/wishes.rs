//! What a request wishes.

use lb_core::Wishes as CoreWishes;
use pyo3::{exceptions::PyValueError, prelude::*};

use crate::seconds::Seconds;

/// What one request wishes beside what it asks for; none of it is sent.
///
/// - `within`: no attempt begins later than so many seconds after the request, and no wait ends later;
/// - `affinity`: requests with one key go to one backend of a priority, where their prompt is cached; it yields to health;
/// - `pin`: only the backend of this name can serve it;
/// - `pin_resource`: only the backends of that one's resource can;
/// - `wait`: whether it may wait, in a pool whose requests wait.
#[pyclass(frozen, module = "lb_python")]
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) wishes: CoreWishes,
    /// Whether only some backends can serve it.
    #[pyo3(get)]
    is_pinned: bool,
}

#[pymethods]
impl Wishes {
    #[new]
    #[pyo3(signature = (*, within=None, affinity=None, pin=None, pin_resource=None, wait=None))]
    fn new(
        within: Option<Seconds>,
        affinity: Option<&str>,
        pin: Option<String>,
        pin_resource: Option<String>,
        wait: Option<bool>,
    ) -> PyResult<Self> {
        let is_pinned = pin.is_some() || pin_resource.is_some();
        let mut wishes = CoreWishes::new();
        if let Some(Seconds(within)) = within {
            wishes = wishes.within(within);
        }
        if let Some(key) = affinity {
            wishes = wishes.affinity(key);
        }
        wishes = match (pin, pin_resource) {
            (Some(_), Some(_)) => return Err(PyValueError::new_err("a request has one pin: pin or pin_resource")),
            (Some(backend), None) => wishes.pin(backend),
            (None, Some(backend)) => wishes.pin_resource(backend),
            (None, None) => wishes,
        };
        if let Some(wait) = wait {
            wishes = wishes.wait(wait);
        }
        Ok(Self { wishes, is_pinned })
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.wishes)
    }
}
