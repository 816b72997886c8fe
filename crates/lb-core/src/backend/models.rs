//! The names that models have at a backend.

use std::collections::BTreeMap;

use crate::build_error::BackendProblem;

/// What a backend calls the models that callers name.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Models {
    /// The one for every name that is not below.
    general: Option<String>,
    /// By the caller's name.
    exact: BTreeMap<String, String>,
}

impl Models {
    pub(super) fn set_general(&mut self, name: String) {
        self.general = Some(name);
    }

    /// Adds one for a caller's name; `false` if there is one for it already.
    #[must_use]
    pub(super) fn add_exact(&mut self, callers: String, backends: String) -> bool {
        self.exact.insert(callers, backends).is_none()
    }

    /// What is wrong with the names.
    pub(super) fn problem(&self) -> Option<BackendProblem> {
        let is_name = |name: &String| !name.trim().is_empty() && !name.contains(char::is_control);
        if !self.general.iter().chain(self.exact.values()).all(is_name) {
            Some(BackendProblem::Model)
        } else if !self.exact.keys().all(is_name) {
            Some(BackendProblem::CallersModel)
        } else {
            None
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.general.is_none() && self.exact.is_empty()
    }

    /// The one for every name without one of its own.
    pub(super) fn general(&self) -> Option<&str> {
        self.general.as_deref()
    }

    /// The name at the backend for a caller's; `None` if the caller's is the backend's too.
    pub(crate) fn at_backend(&self, callers: &str) -> Option<&str> {
        self.exact.get(callers).or(self.general.as_ref()).map(String::as_str)
    }
}
