//! Events, as records of Python's `logging`.

use lb_core::{Event, Observer};
use pyo3::{intern, prelude::*, types::PyDict};

/// The levels of Python's `logging`.
const INFO: u8 = 20;
const WARNING: u8 = 30;

/// Tells a logger what changes, and not every attempt.
#[derive(Debug)]
pub(crate) struct Logger(pub(crate) Py<PyAny>);

impl Observer for Logger {
    fn on_event(&self, event: &Event<'_>) {
        let Some((level, text)) = text(event) else { return };
        Python::attach(|py| {
            if let Err(error) = self.tell(py, level, &text, event) {
                // A handler that raises is its own matter: the request goes on.
                error.write_unraisable(py, Some(self.0.bind(py)));
            }
        });
    }

    fn wants_attempts(&self) -> bool {
        false
    }
}

impl Logger {
    fn tell(&self, py: Python<'_>, level: u8, text: &str, event: &Event<'_>) -> PyResult<()> {
        let logger = self.0.bind(py);
        if !logger.call_method1(intern!(py, "isEnabledFor"), (level,))?.extract::<bool>()? {
            return Ok(());
        }
        let fields = PyDict::new(py);
        if let Some((request, backend)) = whose(event) {
            fields.set_item("lb_request", request)?;
            fields.set_item("lb_backend", backend)?;
        }
        let named = PyDict::new(py);
        named.set_item("extra", fields)?;
        logger.call_method(intern!(py, "log"), (level, "%s", text), Some(&named))?;
        Ok(())
    }
}

/// The request's number and the backend's name, for filters and formatters.
fn whose<'e>(event: &Event<'e>) -> Option<(Option<u64>, Option<&'e str>)> {
    Some(match event {
        Event::FailedOver { request, from: backend, .. }
        | Event::NotRepeated { request, backend, .. }
        | Event::Struck { request, backend, .. }
        | Event::Suspected { request, backend, .. }
        | Event::Cooling { request, backend, .. } => (Some(*request), Some(backend.name())),
        Event::Exhausted { request, .. } => (Some(*request), None),
        Event::Available { backend }
        | Event::CooledByHand { backend, .. }
        | Event::Drained { backend }
        | Event::Reopened { backend } => (None, Some(backend.name())),
        _ => return None,
    })
}

/// What is said about an event, and how loud; nothing about those of every attempt.
fn text(event: &Event<'_>) -> Option<(u8, String)> {
    Some(match event {
        Event::FailedOver { request, from, to, cause, .. } => {
            (INFO, format!("request {request} goes on from {} to {}: {cause}", from.name(), to.name()))
        }
        Event::NotRepeated { request, backend, cause, why, .. } => {
            (INFO, format!("request {request} is not sent again after {}: {cause}: {why}", backend.name()))
        }
        Event::Struck { backend, strikes, cause, .. } => {
            (INFO, format!("{} failed: {cause}; strikes: {strikes}", backend.name()))
        }
        Event::Suspected { backend, after, cause, .. } => {
            (WARNING, format!("{} is suspect: {cause}; it is asked last, and first once in {after:?}", backend.name()))
        }
        Event::Cooling { backend, duration, cause, hint, .. } => {
            let by = hint.map_or("default", |source| source.as_str());
            (WARNING, format!("{} is cooling for {duration:?}: {cause}; by {by}", backend.name()))
        }
        Event::Available { backend } => (INFO, format!("{} is available again", backend.name())),
        Event::CooledByHand { backend, duration, .. } => {
            (WARNING, format!("{} is cooling for {duration:?}, by hand", backend.name()))
        }
        Event::Drained { backend } => (INFO, format!("{} is drained", backend.name())),
        Event::Reopened { backend } => (INFO, format!("{} is reopened", backend.name())),
        Event::Replaced { replaced } => (INFO, format!("the backends were replaced: {replaced}")),
        Event::Exhausted { request, exhausted, attempts, .. } => {
            (WARNING, format!("request {request} after {attempts} attempts: {exhausted}"))
        }
        _ => return None,
    })
}
