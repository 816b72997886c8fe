//! Credentials: what authenticates a request at one backend, and where it comes from.

mod rotating;

use std::{error::Error as StdError, fmt, sync::Arc};

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::future::BoxFuture;
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
    /// If `key` is empty or cannot be a header's value (control characters).
    pub fn api_key(key: impl AsRef<str>) -> Result<Self, CredentialError> {
        Self::from_text(HeaderName::from_static("api-key"), key.as_ref(), key.as_ref())
    }

    /// A bearer token, sent as `authorization: Bearer ...`: an Entra ID token or an OpenAI key.
    ///
    /// # Errors
    ///
    /// If `token` is empty or cannot be a header's value (control characters).
    pub fn bearer_token(token: impl AsRef<str>) -> Result<Self, CredentialError> {
        let token = token.as_ref();
        Self::from_text(AUTHORIZATION, token, &format!("Bearer {token}"))
    }

    fn from_text(header: HeaderName, secret: &str, value: &str) -> Result<Self, CredentialError> {
        if secret.trim().is_empty() {
            return Err(CredentialError::new("the credential is empty"));
        }
        // The parse error is dropped on purpose: it must not be able to quote the secret.
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| CredentialError::new("the credential has characters that a header cannot carry"))?;
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
