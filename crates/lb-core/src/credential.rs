//! Credentials: what authenticates a request at one backend, and where it comes from.

mod rotating;
mod secret;

use std::{error::Error as StdError, fmt, sync::Arc};

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::{build_error::BackendProblem, future::BoxFuture};
pub use rotating::RotatingCredential;

/// One header that authenticates a request: `api-key: ...` or `authorization: Bearer ...`.
///
/// The value is never printed: `Debug` shows the header's name only, and the value is marked as sensitive, so that
/// HTTP stacks neither log nor index it.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// An Azure OpenAI key, sent as `api-key`.
    ///
    /// # Errors
    ///
    /// If `key` cannot be a key: it is empty, has white space or quotes around it, control characters or any beyond
    /// ASCII, begins with `Bearer`, or is a placeholder such as `<your-key>`. The error says which.
    pub fn api_key(key: impl AsRef<str>) -> Result<Self, CredentialError> {
        Self::checked_key(key.as_ref()).map_err(unusable)
    }

    /// A bearer token, sent as `authorization: Bearer ...`: an Entra ID token or an OpenAI key.
    ///
    /// # Errors
    ///
    /// If `token` cannot be a token, as for [`api_key`](Credential::api_key).
    pub fn bearer_token(token: impl AsRef<str>) -> Result<Self, CredentialError> {
        Self::checked_token(token.as_ref()).map_err(unusable)
    }

    pub(crate) fn checked_key(key: &str) -> Result<Self, BackendProblem> {
        secret::check(key)?;
        Self::from_value(HeaderName::from_static("api-key"), key)
    }

    pub(crate) fn checked_token(token: &str) -> Result<Self, BackendProblem> {
        secret::check(token)?;
        Self::from_value(AUTHORIZATION, &format!("Bearer {token}"))
    }

    fn from_value(header: HeaderName, value: &str) -> Result<Self, BackendProblem> {
        // The parse error is dropped on purpose: it must not be able to quote the secret.
        let mut value = HeaderValue::from_str(value).map_err(|_| BackendProblem::CredentialCharacters)?;
        value.set_sensitive(true);
        // The first clone makes the bytes shared, with an allocation: better here than in a request.
        drop(value.clone());
        Ok(Self { header, value })
    }

    /// The header that carries the credential.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The header's value: the secret itself, marked as sensitive.
    #[must_use]
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }
}

fn unusable(problem: BackendProblem) -> CredentialError {
    CredentialError::new(problem.to_string())
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}: redacted)", self.header)
    }
}

/// Where a backend's credential comes from when it is not a fixed key: a token cache, a vault. For a key that you
/// replace yourself there is [`RotatingCredential`].
///
/// # Contract
///
/// 1. [`credential`](CredentialSource::credential) is called once per attempt, before anything is sent, from any
///    thread and concurrently. It should answer from a cache: a request waits for it.
/// 2. An error, and under a [`BlockingLoadBalancer`](crate::BlockingLoadBalancer) a future that is not ready when
///    first polled, is this backend's fault: it cools down, and the request goes to the next one.
/// 3. An error's text must not contain the secret.
///
/// # Cancel safety
///
/// The future is dropped when the caller drops the request, or at once if it is not ready under a blocking balancer.
/// A fetch that others wait for should therefore run in a task of its own.
///
/// # Example
///
/// ```
/// use lb_core::{BoxFuture, Credential, CredentialError, CredentialSource};
/// use std::path::PathBuf;
///
/// /// A key in a file that something else keeps up to date: a mounted secret.
/// struct Mounted(PathBuf);
///
/// impl CredentialSource for Mounted {
///     fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
///         let key = std::fs::read_to_string(&self.0).map_err(CredentialError::new);
///         Box::pin(std::future::ready(key.and_then(|key| Credential::api_key(key.trim()))))
///     }
/// }
/// ```
pub trait CredentialSource: Send + Sync {
    /// The credential for one attempt.
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>>;

    /// A number that all handles of one source have in common and no other source has, such as the address of what
    /// they share; `None`, the default, if there is no telling.
    ///
    /// By it a pool notices that two of its backends are one endpoint under one credential, and refuses them.
    fn identity(&self) -> Option<usize> {
        None
    }
}

impl<S: CredentialSource + ?Sized> CredentialSource for Arc<S> {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        (**self).credential()
    }

    fn identity(&self) -> Option<usize> {
        (**self).identity().or_else(|| Some(Self::as_ptr(self).addr()))
    }
}

/// A fixed credential is ready at once.
impl CredentialSource for Credential {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}

/// A credential could not be had. It fails over: another backend may have its own.
#[derive(Debug)]
pub struct CredentialError(Box<dyn StdError + Send + Sync>);

impl CredentialError {
    /// An error with a reason, which must not contain the secret.
    pub fn new(reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for CredentialError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_which_header_and_that_its_value_is_left_out() {
        let key = Credential::api_key("CANARY").unwrap();
        assert_eq!(format!("{key:?}"), "Credential(api-key: redacted)");
    }

    #[test]
    fn an_error_hands_on_its_cause() {
        #[derive(Debug)]
        struct Outer(fmt::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no vault")
            }
        }
        impl StdError for Outer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        assert!(CredentialError::new(Outer(fmt::Error)).source().is_some());
        assert!(CredentialError::new("sealed").source().is_none());
    }

    #[test]
    fn a_source_hears_what_is_wrong_as_a_builder_does() {
        for (secret, says) in [
            ("CANARY\n", "trim it"),
            ("\"CANARY\"", "quotes"),
            ("Bearer CANARY", "leave that out"),
            ("<CANARY>", "placeholder"),
            ("CANARY\0CANARY", "control characters"),
        ] {
            for error in [Credential::api_key(secret).unwrap_err(), Credential::bearer_token(secret).unwrap_err()] {
                let printed = format!("{error} {error:?}");
                assert!(printed.contains(says) && !printed.contains("CANARY"), "{printed}");
            }
        }
    }

    #[test]
    fn a_sound_key_is_sent_as_it_is_and_a_token_after_bearer() {
        let key = Credential::api_key("k").unwrap();
        assert_eq!((key.header().as_str(), key.value().as_bytes()), ("api-key", &b"k"[..]));
        let token = Credential::bearer_token("t").unwrap();
        assert_eq!((token.header().as_str(), token.value().as_bytes()), ("authorization", &b"Bearer t"[..]));
        assert!(key.value().is_sensitive() && token.value().is_sensitive());
    }
}
