//! What the transport knows of an error, put into it: isahc makes its errors itself, and has no place for more.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, ErrorKind},
};

use lb_core::Fault;

/// What kind of fault an error is, around that error.
#[derive(Debug)]
pub(crate) struct Mark {
    fault: Fault,
    says: &'static str,
    kind: ErrorKind,
    error: Box<dyn StdError + Send + Sync>,
}

impl Mark {
    pub(crate) fn new(fault: Fault, says: &'static str, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        Self { fault, says, kind: error.kind(), error: error.into() }
    }

    /// An error of the same kind with this mark.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::new(self.kind, self)
    }

    /// An error of isahc's with this mark; it is a timeout if the marked one is.
    pub(crate) fn into_isahc(self) -> isahc::Error {
        self.into_io().into()
    }

    /// The fault that the error is marked with, if it is.
    pub(crate) fn fault_of(error: &isahc::Error) -> Option<Fault> {
        let source = error.source()?.downcast_ref::<io::Error>()?;
        source.get_ref()?.downcast_ref::<Self>().map(|mark| mark.fault)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.says, self.error)
    }
}

impl StdError for Mark {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.error)
    }
}
