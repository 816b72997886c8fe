//! Endpoints of backends.

use lb_core::{Backend, Pool};
use url::{Host, Url};

/// An endpoint that is accepted is the same origin to the `url` crate, and the same path; the error of one that is refused
/// shows nothing that could be secret.
pub fn endpoints(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match Backend::new(text, 1) {
        Ok(backend) => {
            is_what_the_url_crate_reads(&backend);
            assert!(!text.contains(['@', '?', '#', '\\']), "{text:?}");
            assert!(Pool::new([backend]).is_ok());
        }
        Err(error) => assert!(!format!("{error} {error:?}").is_empty()),
    }
    if text.contains("CANARY") {
        // The fuzzer has found the word, and uses it where nothing is secret.
        return;
    }
    for secret in [
        format!("CANARY@{text}"),
        format!("user:CANARY@{text}"),
        format!("https://user:CANARY@{text}"),
        format!("{text}?CANARY"),
        format!("{text}#CANARY"),
        format!("{text}?key=CANARY#CANARY"),
        format!("https://CANARY@{text}?CANARY"),
    ] {
        let builder = Backend::builder(&secret).api_key("CANARY");
        let printed = format!("{builder:?}");
        let error = builder.build().expect_err(&secret);
        let printed = format!("{printed} {error} {error:?}");
        assert!(!printed.contains("CANARY"), "{secret:?} is printed as {printed:?}");
    }
}

/// Checks a backend against the parser of the `url` crate.
pub(crate) fn is_what_the_url_crate_reads(backend: &Backend) {
    let text = format!("{}{}", backend.origin(), backend.path_prefix());
    let url = Url::parse(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let authority = backend.authority();
    assert_eq!(url.scheme(), backend.scheme().as_str(), "{text:?}");
    let default = if url.scheme() == "https" { 443 } else { 80 };
    assert_eq!(url.port_or_known_default(), Some(authority.port_u16().unwrap_or(default)), "{text:?}");
    match url.host() {
        Some(Host::Ipv6(address)) => {
            let written = authority.host().trim_start_matches('[').trim_end_matches(']');
            assert_eq!(written.parse(), Ok(address), "{text:?}");
        }
        host => assert_eq!(host.map(|host| host.to_string()).as_deref(), Some(authority.host()), "{text:?}"),
    }
    let segments = |path: &str| path.trim_end_matches('/').split('/').count();
    assert_eq!(segments(url.path()), segments(backend.path_prefix()), "{text:?} is {url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none());
}
