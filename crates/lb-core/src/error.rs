//! What can go wrong: building a pool, sending a request, and having no backend left.

use std::{convert::Infallible, error::Error as StdError, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::credential::CredentialError;

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
            Self::Exhausted(exhausted) => Error::Exhausted(exhausted),
        }
    }
}

impl<E> From<AddressError> for Error<E> {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
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
            Self::Exhausted(exhausted) => exhausted.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // Transparent: the text is the transport's own, so its cause is the next one.
            Self::Transport(error) => error.source(),
            Self::Address(_) => None,
            Self::Credential { source, .. } => Some(source),
            Self::Exhausted(_) => None,
        }
    }
}

/// The verdict that no backend can take the request now, and when to come back.
///
/// A synthesised 429 carries it in its extensions, so that it can be told apart from a backend's own 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    soonest: Duration,
    cooling: usize,
    backends: usize,
}

impl Exhausted {
    pub(crate) const fn new(soonest: Duration, cooling: usize, backends: usize) -> Self {
        Self { soonest, cooling, backends }
    }

    /// How long until the soonest backend of the whole pool is available again, to the nanosecond.
    ///
    /// A backend that is available, but was already tried by this request, or is beyond its `max_attempts`, counts as one
    /// second.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.soonest
    }

    /// The `Retry-After` of the synthesised 429: whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after_secs(&self) -> u64 {
        let round_up = u64::from(self.soonest.subsec_nanos() > 0);
        self.soonest.as_secs().saturating_add(round_up).max(1)
    }

    /// The `retry-after-ms` of the synthesised 429: whole milliseconds, rounded up.
    #[must_use]
    pub fn retry_after_millis(&self) -> u64 {
        u64::try_from(self.soonest.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// How many backends of the pool are cooling down.
    #[must_use]
    pub const fn cooling(&self) -> usize {
        self.cooling
    }

    /// How many backends the pool has.
    #[must_use]
    pub const fn backends(&self) -> usize {
        self.backends
    }

    /// The synthesised answer: status 429, `retry-after` (whole seconds), `retry-after-ms`, `content-type:
    /// application/json`, an OpenAI-style error object as the body, and this value in the extensions.
    ///
    /// SDKs retry on it: they read the headers, and the body as `{"error": {"message", "type", "param", "code"}}`
    /// ([OpenAI error codes](https://platform.openai.com/docs/guides/error-codes)).
    ///
    /// ```
    /// # use lb_core::{Backend, Pool, Step, ThreadRng, Outcome};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = Pool::new([Backend::new("a.openai.azure.com", 1)?])?;
    /// # let mut dispatch = pool.dispatch();
    /// # let Step::Try(_) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!() };
    /// # let _ = dispatch.settle(Outcome::answered(429, [("retry-after", "4")].as_slice(), || pool.wall()), || pool.now());
    /// let Step::Exhausted(exhausted) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!() };
    /// let response = exhausted.to_response();
    /// assert_eq!(response.status(), 429);
    /// assert_eq!(response.headers()["retry-after"], "4");
    /// assert!(response.extensions().get::<lb_core::Exhausted>().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_response(&self) -> http::Response<Bytes> {
        let mut response = http::Response::new(self.body());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_secs()));
        headers.insert("retry-after-ms", HeaderValue::from(self.retry_after_millis()));
        response.extensions_mut().insert(*self);
        response
    }

    /// The JSON body of the synthesised answer.
    #[must_use]
    pub fn body(&self) -> Bytes {
        // The message is made of numbers and fixed words: nothing in it needs escaping.
        Bytes::from(format!(
            r#"{{"error":{{"message":"{self}","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}}}"#
        ))
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cooling, backends, .. } = self;
        let secs = self.retry_after_secs();
        write!(f, "no backend available for {secs} s ({cooling} of {backends} cooling down)")
    }
}

impl StdError for Exhausted {}

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

