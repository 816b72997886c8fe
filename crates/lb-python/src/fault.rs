//! Faults, by the names that the Python side calls them.

use std::{error::Error, fmt};

use lb_core::{Detail, Fault, causes};
use pyo3::{exceptions::PyValueError, prelude::*};

const FAULTS: [Fault; 6] =
    [Fault::Connect, Fault::ConnectTimeout, Fault::Timeout, Fault::Reset, Fault::Credential, Fault::Request];

/// The fault of this name.
pub(crate) fn named(name: &str) -> PyResult<Fault> {
    let found = FAULTS.into_iter().find(|fault| fault.as_str() == name);
    found.ok_or_else(|| PyValueError::new_err("no such fault"))
}

/// What an exception says, without URLs and queries, which can be secret.
pub(crate) fn detail(text: &str) -> Detail {
    Detail::from_text(&causes(&Said(text.to_owned())))
}

#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Said {}
