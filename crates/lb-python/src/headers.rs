//! The header lines of a response of httpx, as the core reads them.

use lb_core::Headers;
use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyList, PyTuple},
};

/// The lines of `response.headers.raw`, a list of pairs of bytes.
#[derive(Debug)]
pub(crate) struct Lines<'py>(Bound<'py, PyList>);

impl<'py> Lines<'py> {
    /// Those of a response.
    pub(crate) fn of(response: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = response.py();
        let raw = response.getattr(intern!(py, "headers"))?.getattr(intern!(py, "raw"))?;
        Ok(Self(raw.cast_into()?))
    }
}

impl Headers for Lines<'_> {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for line in &self.0 {
            with_line(&line, |found, value| {
                if found.eq_ignore_ascii_case(name.as_bytes()) {
                    visit(value);
                }
            });
        }
    }
}

/// Calls back with the name and the value of a header line, if it is one.
pub(crate) fn with_line<T>(line: &Bound<'_, PyAny>, read: impl FnOnce(&[u8], &[u8]) -> T) -> Option<T> {
    let line = line.cast::<PyTuple>().ok()?;
    let (name, value) = (line.get_item(0).ok()?, line.get_item(1).ok()?);
    let (name, value) = (name.cast::<PyBytes>().ok()?, value.cast::<PyBytes>().ok()?);
    Some(read(name.as_bytes(), value.as_bytes()))
}
