//! Spans of time, as Python writes them.

use std::time::Duration;

use pyo3::{exceptions::PyValueError, prelude::*};

/// A span of time: a number of seconds, or a `timedelta`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Duration);

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(span: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(span) = span.extract::<Duration>() {
            return Ok(Self(span));
        }
        let seconds: f64 = span.extract()?;
        let span = Duration::try_from_secs_f64(seconds);
        span.map(Self).map_err(|_| PyValueError::new_err("a span of time is a number of seconds from 0 on"))
    }
}
