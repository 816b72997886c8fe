//! The beginning of a stream whose head announces a refusal.

use std::sync::{Mutex, PoisonError};

use lb_core::Refusal;
use lb_peek::{Classifier, Verdict};
use pyo3::prelude::*;

/// Reads the beginning of a stream of events, and says when that is enough.
#[pyclass(module = "lb_python._core")]
#[derive(Debug, Default)]
pub(crate) struct Peek {
    /// Behind a lock only because Python may hand it to any thread.
    classifier: Mutex<Classifier>,
    pub(crate) refusal: Option<Refusal>,
}

#[pymethods]
impl Peek {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; gives whether it has seen enough.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        let verdict = self.classifier.get_mut().unwrap_or_else(PoisonError::into_inner).feed(bytes);
        self.take(verdict)
    }

    /// The stream has ended.
    fn end(&mut self) {
        let verdict = self.classifier.get_mut().unwrap_or_else(PoisonError::into_inner).end();
        self.take(verdict);
    }

    /// Whether the stream refuses the request.
    #[getter]
    fn refuses(&self) -> bool {
        self.refusal.is_some()
    }
}

impl Peek {
    fn take(&mut self, verdict: Verdict) -> bool {
        if let Verdict::Refused(refusal) = verdict {
            self.refusal = Some(refusal);
        }
        verdict != Verdict::Undecided
    }
}
