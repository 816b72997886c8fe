//! The endpoint of a backend: scheme, authority and path prefix, parsed once.

use std::net::Ipv6Addr;

use http::uri::{Authority, PathAndQuery, Scheme};

use super::{dot_segment::has_dot_segment, host};
use crate::build_error::BackendProblem;

pub(super) struct Endpoint {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// How much of the authority is the host.
    #[cfg(feature = "url")]
    pub(super) host_length: usize,
    #[cfg(feature = "url")]
    pub(super) port: Option<u16>,
    /// Empty, or `/` and segments, without a `/` at the end.
    pub(super) path_prefix: String,
}

impl Endpoint {
    /// Parses a host, a `host:port`, or a URL with scheme and path prefix.
    pub(super) fn parse(text: &str) -> Result<Self, BackendProblem> {
        // These are looked for in the raw text: `http::Uri` drops fragments and keeps user info.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(BackendProblem::Characters);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::HTTPS, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::HTTP, rest),
            Some(_) => return Err(BackendProblem::Scheme),
            None => (Scheme::HTTPS, text),
        };
        if rest.contains('@') {
            return Err(BackendProblem::UserInfo);
        }
        if rest.contains(['?', '#']) {
            return Err(BackendProblem::QueryOrFragment);
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let authority = parse_authority(authority)?;
        Ok(Self {
            scheme,
            #[cfg(feature = "url")]
            host_length: authority.host().len(),
            #[cfg(feature = "url")]
            port: authority.port_u16(),
            authority,
            path_prefix: parse_prefix(path)?,
        })
    }

    /// The default name: the endpoint without its scheme.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.authority, self.path_prefix)
    }
}

fn parse_authority(text: &str) -> Result<Authority, BackendProblem> {
    if text.is_empty() {
        return Err(BackendProblem::Endpoint);
    }
    let text = text.to_ascii_lowercase();
    let host = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']').ok_or(BackendProblem::Host)?;
        address.parse::<Ipv6Addr>().map_err(|_| BackendProblem::Host)?;
        if !port.is_empty() {
            check_port(port.strip_prefix(':').ok_or(BackendProblem::Port)?)?;
        }
        None
    } else if is_bare_ipv6(&text) {
        return Err(BackendProblem::Ipv6Brackets);
    } else if let Some((host, port)) = text.split_once(':') {
        if matches!(host, "https" | "http") && port.parse::<u16>().is_err() {
            // `https:/host`, `https:host`: the scheme's slashes are missing, not a port.
            return Err(BackendProblem::Endpoint);
        }
        check_port(port)?;
        Some(host)
    } else {
        Some(text.as_str())
    };
    if let Some(host) = host {
        host::check(host)?;
    }
    let authority: Authority = text.parse().map_err(|_| BackendProblem::Endpoint)?;
    // The first clone makes the bytes shared, with an allocation: better here than in a request.
    drop(authority.clone());
    Ok(authority)
}

/// Whether `text` is an IPv6 address without the brackets that it needs in a URL, with or without a port or a zone.
fn is_bare_ipv6(text: &str) -> bool {
    let is_address = |text: &str| text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    is_address(text) || text.rsplit_once(':').is_some_and(|(address, _)| is_address(address))
}

fn check_port(text: &str) -> Result<(), BackendProblem> {
    let is_port = text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0);
    if is_port { Ok(()) } else { Err(BackendProblem::Port) }
}

fn parse_prefix(path: &str) -> Result<String, BackendProblem> {
    let prefix = path.strip_suffix('/').unwrap_or(path);
    if prefix.is_empty() {
        return Ok(String::new());
    }
    if prefix.split('/').skip(1).any(str::is_empty) || has_dot_segment(prefix) {
        return Err(BackendProblem::PathPrefix);
    }
    match prefix.parse::<PathAndQuery>() {
        Ok(parsed) if parsed.as_str() == prefix && prefix.is_ascii() => Ok(prefix.to_owned()),
        _ => Err(BackendProblem::Endpoint),
    }
}

