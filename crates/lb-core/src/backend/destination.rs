//! Where the requests to a backend end up.

use std::{borrow::Cow, net::Ipv6Addr, sync::Arc};

use http::uri::Scheme;

#[cfg(feature = "json")]
use super::Models;
use super::{Auth, Backend};

/// Where the requests to a backend end up and under which credential, however it was written.
///
/// What it compares may be secret, so it cannot be printed.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Destination<'b> {
    is_https: bool,
    host: Cow<'b, str>,
    port: u16,
    path_prefix: &'b str,
    deployment: Option<&'b str>,
    #[cfg(feature = "json")]
    models: &'b Models,
    sender: Sender<'b>,
}

/// Under whose credential a request arrives.
#[derive(PartialEq, Eq, Hash)]
enum Sender<'b> {
    Caller,
    Own { header: &'b str, value: &'b [u8] },
    Source(usize),
}

impl<'b> Destination<'b> {
    pub(crate) fn of(backend: &'b Backend) -> Self {
        let is_https = *backend.scheme() == Scheme::HTTPS;
        Self {
            is_https,
            host: host(backend.authority().host()),
            port: backend.authority().port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            path_prefix: backend.path_prefix(),
            deployment: backend.deployment(),
            #[cfg(feature = "json")]
            models: backend.models(),
            sender: match backend.auth() {
                Auth::Unspecified | Auth::Caller => Sender::Caller,
                Auth::Fixed(credential) => {
                    Sender::Own { header: credential.header().as_str(), value: credential.value().as_bytes() }
                }
                Auth::Source(source) => Sender::Source(source.identity().unwrap_or_else(|| Arc::as_ptr(source).addr())),
            },
        }
    }
}

impl Destination<'_> {
    /// Whether both are the same place, whoever comes there.
    pub(super) fn is_of_one_endpoint_with(&self, other: &Self) -> bool {
        #[cfg(feature = "json")]
        if self.models != other.models {
            return false;
        }
        self.deployment == other.deployment && self.is_of_one_resource_with(other)
    }

    /// Whether both are of one resource: origin and path prefix.
    pub(super) fn is_of_one_resource_with(&self, other: &Self) -> bool {
        let resource = |of: &Self| (of.is_https, of.port, of.path_prefix.to_owned(), of.host.clone().into_owned());
        resource(self) == resource(other)
    }
}

/// The host with an IPv6 address in its one short form.
fn host(text: &str) -> Cow<'_, str> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bracketed.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        Some(address) => Cow::Owned(address.to_string()),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::BackendBuilder,
        credential::{Credential, CredentialError, CredentialSource, RotatingCredential},
        future::BoxFuture,
    };

    struct Own;

    impl CredentialSource for Own {
        fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
            Box::pin(std::future::ready(Credential::api_key("k")))
        }
    }

    fn at(endpoint: &str) -> BackendBuilder {
        Backend::builder(endpoint)
    }

    fn are_one(one: BackendBuilder, other: BackendBuilder) -> bool {
        let (one, other) =
            (one.name("one").build().unwrap(), other.name("other").weight(2).priority(2).build().unwrap());
        Destination::of(&one) == Destination::of(&other)
    }

    #[test]
    fn an_endpoint_is_one_however_it_is_written() {
        for (one, other) in [
            ("a.example", "https://A.example:443/"),
            ("http://a.example", "http://a.example:80"),
            ("a.example/p", "a.example/p/"),
            ("[::1]:8080", "[0:0::0:1]:8080"),
        ] {
            assert!(are_one(at(one), at(other)), "{one} {other}");
        }
        for (one, other) in [
            ("a.example", "b.example"),
            ("a.example", "http://a.example"),
            ("a.example:8080", "http://a.example:8080"),
            ("a.example", "a.example:80"),
            ("http://a.example", "http://a.example:443"),
            ("a.example", "a.example/p"),
            ("a.example/p", "a.example/P"),
            ("[::1]", "[::2]"),
        ] {
            assert!(!are_one(at(one), at(other)), "{one} {other}");
        }
    }

    #[test]
    fn a_deployment_is_a_place_of_its_own() {
        assert!(are_one(at("a.example").deployment("x"), at("a.example").deployment("x")));
        assert!(!are_one(at("a.example").deployment("x"), at("a.example").deployment("y")));
        assert!(!are_one(at("a.example").deployment("x"), at("a.example")));
    }

    #[cfg(feature = "json")]
    #[test]
    fn a_model_is_a_place_of_its_own() {
        let host = || at("a.example");
        assert!(are_one(host().model("x").model_for("y", "z"), host().model_for("y", "z").model("x")));
        assert!(!are_one(host().model("x"), host().model("y")));
        assert!(!are_one(host().model("x"), host()));
        assert!(!are_one(host().model_for("a", "x"), host().model_for("b", "x")));
        assert!(!are_one(host().model_for("a", "x"), host().model_for("a", "y")));
    }

    #[test]
    fn each_credential_has_a_place_of_its_own() {
        let host = || at("a.example");
        assert!(are_one(host(), host().forward_caller_credential()));
        assert!(are_one(host().api_key("k"), host().api_key("k")));
        assert!(!are_one(host().api_key("k"), host().api_key("K")));
        assert!(!are_one(host().api_key("k"), host()));
        assert!(!are_one(host().api_key("Bearer-k"), host().bearer_token("k")));
    }

    #[test]
    fn a_shared_source_is_one_credential() {
        let with = |source: &RotatingCredential| at("a.example").credential_source(source.clone());
        let key = || RotatingCredential::new(Credential::api_key("k").unwrap());
        let (one, other) = (key(), key());
        assert!(are_one(with(&one), with(&one)));
        assert!(!are_one(with(&one), with(&other)));

        let shared: Arc<dyn CredentialSource> = Arc::new(Own);
        let with = |source| at("a.example").credential_source(source);
        assert!(are_one(with(Arc::clone(&shared)), with(Arc::clone(&shared))));
        assert!(!are_one(with(shared), with(Arc::new(Own))));
        assert!(are_one(at("a.example").credential_source(Arc::new(one.clone())), with(Arc::new(one))));
        assert!(!are_one(at("a.example").credential_source(Own), at("a.example").credential_source(Own)));
    }

    #[test]
    fn a_backend_and_its_clone_are_one() {
        let backend = at("a.example").credential_source(Own).build().unwrap();
        assert!(Destination::of(&backend) == Destination::of(&backend.clone()));
    }
}
