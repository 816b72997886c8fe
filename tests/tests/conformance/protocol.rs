//! What clients and backends speak, and that it is what arrives.

use http::Version;

use crate::{
    stack::{Call, SocketStack, backend, pool},
    upstream::{Answer, Upstream},
};

/// What clients and backends speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 in plain text.
    Http1,
    /// HTTP/2 in plain text, without being asked whether it may be.
    Http2,
    /// TLS, and over it HTTP/2, as agreed on by ALPN.
    Tls,
}

impl Protocol {
    pub fn scheme(self) -> &'static str {
        if self == Self::Tls { "https" } else { "http" }
    }

    /// The version of HTTP that is spoken.
    pub fn version(self) -> Version {
        if self == Self::Http1 { Version::HTTP_11 } else { Version::HTTP_2 }
    }
}

pub fn every_attempt_is_of_the_version_that_is_spoken<S: SocketStack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.script(Answer::throttled(5));
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    assert_eq!(stack.send(&pool, Call::chat()).unwrap().served(), ("second", 2));
    for upstream in [&first, &second] {
        assert!(upstream.endpoint().starts_with(&format!("{}://", protocol.scheme())));
        let versions: Vec<_> = upstream.emulator.requests().iter().map(|received| received.version()).collect();
        assert_eq!(versions, [protocol.version()], "{}", upstream.name());
    }
}

macro_rules! protocol {
    ($stack:ty, $protocol:expr) => {
        tests_for!($stack, $protocol, protocol, [every_attempt_is_of_the_version_that_is_spoken]);
    };
}
pub(crate) use protocol;
