//! The refusal that a request gets when no backend is left.

use lb_core::Exhausted as Refusal;
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict, PyList},
};

/// No backend can take a request now: why, and when to come back. It is in the `extensions` of the synthesised answer.
#[pyclass(frozen, module = "lb_python")]
#[derive(Debug)]
pub(crate) struct Exhausted {
    refusal: Refusal,
    /// Whether the caller gets the last attempt's own answer or error, and not this.
    #[pyo3(get)]
    returns_last: bool,
}

impl Exhausted {
    pub(crate) const fn new(refusal: Refusal, returns_last: bool) -> Self {
        Self { refusal, returns_last }
    }
}

#[pymethods]
impl Exhausted {
    /// The status of the synthesised answer: 429 if a 429 is among the reasons, else 503.
    #[getter]
    fn status(&self) -> u16 {
        self.refusal.status().as_u16()
    }

    /// How many seconds until this request could go anywhere; `None` if all backends are drained.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.refusal.retry_after().map(|after| after.as_secs_f64())
    }

    /// Why each backend could not take the request, best priority first: dictionaries with `backend`, `state`, `reason` and
    /// `retry_after`.
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let reasons = PyList::empty(py);
        for one in self.refusal.unavailable() {
            let reason = PyDict::new(py);
            reason.set_item("backend", one.backend())?;
            reason.set_item("state", one.state().as_str())?;
            reason.set_item("reason", one.cause().map(|cause| cause.reason().to_string()))?;
            reason.set_item("retry_after", one.retry_after().map(|after| after.as_secs_f64()))?;
            reasons.append(reason)?;
        }
        Ok(reasons)
    }

    /// The header lines of the synthesised answer.
    #[getter]
    fn headers(&self) -> Vec<(String, String)> {
        let response = self.refusal.to_response();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
    }

    /// The JSON body of the synthesised answer.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.refusal.body())
    }

    fn __str__(&self) -> String {
        self.refusal.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Exhausted: {}>", self.refusal)
    }
}
