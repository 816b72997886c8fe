//! One request's walk over a pool.

use std::{mem, sync::Arc};

use lb_core::{
    Attempt, Credential, Detail, Dispatch, NotRepeated, Outcome, Pool as CorePool, Step, ThreadRng, Verdict,
    announces_refusal,
};
use pyo3::{
    IntoPyObjectExt,
    exceptions::{PyRuntimeError, PyValueError},
    intern,
    prelude::*,
    types::{PyBytes, PyList},
};

use crate::{
    exhausted::Exhausted,
    fault,
    headers::{Lines, with_line},
    peek::Peek,
    pool::Pool,
};

/// One request's walk: where it goes next, and what came of it. Dropped or closed while an attempt is open, that attempt has
/// been cancelled, and nobody is to blame.
#[pyclass(module = "lb_python._core")]
#[derive(Debug)]
pub(crate) struct Walk {
    /// Nothing once it is closed.
    dispatch: Option<Dispatch<Arc<CorePool>>>,
    attempt: Option<Attempt>,
}

impl Walk {
    pub(crate) const fn new(dispatch: Dispatch<Arc<CorePool>>) -> Self {
        Self { dispatch: Some(dispatch), attempt: None }
    }

    fn dispatch(&mut self) -> PyResult<&mut Dispatch<Arc<CorePool>>> {
        self.dispatch.as_mut().ok_or_else(|| PyRuntimeError::new_err("the walk is closed"))
    }

    fn open(&self) -> PyResult<(&CorePool, &Attempt)> {
        let open = self.dispatch.as_ref().zip(self.attempt.as_ref());
        open.map(|(dispatch, attempt)| (&**dispatch.pool(), attempt))
            .ok_or_else(|| PyRuntimeError::new_err("no attempt"))
    }

    fn settle(&mut self, outcome: Outcome, detail: impl FnOnce() -> Detail) -> PyResult<bool> {
        let dispatch = self.dispatch()?;
        let pool = Arc::clone(dispatch.pool());
        Ok(dispatch.settle_with(outcome, detail, || pool.now()) == Verdict::FailOver)
    }
}

#[pymethods]
impl Walk {
    /// The next step: the slot of a backend, the seconds to wait, or an `Exhausted`.
    fn next(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let dispatch = self.dispatch()?;
        let pool = Arc::clone(dispatch.pool());
        match dispatch.next(|| pool.now(), &ThreadRng) {
            Step::Try(attempt) => {
                let slot = attempt.slot();
                self.attempt = Some(attempt);
                slot.into_py_any(py)
            }
            Step::Wait(until) => until.saturating_since(pool.now()).as_secs_f64().into_py_any(py),
            Step::ReturnLast(refusal) => Exhausted::new(refusal, true).into_py_any(py),
            Step::Exhausted(refusal) => Exhausted::new(refusal, false).into_py_any(py),
        }
    }

    /// After a wait the request goes on in the pool that serves requests by now.
    fn go_on(&mut self, pool: &Bound<'_, Pool>) -> PyResult<()> {
        let Some(dispatch) = mem::take(&mut self.dispatch) else { return Ok(()) };
        let pool = Arc::clone(&pool.get().pool);
        self.dispatch = Some(dispatch.go_on(pool).map_err(|error| PyValueError::new_err(error.to_string()))?);
        self.attempt = None;
        Ok(())
    }

    /// The path and query of a request at the open attempt's backend, and whether the request stays there because of it.
    fn path(&self, original: &str) -> PyResult<(String, bool)> {
        let (pool, attempt) = self.open()?;
        let target = pool.target(attempt);
        let path = target.path_and_query(original).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok((path.into_owned(), target.is_guarded()))
    }

    /// The header lines of a request at the open attempt's backend: with its own host, its own credential in place of the
    /// caller's, if it has one, and the length of a body that was changed.
    #[pyo3(signature = (lines, token=None, length=None))]
    fn headers<'py>(
        &self,
        py: Python<'py>,
        lines: &Bound<'py, PyList>,
        token: Option<&str>,
        length: Option<usize>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (pool, attempt) = self.open()?;
        let target = pool.target(attempt);
        let invalid = |error: &dyn ToString| PyValueError::new_err(error.to_string());
        let of_token = token.map(Credential::bearer_token).transpose().map_err(|error| invalid(&error))?;
        let credential = match &of_token {
            Some(credential) => Some(credential),
            None => target.credential().map_err(|error| invalid(&error))?,
        };
        let addressed = PyList::empty(py);
        let host = target.backend().authority().as_str();
        addressed.append((PyBytes::new(py, b"Host"), PyBytes::new(py, host.as_bytes())))?;
        for line in lines {
            let goes_out = with_line(&line, |name, _| {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                !(target.removes_header(&name) || (length.is_some() && name == "content-length"))
            });
            if goes_out == Some(true) {
                addressed.append(line)?;
            }
        }
        if let Some(length) = length {
            addressed.append((PyBytes::new(py, b"Content-Length"), PyBytes::new(py, length.to_string().as_bytes())))?;
        }
        if let Some(credential) = credential {
            let name = PyBytes::new(py, credential.header().as_str().as_bytes());
            addressed.append((name, PyBytes::new(py, credential.value().as_bytes())))?;
        }
        Ok(addressed)
    }

    /// A body with the backend's name for its model; `None` if it goes out as it is.
    fn body<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let (pool, attempt) = self.open()?;
        let replaced = pool.target(attempt).body(path, content_type.map(str::as_bytes), body);
        Ok(replaced.map(|body| PyBytes::new(py, &body)))
    }

    /// Whether the head of a response announces a refusal inside its stream.
    #[staticmethod]
    fn announces_refusal(response: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(announces_refusal(200, &Lines::of(response)?))
    }

    /// Settles the open attempt by the head of its response, or by what its stream began with; gives whether the request fails
    /// over.
    #[pyo3(signature = (response, peek=None))]
    fn answered(&mut self, response: &Bound<'_, PyAny>, peek: Option<&Bound<'_, Peek>>) -> PyResult<bool> {
        let status: u16 = response.getattr(intern!(response.py(), "status_code"))?.extract()?;
        let lines = Lines::of(response)?;
        let pool = Arc::clone(self.dispatch()?.pool());
        let outcome = match peek.and_then(|peek| peek.borrow().refusal) {
            Some(refusal) => refusal.outcome(&lines, || pool.wall()),
            None => pool.outcome(status, &lines),
        };
        self.settle(outcome, || Detail::from_headers(&lines))
    }

    /// Settles the open attempt by a fault, and what the exception says; gives whether the request fails over.
    fn faulted(&mut self, name: &str, text: &str) -> PyResult<bool> {
        self.settle(Outcome::Faulted(fault::named(name)?), || fault::detail(text))
    }

    /// The request would fail over, and its body can be sent once only, or its path names what is stored there.
    fn cannot_repeat(&mut self, is_guarded: bool) -> PyResult<()> {
        let why = if is_guarded { NotRepeated::StatefulPath } else { NotRepeated::BodySpent };
        self.dispatch()?.cannot_repeat(why);
        Ok(())
    }

    /// How many attempts the request has made.
    #[getter]
    fn attempts(&mut self) -> PyResult<u32> {
        Ok(self.dispatch()?.attempts())
    }

    /// How many seconds the request has waited.
    #[getter]
    fn waited(&mut self) -> PyResult<f64> {
        Ok(self.dispatch()?.waited().as_secs_f64())
    }

    /// The request has ended.
    fn close(&mut self) {
        self.attempt = None;
        // After the borrow of nothing: what it tells may run Python.
        drop(self.dispatch.take());
    }
}
