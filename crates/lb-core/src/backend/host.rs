//! The host of an endpoint, where it is a name or an IPv4 address.

use std::net::Ipv4Addr;

use crate::build_error::BackendProblem;

/// Whether `host`, in lower case, is a DNS name or an IPv4 address that every HTTP stack reads as it is written.
///
/// What is accepted the `url` crate accepts and leaves as it is; `tests/hosts.rs` holds this against it. Some is refused
/// that it would take: an empty label, a `-` at the end of one, names that the DNS cannot hold, and a dot at the end.
pub(super) fn check(host: &str) -> Result<(), BackendProblem> {
    if !host.is_ascii() {
        return Err(BackendProblem::HostInternational);
    }
    let is_of_names = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if host.is_empty() || !host.bytes().all(is_of_names) {
        return Err(BackendProblem::Host);
    }
    if host.ends_with('.') {
        return Err(BackendProblem::HostTrailingDot);
    }
    let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    if !host.split('.').all(is_label) {
        return Err(BackendProblem::HostLabel);
    }
    if host.len() > 253 {
        return Err(BackendProblem::HostLength);
    }
    if host.rsplit('.').next().is_some_and(is_number) && host.parse::<Ipv4Addr>().is_err() {
        return Err(BackendProblem::HostNumber);
    }
    let is_unchanged = || idna::domain_to_ascii(host).is_ok_and(|ascii| ascii == host);
    if host.split('.').any(|label| label.starts_with("xn--")) && !is_unchanged() {
        return Err(BackendProblem::HostPunycode);
    }
    Ok(())
}

/// Whether URL parsers take `label` for a number, by which a host that ends with it is an IPv4 address.
fn is_number(label: &str) -> bool {
    let is_decimal = label.bytes().all(|b| b.is_ascii_digit());
    is_decimal || label.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_is_refused_for_its_reason() {
        use BackendProblem as P;
        let label = "a".repeat(63);
        let long = [label.as_str(); 4].join(".");
        for (host, problem) in [
            ("", P::Host),
            ("a b", P::Host),
            ("a%41", P::Host),
            ("a*b.example", P::Host),
            ("{name}.openai.azure.com", P::Host),
            ("b\u{fc}cher.example", P::HostInternational),
            ("a\u{ad}b", P::HostInternational),
            (".", P::HostTrailingDot),
            ("a.example.", P::HostTrailingDot),
            ("a.example..", P::HostTrailingDot),
            (".a.example", P::HostLabel),
            ("a..example", P::HostLabel),
            ("-a.example", P::HostLabel),
            ("a-.example", P::HostLabel),
            (&format!("{label}a.example"), P::HostLabel),
            (&long, P::HostLength),
            (&format!("{}.{label}.{label}.{label}", "b".repeat(62)), P::HostLength),
            ("1.2", P::HostNumber),
            ("1", P::HostNumber),
            ("2130706433", P::HostNumber),
            ("0x7f.1", P::HostNumber),
            ("0x7f000001", P::HostNumber),
            ("a.0x", P::HostNumber),
            ("a.example.09", P::HostNumber),
            ("256.1.1.1", P::HostNumber),
            ("127.0.0.01", P::HostNumber),
            ("1.2.3.4.5", P::HostNumber),
            ("xn--a", P::HostPunycode),
            ("xn--.example", P::HostLabel),
            ("a.xn--0.example", P::HostPunycode),
            ("xn--a-ecp.ru", P::HostPunycode),
            ("xn--0ca24w", P::HostPunycode),
            ("xn--example", P::HostPunycode),
        ] {
            assert_eq!(check(host), Err(problem), "{host}");
        }
    }

    #[test]
    fn names_and_addresses_are_accepted_up_to_their_limits() {
        let label = "a".repeat(63);
        for host in [
            "localhost",
            "name.openai.azure.com",
            "my_host.svc-1.cluster.local",
            "127.0.0.1",
            "0.0.0.0",
            // What containers are called, and a name that only resembles a number.
            "3f2a9c1b7d04",
            "0xyz",
            "1.2.3.4.example",
            "xn--bcher-kva.example",
            "xn--fiqs8s",
            "a--b.example",
            &label,
            &format!("{}.{label}.{label}.{label}", "b".repeat(61)),
        ] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
    }
}
