//! Hosts against the parser of the `url` crate, which most HTTP stacks in Rust have in them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use lb_core::Backend;
use proptest::{prelude::*, sample::select};
use url::Url;

/// Pieces of which many hosts are almost valid.
const PIECES: [&str; 35] = [
    "a",
    "b-c",
    "x_y",
    "example",
    "xn--",
    "xn--a",
    "xn--bcher-kva",
    "xn--fiqs8s",
    "xn--ls8h",
    "xn--1ug",
    "xn--0ca24w",
    "0",
    "1",
    "09",
    "127",
    "256",
    "4294967296",
    "0x",
    "0x7f",
    "0xg",
    "0X1",
    ".",
    "..",
    "-",
    "--",
    "[",
    "]",
    ":",
    "::1",
    "\u{fc}",
    "\u{ad}",
    "\u{2488}",
    "%41",
    "*",
    "<",
];

fn host() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(select(&PIECES), 1..8).prop_map(|pieces| pieces.concat());
    let labels = prop::collection::vec("[a-z0-9_-]{1,8}|xn--[a-z0-9-]{1,12}|[0-9]{1,3}|0x[0-9a-f]{0,3}", 1..5);
    let labels = labels.prop_map(|labels| labels.join("."));
    // Of random punycode hardly any is valid: what a converter wrote is.
    let international = "[\u{e0}-\u{24f}\u{370}-\u{3ff}\u{5d0}-\u{5ea}\u{4e00}-\u{4eff}a-z0-9]{1,8}(\\.example)?";
    let international = international.prop_filter_map("no name", |name| {
        let url = Url::parse(&format!("https://{name}")).ok()?;
        url.host_str().map(str::to_owned)
    });
    prop_oneof![pieces, labels, international, "\\PC{1,16}", "[ -~]{1,16}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn a_host_that_is_accepted_is_the_same_host_to_the_url_crate(host in host()) {
        let Ok(backend) = Backend::new(&host, 1) else { return Ok(()) };
        let url = Url::parse(&backend.origin());
        prop_assert!(url.is_ok(), "{host} is accepted, and then {url:?}");
        let url = url.unwrap();
        let authority = backend.authority();
        prop_assert_eq!(url.port_or_known_default(), Some(authority.port_u16().unwrap_or(443)));
        match url.host().unwrap() {
            url::Host::Ipv6(address) => {
                let written = authority.host().trim_start_matches('[').trim_end_matches(']');
                prop_assert_eq!(written.parse(), Ok(address));
            }
            host => prop_assert_eq!(host.to_string(), authority.host()),
        }
    }

    #[test]
    fn an_international_name_as_the_url_crate_writes_it_is_accepted(name in "[\u{e0}-\u{f6}\u{3b1}-\u{3c1}\u{4e00}-\u{4eff}]{1,12}") {
        let url = Url::parse(&format!("https://{name}.example")).unwrap();
        let host = url.host_str().unwrap();
        prop_assert!(host.starts_with("xn--"), "{host}");
        prop_assert!(Backend::new(host, 1).is_ok(), "{host}");
    }
}
