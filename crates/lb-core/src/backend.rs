//! A backend: where a deployment lives, how much it is preferred, and which credential it takes.

mod builder;
mod caller_credentials;
mod destination;
mod dot_segment;
mod endpoint;
mod host;
#[cfg(feature = "json")]
mod models;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::uri::{Authority, Scheme};

use crate::credential::{Credential, CredentialSource};
pub use builder::BackendBuilder;
pub(crate) use caller_credentials::CallerCredentials;
pub use caller_credentials::{CALLER_CREDENTIAL_PARAMETERS, CALLER_CREDENTIALS};
pub(crate) use destination::Destination;
pub(crate) use dot_segment::has_dot_segment;
use endpoint::Endpoint;
#[cfg(feature = "json")]
pub(crate) use models::Models;

/// One deployment that can serve requests: an origin, a priority, and optionally a weight, a credential, a path
/// prefix and a deployment name.
///
/// A `Backend` is always valid: everything invalid is refused when it is built. It does not change; clones share it.
///
/// # Endpoint
///
/// A host (`name.openai.azure.com`), a `host:port`, or a URL with scheme and path prefix
/// (`https://gateway.example/team-a`). Without a scheme it is `https`. A path prefix is put before the path of every
/// request. Where the paths of your SDK begin with `/openai/v1` themselves, leave that out of the endpoint: they would
/// have it twice, which Azure answers with a 404. A `tracing` warning says so, once for each backend, when a request's
/// path begins with a segment that the prefix has too.
///
/// # Deployment
///
/// [`deployment`](BackendBuilder::deployment) rewrites exactly the path segment after `/deployments/`, so that one
/// request fits resources whose deployments have different names. A path without that segment is left alone.
///
/// # Model
///
/// On Azure's `/openai/v1/..` the path has no deployment: the `model` of the JSON body is its name. With the feature `json`
/// a backend can have a name of its own for every model (`BackendBuilder::model`), or for some
/// (`BackendBuilder::model_for`). It replaces the value of the top-level member `model`, from the caller's own body for
/// each attempt, and no other byte changes. That is done where
///
/// - the path has no `/deployments/`;
/// - the content type is `application/json` or `application/..+json`;
/// - the body is in memory: an object with one `model`, which is text;
/// - the adapter has its feature `json` on.
///
/// Else the body goes out as it is, which is no error but an event, `Event::Unmapped`. So goes a multipart form, which has
/// the model in a part: there deployments need the same name on every resource. Without the feature, bodies are never read
/// or changed, and deployments need the same name for all of `/openai/v1`.
///
/// # Credentials
///
/// A backend with a credential of its own gets that one, and none of the caller's. These are removed:
///
/// | from | removed | which is a credential for |
/// | --- | --- | --- |
/// | headers | `api-key` | Azure OpenAI |
/// | | `authorization` | Entra ID, OpenAI, and most others |
/// | | `x-api-key` | Anthropic, gateways |
/// | | `x-goog-api-key` | Google |
/// | | `ocp-apim-subscription-key` | API Management |
/// | | `proxy-authorization` | a proxy on the way to another host |
/// | | `cookie` | whatever the caller logged in to |
/// | the query | `api-key`, `api_key` | Azure OpenAI, gateways |
/// | | `subscription-key` | API Management |
/// | | `key` | Google |
/// | | `access_token` | RFC 6750 |
/// | | `sig` | Azure's shared access signatures |
/// | the URL | a user name and a password | |
///
/// [`caller_credential_header`](BackendBuilder::caller_credential_header) and
/// [`caller_credential_parameter`](BackendBuilder::caller_credential_parameter) add to the list. A backend without a
/// credential of its own gets all of these as the caller wrote them, but for the user name and the password.
///
/// # Example
///
/// ```
/// use lb_core::Backend;
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let ptu = Backend::new("ptu.openai.azure.com", 1)?;
/// let standard = Backend::builder("https://gateway.example:8443/team-a")
///     .name("standard-sweden")
///     .priority(2)
///     .weight(3)
///     .api_key("an example key")
///     .deployment("gpt-4o-2")
///     .build()?;
/// assert_eq!(standard.origin(), "https://gateway.example:8443");
/// assert!(Backend::new("ftp://files.example", 1).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Backend(Arc<Parts>);

