//! The core of the load balancer as an extension of Python: the module `lb_python._core`.
//!
//! It has no runtime, no thread and no socket: it decides, and the Python beside it (`python/lb_python`) sends over the user's
//! own httpx or httpx2. What users see is documented there, and in the stubs.

mod backend;
mod exhausted;
mod fault;
mod headers;
mod log;
mod options;
mod peek;
mod pool;
mod seconds;
mod walk;
mod wishes;

use pyo3::prelude::*;

/// The module. It says that it relies on the lock of the interpreter, so that a free-threaded Python turns that on and warns.
#[pymodule(gil_used = true)]
#[pyo3(name = "_core")]
fn core_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<backend::Backend>()?;
    module.add_class::<exhausted::Exhausted>()?;
    module.add_class::<peek::Peek>()?;
    module.add_class::<pool::Pool>()?;
    module.add_class::<walk::Walk>()?;
    module.add_class::<wishes::Wishes>()
}
