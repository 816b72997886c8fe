//! Where callers put credentials of their own.

use http::HeaderName;

/// The headers in which callers send credentials, in lower case. They are removed from a request to a backend that has a
/// credential of its own; [`BackendBuilder::caller_credential_header`](crate::BackendBuilder::caller_credential_header)
/// adds others. [`Backend`](crate::Backend) says whose they are.
pub const CALLER_CREDENTIALS: [&str; 7] = [
    "api-key",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "x-api-key",
    "x-goog-api-key",
];

/// The query parameters in which callers send credentials, in lower case; they are compared without regard to case. They
/// are removed like the headers of [`CALLER_CREDENTIALS`];
/// [`BackendBuilder::caller_credential_parameter`](crate::BackendBuilder::caller_credential_parameter) adds others.
pub const CALLER_CREDENTIAL_PARAMETERS: [&str; 6] =
    ["access_token", "api-key", "api_key", "key", "sig", "subscription-key"];

/// What a backend with a credential of its own does not get from callers, beyond what none gets.
#[derive(Default)]
pub(crate) struct CallerCredentials {
    headers: Vec<HeaderName>,
    parameters: Vec<String>,
}

impl CallerCredentials {
    /// Adds a header; `false` if `name` cannot be one.
    #[must_use]
    pub(super) fn add_header(&mut self, name: &str) -> bool {
        name.parse().map(|name| self.headers.push(name)).is_ok()
    }

    /// Adds a query parameter; `false` if `name` cannot be one as it stands in a query.
    #[must_use]
    pub(super) fn add_parameter(&mut self, name: &str) -> bool {
        let is_name =
            !name.is_empty() && !name.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '&' | '=' | '#'));
        if is_name {
            self.parameters.push(name.to_owned());
        }
        is_name
    }

    /// The headers beyond [`CALLER_CREDENTIALS`].
    pub(crate) fn other_headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// Whether callers send credentials in the first parameter of `query`.
    #[inline]
    pub(crate) fn has_parameter(&self, query: &[u8]) -> bool {
        CALLER_CREDENTIAL_PARAMETERS.iter().any(|name| begins_with(query, name))
            || self.parameters.iter().any(|name| begins_with(query, name))
    }
}

/// Whether the first parameter of `query` has this name.
#[inline]
fn begins_with(query: &[u8], name: &str) -> bool {
    // The byte behind the name first: one comparison, which hardly any name passes.
    let is_as_long = query.get(name.len()).map_or(query.len() == name.len(), |b| matches!(b, b'=' | b'&'));
    is_as_long && query[..name.len()].eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_name_is_refused() {
        let mut credentials = CallerCredentials::default();
        for name in ["", "a b", "a:b", "gr\u{fc}n", "a\n"] {
            assert!(!credentials.add_header(name), "{name:?}");
        }
        for name in ["", "a b", "a=b", "a&b", "a#b", "gr\u{fc}n", "a\n"] {
            assert!(!credentials.add_parameter(name), "{name:?}");
        }
        assert!(credentials.other_headers().is_empty() && credentials.parameters.is_empty());
        assert!(credentials.add_header("X-Tenant") && credentials.add_parameter("Tenant%2Dkey"));
        assert_eq!(credentials.other_headers(), ["x-tenant"]);
    }

    #[test]
    fn a_parameter_is_known_in_any_case_and_only_whole() {
        let mut credentials = CallerCredentials::default();
        assert!(credentials.add_parameter("Tenant"));
        for name in CALLER_CREDENTIAL_PARAMETERS.into_iter().chain(["Subscription-Key", "KEY", "tenant", "TENANT"]) {
            for query in [name.to_owned(), format!("{name}=x&a=b"), format!("{name}&a=b")] {
                assert!(credentials.has_parameter(query.as_bytes()), "{query}");
            }
        }
        for query in
            ["", "k", "keys", "keys=x", "api-version=key", "signature", "monkey=1", "tenants", "&key=x", "=key"]
        {
            assert!(!credentials.has_parameter(query.as_bytes()), "{query}");
        }
    }
}
