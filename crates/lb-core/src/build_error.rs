//! What can be wrong with a backend or a pool.

use std::{error::Error as StdError, fmt};

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
    /// Two backends are one endpoint: the same origin, path prefix, deployment, names of models and credential.
    ///
    /// A request would fail over from it to itself, and a cooldown would hold for half of it.
    DuplicateEndpoint {
        /// The name of the one.
        first: String,
        /// The name of the other.
        second: String,
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
            Self::DuplicateEndpoint { first, second } => write!(
                f,
                "backends {first} and {second}: they have the same endpoint, deployment, models and credential; keep one of \
                 them and give it more weight, or give them different deployments, models or keys"
            ),
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
    /// The host is missing, is no IPv6 address inside its brackets, or has characters other than letters, digits, `-`,
    /// `_` and `.`.
    Host,
    /// The host has letters beyond ASCII. It is sent in its `xn--` form, and has to be given so.
    HostInternational,
    /// A label of the host, which is what stands between two dots, is empty, longer than 63 characters, or begins or
    /// ends with `-`.
    HostLabel,
    /// The host is longer than 253 characters.
    HostLength,
    /// The last label of the host is a number, and the host no IPv4 address of four numbers from 0 to 255: `1.2` or
    /// `0x7f.1`, which URL parsers read as other hosts than they seem.
    HostNumber,
    /// A label of the host begins with `xn--`, and is no international name in that form.
    HostPunycode,
    /// The host ends with a dot, with which certificates and servers do not know it.
    HostTrailingDot,
    /// The host is an IPv6 address without brackets, which end it where a port may follow: `[::1]`, `[::1]:8080`.
    Ipv6Brackets,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The path prefix has empty, `.` or `..` segments, these also percent-encoded or before a `;`.
    PathPrefix,
    /// The priority is not at least 1.
    Priority,
    /// The weight is not from 1 to 100.
    Weight,
    /// The name is empty or has control characters.
    Name,
    /// The deployment name is not made of letters, digits, `-`, `_`, `.` and `~`, or it is `.` or `..`.
    Deployment,
    /// A name given to `model`, or the second one given to `model_for`, is empty or has control characters.
    Model,
    /// The first name given to `model_for`, which is the caller's, is empty or has control characters.
    CallersModel,
    /// The same name of callers was given to `model_for` twice.
    ModelConflict,
    /// The credential is empty.
    CredentialEmpty,
    /// The credential has control characters, which no header can carry, or characters beyond ASCII, which no key has.
    CredentialCharacters,
    /// The credential begins or ends with white space, such as the line end of the file that it was read from.
    CredentialWhiteSpace,
    /// The credential has quotes around it.
    CredentialQuotes,
    /// The credential begins with `Bearer`, which would be sent twice, or as part of a key.
    CredentialScheme,
    /// The credential is a placeholder that was never filled in, such as `<your-key>`.
    CredentialPlaceholder,
    /// More than one of key, token, source and `forward_caller_credential` is set.
    CredentialConflict,
    /// What was given to `caller_credential_header` is no name of a header.
    CallerHeader,
    /// What was given to `caller_credential_parameter` is no name of a query parameter.
    CallerParameter,
}

impl fmt::Display for BackendProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoint => "the endpoint is not a host, host:port or URL such as https://name.openai.azure.com",
            Self::Characters => "the endpoint has control characters, white space or a backslash; remove them",
            Self::Scheme => "the scheme is neither https nor http; write https also for wss",
            Self::UserInfo => "the endpoint has a user name or password; use api_key(..) or bearer_token(..)",
            Self::QueryOrFragment => "the endpoint has a query or fragment; those belong to the request",
            Self::Host => {
                "the host is no DNS name of letters, digits, - _ and ., no IPv4 address, and no [IPv6] address without a zone"
            }
            Self::HostInternational => "the host has letters beyond ASCII; write it in its xn-- form",
            Self::HostLabel => {
                "a part of the host between two dots is empty, longer than 63 characters, or begins or ends with -"
            }
            Self::HostLength => "the host is longer than 253 characters; write the name that the DNS has",
            Self::HostNumber => {
                "the host ends with a number, but is no IPv4 address; write all four numbers in decimal, as in 127.0.0.1"
            }
            Self::HostPunycode => {
                "a part of the host begins with xn-- and is no international name; convert the name anew, or correct it"
            }
            Self::HostTrailingDot => "the host ends with a dot; leave it out",
            Self::Ipv6Brackets => "an IPv6 address needs brackets: write [::1], or [::1]:8080 with a port",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::PathPrefix => "the path prefix has empty, . or .. segments",
            Self::Priority => "the priority is not at least 1",
            Self::Weight => "the weight is not from 1 to 100",
            Self::Name => "the name is empty or has control characters",
            Self::Deployment => "the deployment name has characters other than letters, digits, - _ . ~",
            Self::Model => "the backend's name for a model is empty or has control characters",
            Self::CallersModel => "a caller's name for a model is empty or has control characters",
            Self::ModelConflict => "model_for(..) was called twice with the same name of callers; keep one of them",
            Self::CredentialEmpty => "the credential is empty",
            Self::CredentialCharacters => "the credential has control characters, or characters beyond ASCII; remove them",
            Self::CredentialWhiteSpace => {
                "the credential begins or ends with white space, such as the line end of a file; trim it"
            }
            Self::CredentialQuotes => "the credential has quotes around it; remove them",
            Self::CredentialScheme => {
                "the credential begins with Bearer; leave that out: bearer_token(..) adds it, and an api_key(..) has none"
            }
            Self::CredentialPlaceholder => "the credential is a placeholder; put the real key or token in its place",
            Self::CredentialConflict => {
                "more than one of api_key, bearer_token, credential_source and forward_caller_credential is set"
            }
            Self::CallerHeader => "a name given to caller_credential_header(..) is no header's; give it without its value",
            Self::CallerParameter => {
                "a name given to caller_credential_parameter(..) is no query parameter's; give it without = and its value"
            }
        })
    }
}