/// A backend or a pool that cannot be built. No variant prints a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The pool has no backend.
    NoBackends,
    /// A backend is invalid.
    Backend {
        /// Its name, or its endpoint without anything that could be secret.
        backend: String,
        /// What is wrong with it.
        problem: BackendProblem,
    },
    /// Two backends have the same name; give them different ones with `name`.
    DuplicateName {
        /// The name that occurs twice.
        backend: String,
    },
    /// Some backends have a credential of their own, and this one does not say what it wants.
    MixedCredentials {
        /// The backend without a credential.
        backend: String,
    },
    /// An option of the pool is out of range.
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with its value.
        problem: &'static str,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBackends => f.write_str("the pool has no backend; add at least one"),
            Self::Backend { backend, problem } => write!(f, "backend {backend}: {problem}"),
            Self::DuplicateName { backend } => {
                write!(f, "backend {backend}: another one has the same name; give each its own with name(..)")
            }
            Self::MixedCredentials { backend } => write!(
                f,
                "backend {backend}: it has no credential of its own while others have; give it one, or say \
                 forward_caller_credential() if the caller's key may go there"
            ),
            Self::Option { option, problem } => write!(f, "pool option {option}: {problem}"),
        }
    }
}

impl StdError for BuildError {}

/// What is wrong with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendProblem {
    /// The endpoint is empty, or is not a host, `host:port` or URL.
    Endpoint,
    /// The endpoint has control characters, white space or a backslash.
    Characters,
    /// The scheme is neither `https` nor `http`.
    Scheme,
    /// The endpoint has a user name or password.
    UserInfo,
    /// The endpoint has a query or a fragment.
    QueryOrFragment,
    /// The host is not a DNS name (international names in their `xn--` form), an IPv4 or a bracketed IPv6 address.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The path prefix has empty, `.` or `..` segments.
    PathPrefix,
    /// The priority is not at least 1.
    Priority,
    /// The weight is not from 1 to 100.
    Weight,
    /// The name is empty or has control characters.
    Name,
    /// The deployment name is not made of letters, digits, `-`, `_`, `.` and `~`, or it is `.` or `..`.
    Deployment,
    /// The credential is empty or cannot be a header's value.
    Credential,
    /// More than one of key, token, source and `forward_caller_credential` is set.
    CredentialConflict,
}

impl fmt::Display for BackendProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoint => "the endpoint is not a host, host:port or URL such as https://name.openai.azure.com",
            Self::Characters => "the endpoint has control characters, white space or a backslash; remove them",
            Self::Scheme => "the scheme is neither https nor http",
            Self::UserInfo => "the endpoint has a user name or password; use api_key(..) or bearer_token(..)",
            Self::QueryOrFragment => "the endpoint has a query or fragment; those belong to the request",
            Self::Host => "the host is no DNS name (xn-- form), IPv4 or [IPv6] address",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::PathPrefix => "the path prefix has empty, . or .. segments",
            Self::Priority => "the priority is not at least 1",
            Self::Weight => "the weight is not from 1 to 100",
            Self::Name => "the name is empty or has control characters",
            Self::Deployment => "the deployment name has characters other than letters, digits, - _ . ~",
            Self::Credential => "the credential is empty or has characters that a header cannot carry",
            Self::CredentialConflict => {
                "more than one of api_key, bearer_token, credential_source and forward_caller_credential is set"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transports_error_is_told_apart_from_the_balancers_own() {
        assert_eq!(Error::Transport("theirs").into_transport().unwrap(), "theirs");
        let exhausted = Exhausted::new(Duration::from_secs(4), 1, 2);
        let address = AddressError::new("a", "too long");
        let credential = Error::Credential { backend: "a".to_owned(), source: CredentialError::new("expired") };
        for ours in [Error::<&str>::Address(address), credential, Error::Exhausted(exhausted)] {
            let text = ours.to_string();
            assert_eq!(ours.into_transport().unwrap_err().to_string(), text);
        }
    }
}
