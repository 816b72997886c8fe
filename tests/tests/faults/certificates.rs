//! Backends that cannot say who they are.

use lb_core::{Fault, Reason};

use crate::{
    pool::{counters, pool, suspect},
    server::{Behaviour, Server},
    stack::{Settings, Stack},
    tls::Certificate,
};

pub fn a_certificate_that_is_not_trusted_fails_over_and_nothing_is_sent<S: Stack>() {
    assert!(S::HAS_TLS);
    let stack = S::new(Settings::patient(S::PROTOCOL));
    for certificate in [Certificate::Expired, Certificate::OfAnotherName, Certificate::OfAStranger] {
        let (b1, b2) = (Server::with_certificate(certificate), Server::start(S::PROTOCOL, Behaviour::Serves));
        let (pool, _) = pool([("b1", b1.url(), 1), ("b2", b2.url(), 2)], |options| options);
        assert_eq!(stack.send(&pool, "a request").unwrap(), 200, "{certificate:?}");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(Fault::Connect)), "{certificate:?}");
        assert_eq!((counters(&pool, "b1").faults, counters(&pool, "b1").in_flight), (1, 0));
        // No second try without TLS, or with less of it.
        assert_eq!((b1.connections(), b1.received(), b2.received()), (1, 0, 1), "{certificate:?}");
        assert!(!b1.has_read_anything(), "{certificate:?}");
    }
}