/// The endpoint for an error: nothing before an `@` and nothing after a `?` or `#`, where secrets could be.
pub(super) fn printable(text: &str) -> String {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (text, rest) = text.find(['?', '#']).map_or((text, ""), |mark| text.split_at(mark));
    if rest.contains('@') {
        // A password with a `?`, or a query with an `@`: either part can be secret.
        return "with an endpoint that cannot be shown".to_owned();
    }
    let text = text.rsplit('@').next().unwrap_or_default();
    if text.is_empty() {
        return "without an endpoint".to_owned();
    }
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String) {
        let endpoint = Endpoint::parse(text).unwrap();
        (format!("{}://{}", endpoint.scheme, endpoint.authority), endpoint.path_prefix)
    }

    #[test]
    fn a_host_a_port_and_a_prefix_are_accepted_in_every_combination() {
        for (text, origin, prefix) in [
            ("name.openai.azure.com", "https://name.openai.azure.com", ""),
            ("Name.OpenAI.Azure.com", "https://name.openai.azure.com", ""),
            ("localhost:8080", "https://localhost:8080", ""),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", ""),
            ("HTTPS://gateway.example/team-a/", "https://gateway.example", "/team-a"),
            ("gateway.example/team-a/b%20c", "https://gateway.example", "/team-a/b%20c"),
            ("http://[::1]:81/x", "http://[::1]:81", "/x"),
            ("[2001:db8::1]", "https://[2001:db8::1]", ""),
            ("xn--bcher-kva.example", "https://xn--bcher-kva.example", ""),
            ("my_host", "https://my_host", ""),
        ] {
            assert_eq!(parsed(text), (origin.to_owned(), prefix.to_owned()), "{text}");
        }
    }

    #[test]
    fn every_invalid_endpoint_is_refused_for_its_reason() {
        use BackendProblem as P;
        for (text, problem) in [
            ("", P::Endpoint),
            ("https://", P::Endpoint),
            ("https:///path", P::Endpoint),
            ("/path", P::Endpoint),
            (":8080", P::Host),
            ("ftp://a.example", P::Scheme),
            ("file:///etc/passwd", P::Scheme),
            ("://a.example", P::Scheme),
            ("wss://a.example", P::Scheme),
            ("https:/a.example", P::Endpoint),
            ("https:a.example", P::Endpoint),
            ("https://http://a.example", P::Endpoint),
            ("https://user@a.example", P::UserInfo),
            ("https://user:password@a.example", P::UserInfo),
            ("https://a.example?x=1", P::QueryOrFragment),
            ("https://a.example/p#f", P::QueryOrFragment),
            ("a.example\r\nx: y", P::Characters),
            ("a.example /p", P::Characters),
            ("a.example\\@b.example", P::Characters),
            ("a.example\u{a0}", P::Characters),
            ("a.example:0", P::Port),
            ("a.example:", P::Port),
            ("a.example:65536", P::Port),
            ("a.example:+80", P::Port),
            ("a.example:80:90", P::Port),
            ("1.2.3.4:80:90", P::Port),
            ("a.example::80", P::Port),
            ("https:0", P::Port),
            ("::1", P::Ipv6Brackets),
            ("::", P::Ipv6Brackets),
            ("https://fe80::1/p", P::Ipv6Brackets),
            ("2001:DB8::1", P::Ipv6Brackets),
            ("::1:8080", P::Ipv6Brackets),
            ("2001:db8:0:0:0:0:0:1:8080", P::Ipv6Brackets),
            ("::ffff:127.0.0.1:8080", P::Ipv6Brackets),
            ("fe80::1%eth0", P::Ipv6Brackets),
            ("fe80::1%eth0:8080", P::Ipv6Brackets),
            ("[::1]80", P::Port),
            ("[::1]:0", P::Port),
            ("[::g]", P::Host),
            ("[::1", P::Host),
            ("[fe80::1%25eth0]", P::Host),
            ("a..example", P::HostLabel),
            ("a.example.", P::HostTrailingDot),
            ("-a.example", P::HostLabel),
            ("b\u{fc}cher.example", P::HostInternational),
            ("1.2.3", P::HostNumber),
            ("256.1.1.1", P::HostNumber),
            ("a.0x7f", P::HostNumber),
            ("a.example/../b", P::PathPrefix),
            ("a.example/x/.", P::PathPrefix),
            ("a.example/%2e%2E/b", P::PathPrefix),
            ("a.example/.%2e", P::PathPrefix),
            ("a.example/..%2fb", P::PathPrefix),
            ("a.example/..;x/b", P::PathPrefix),
            ("a.example//b", P::PathPrefix),
            ("a.example/b//", P::PathPrefix),
            ("a.example/b\u{e9}", P::Endpoint),
        ] {
            assert_eq!(Endpoint::parse(text).err(), Some(problem), "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_of_an_invalid_endpoint_cannot_be_secret() {
        for (text, printed) in [
            ("https://user:CANARY@a.example/p?CANARY#CANARY", "a.example/p"),
            ("https://user:CAN?ARY@a.example", "with an endpoint that cannot be shown"),
            ("https://user:CAN#ARY@a.example", "with an endpoint that cannot be shown"),
            ("a.example/?key=x@CANARY", "with an endpoint that cannot be shown"),
            ("a.example\n", "a.example?"),
            ("", "without an endpoint"),
        ] {
            assert_eq!(printable(text), printed, "{text}");
        }
    }
}