/// What a backend is made of.
struct Parts {
    name: Arc<str>,
    priority: u32,
    weight: u32,
    endpoint: Endpoint,
    deployment: Option<String>,
    /// What its name is to keys of affinity.
    name_hash: u64,
    #[cfg(feature = "json")]
    models: Models,
    auth: Auth,
    caller_credentials: CallerCredentials,
    /// Whether somebody was told that its path prefix and a request's path overlap.
    overlap_is_told: AtomicBool,
}

/// How requests to a backend are authenticated.
pub(crate) enum Auth {
    /// Nothing was said: the caller's credential, if no backend has one.
    Unspecified,
    /// The caller's credential, said explicitly.
    Caller,
    /// A fixed credential.
    Fixed(Credential),
    /// A credential that is obtained for each attempt.
    Source(Arc<dyn CredentialSource>),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspecified | Self::Caller => f.write_str("caller's credential"),
            Self::Fixed(credential) => credential.fmt(f),
            Self::Source(_) => f.write_str("credential source"),
        }
    }
}

impl Backend {
    /// The name for logs and metrics; by default the endpoint without its scheme.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.0.name
    }

    pub(crate) fn name_hash(&self) -> u64 {
        self.0.name_hash
    }

    /// Whether it is the same place as the other one, whatever it is called and whoever comes there.
    pub(crate) fn shares_endpoint_with(&self, other: &Self) -> bool {
        Destination::of(self).is_of_one_endpoint_with(&Destination::of(other))
    }

    /// Whether it is of the same resource as the other one: what is stored at one can be read at the other.
    pub(crate) fn shares_resource_with(&self, other: &Self) -> bool {
        Destination::of(self).is_of_one_resource_with(&Destination::of(other))
    }

    /// The priority from 1; lower is preferred.
    #[must_use]
    pub fn priority(&self) -> u32 {
        self.0.priority
    }

    /// The weight among the backends of the same priority, from 1 to 100.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.0.weight
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.0.endpoint.scheme
    }

    /// Host and port, as in the `Host` header; without a port it is the scheme's.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.0.endpoint.authority
    }

    /// The host of the authority, an IPv6 address with its brackets: known, because to look for it takes longer.
    #[cfg(feature = "url")]
    pub(crate) fn host(&self) -> &str {
        &self.0.endpoint.authority.as_str()[..self.0.endpoint.host_length]
    }

    /// The port of the authority, if it has one.
    #[cfg(feature = "url")]
    pub(crate) fn port(&self) -> Option<u16> {
        self.0.endpoint.port
    }

    /// Scheme and authority: `https://name.openai.azure.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.0.endpoint.scheme, self.0.endpoint.authority)
    }

    /// What is put before the path of every request: empty, or `/` and segments, without a `/` at the end.
    #[must_use]
    pub fn path_prefix(&self) -> &str {
        &self.0.endpoint.path_prefix
    }

    /// The deployment name that replaces the one in the request's path.
    #[must_use]
    pub fn deployment(&self) -> Option<&str> {
        self.0.deployment.as_deref()
    }

    /// The name for the model in the bodies of requests, whatever their callers call it.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.0.models.general()
    }

    /// The name for the model that a caller calls `callers`; `None` if that name stays.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn model_for(&self, callers: &str) -> Option<&str> {
        self.0.models.at_backend(callers)
    }

    /// Whether it has names of its own for models. If not, the bodies of requests are not looked at.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn has_models(&self) -> bool {
        !self.0.models.is_empty()
    }

    #[cfg(feature = "json")]
    pub(crate) fn models(&self) -> &Models {
        &self.0.models
    }

    /// Whether requests to this backend carry a credential of its own instead of the caller's.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        matches!(self.0.auth, Auth::Fixed(_) | Auth::Source(_))
    }

    /// What is not handed on to it, if it has a credential of its own.
    pub(crate) fn caller_credentials(&self) -> &CallerCredentials {
        &self.0.caller_credentials
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// Whether nobody was told yet that its path prefix and a request's path overlap; from now on somebody is.
    pub(crate) fn is_first_overlap(&self) -> bool {
        !self.0.overlap_is_told.load(Ordering::Relaxed) && !self.0.overlap_is_told.swap(true, Ordering::Relaxed)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Backend");
        debug
            .field("name", &self.0.name)
            .field("priority", &self.0.priority)
            .field("weight", &self.0.weight)
            .field("origin", &self.origin())
            .field("path_prefix", &self.path_prefix())
            .field("deployment", &self.0.deployment);
        #[cfg(feature = "json")]
        debug.field("models", &self.0.models);
        debug.field("auth", &self.0.auth).finish()
    }
}
