//! Why a balancer has no response to return.

use std::{convert::Infallible, error::Error as StdError, fmt, time::Duration};

use crate::{credential::CredentialError, exhausted::Exhausted, pools::NoPool, wishes::WishError};

/// Why a balancer has no response to return.
///
/// `E` is the error of the transport.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// The transport failed and the request did not go to another backend: either the request may have been executed
    /// (a timeout or a reset after it went out), or no backend was left, or the fault is the request's own.
    Transport(E),
    /// The request cannot be addressed to a backend. Retrying does not help, and no backend is blamed.
    Address(AddressError),
    /// The backend's credential could not be had, and no other backend was left. Retry later.
    Credential {
        /// The name of the backend.
        backend: String,
        /// What its credential source said.
        source: CredentialError,
    },
    /// No head came within the [head timeout](crate::Wishes::head_timeout) that the request wished. The request may have been
    /// executed.
    HeadTimeout {
        /// The name of the backend.
        backend: String,
        /// How long it was given.
        after: Duration,
    },
    /// A wish of the request cannot be granted. Nothing was sent.
    Wish(WishError),
    /// No pool serves the request's model, where there are pools [by model](crate::Pools::by_model). Nothing was sent.
    NoPool(NoPool),
    /// No backend is available. Retry after [`Exhausted::retry_after`]. Only `try_send` returns it: `send` answers
    /// with a synthesised 429 instead.
    Exhausted(Exhausted),
}

impl<E> Error<E> {
    /// The transport's own error; `Err` with every other variant, whose type then does not depend on the transport.
    ///
    /// For adapters that hand out errors of a foreign type: theirs as it came, the balancer's wrapped.
    ///
    /// # Errors
    ///
    /// If it is none of the transport's.
    pub fn into_transport(self) -> Result<E, Error<Infallible>> {
        match self {
            Self::Transport(error) => Ok(error),
            Self::Address(error) => Err(Error::Address(error)),
            Self::Credential { backend, source } => Err(Error::Credential { backend, source }),
            Self::HeadTimeout { backend, after } => Err(Error::HeadTimeout { backend, after }),
            Self::Wish(error) => Err(Error::Wish(error)),
            Self::NoPool(error) => Err(Error::NoPool(error)),
            Self::Exhausted(exhausted) => Err(Error::Exhausted(exhausted)),
        }
    }

    /// The same error with the transport's replaced by what `map` makes of it: for a transport over another one.
    #[must_use]
    pub fn map_transport<F>(self, map: impl FnOnce(E) -> F) -> Error<F> {
        match self {
            Self::Transport(error) => Error::Transport(map(error)),
            Self::Address(error) => Error::Address(error),
            Self::Credential { backend, source } => Error::Credential { backend, source },
            Self::HeadTimeout { backend, after } => Error::HeadTimeout { backend, after },
            Self::Wish(error) => Error::Wish(error),
            Self::NoPool(error) => Error::NoPool(error),
            Self::Exhausted(exhausted) => Error::Exhausted(exhausted),
        }
    }
}

impl<E> From<AddressError> for Error<E> {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl<E> From<WishError> for Error<E> {
    fn from(error: WishError) -> Self {
        Self::Wish(error)
    }
}

impl<E> From<NoPool> for Error<E> {
    fn from(error: NoPool) -> Self {
        Self::NoPool(error)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::Address(error) => error.fmt(f),
            Self::Credential { backend, .. } => {
                write!(f, "no credential for backend {backend}; check its credential source")
            }
            Self::HeadTimeout { backend, after } => write!(f, "no head came from backend {backend} within {after:?}"),
            Self::Wish(error) => error.fmt(f),
            Self::NoPool(error) => error.fmt(f),
            Self::Exhausted(exhausted) => exhausted.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // Transparent: the text is the transport's own, so its cause is the next one.
            Self::Transport(error) => error.source(),
            Self::Address(_) | Self::HeadTimeout { .. } | Self::Wish(_) | Self::NoPool(_) => None,
            Self::Credential { source, .. } => Some(source),
            Self::Exhausted(_) => None,
        }
    }
}

/// A request that cannot be addressed to a backend. No backend is blamed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    backend: String,
    problem: &'static str,
}

impl AddressError {
    /// An error that says why a request cannot be addressed to `backend`; `problem` must not quote the request.
    pub fn new(backend: impl Into<String>, problem: &'static str) -> Self {
        Self { backend: backend.into(), problem }
    }

    /// The name of the backend.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request cannot be addressed to backend {}: {}", self.backend, self.problem)
    }
}

impl StdError for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exhausted::Totals;

    #[test]
    fn a_transports_error_is_told_apart_from_the_balancers_own() {
        assert_eq!(Error::Transport("theirs").into_transport().unwrap(), "theirs");
        let exhausted = Exhausted::new(Totals::default(), [].into(), true);
        let address = AddressError::new("a", "too long");
        let credential = Error::Credential { backend: "a".to_owned(), source: CredentialError::new("expired") };
        for ours in [Error::<&str>::Address(address), credential, Error::Exhausted(exhausted)] {
            let text = ours.to_string();
            assert_eq!(ours.into_transport().unwrap_err().to_string(), text);
        }
    }
}
