//! TLS: the certificate, the version agreed on, and the faults of sockets below it.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{error::Error, io, iter::successors, time::Duration};

use http::Version;
use lb_emulator::{Emulator, Reply};
use reqwest::{
    Certificate,
    blocking::{Client, ClientBuilder, Response},
};
use support::{CHAT, HELLO, PATIENCE, STREAM};

fn start() -> Emulator {
    Emulator::builder().tls().start().unwrap()
}

/// A client that trusts this emulator, and nobody else.
fn trusting(emulator: &Emulator) -> ClientBuilder {
    let certificate = Certificate::from_pem(emulator.certificate_pem().unwrap().as_bytes()).unwrap();
    let builder = Client::builder().tls_certs_only([certificate]);
    builder.no_proxy().timeout(PATIENCE).retry(reqwest::retry::never())
}

fn ask(client: &Client, url: &str, body: &'static str) -> reqwest::Result<Response> {
    client.post(format!("{url}{CHAT}")).body(body).send()
}

fn causes(error: &reqwest::Error) -> String {
    let causes = successors(error.source(), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn who_trusts_its_certificate_reaches_it_by_every_name() {
    let emulator = start();
    let client = trusting(&emulator).build().unwrap();
    assert_eq!(emulator.url(), format!("https://{}", emulator.addr()));
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}", emulator.addr().port());
        assert_eq!(ask(&client, &url, HELLO).unwrap().status(), 200);
    }
    let der = Certificate::from_der(emulator.certificate_der().unwrap()).unwrap();
    let client = Client::builder().tls_certs_only([der]).no_proxy().build().unwrap();
    assert_eq!(ask(&client, &emulator.url(), HELLO).unwrap().status(), 200);
}

#[test]
fn nobody_else_is_trusted_by_it_nor_trusts_it() {
    let (emulator, other) = (start(), start());
    let client = trusting(&other).build().unwrap();
    let error = ask(&client, &emulator.url(), HELLO).unwrap_err();
    assert!(error.is_connect() && causes(&error).contains("certificate"), "{}", causes(&error));
    assert_eq!((emulator.request_count(), emulator.connections()), (0, 1));
    assert_eq!(Emulator::start().unwrap().certificate_pem(), None);
}

#[test]
fn emulators_can_share_a_certificate() {
    let emulator = start();
    let sharing = Emulator::builder().tls_of(&emulator).start().unwrap();
    let old = Emulator::builder().tls_of(&sharing).http1_only().start().unwrap();
    let client = trusting(&emulator).build().unwrap();
    for (emulator, version) in [(&emulator, best()), (&sharing, best()), (&old, Version::HTTP_11)] {
        let response = ask(&client, &emulator.url(), HELLO).unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
    }
    assert_eq!(sharing.certificate_pem(), emulator.certificate_pem());
    let plain = Emulator::builder().tls_of(&Emulator::start().unwrap()).start().unwrap();
    assert!(plain.url().starts_with("http://"));
}

fn best() -> Version {
    if cfg!(feature = "http2") { Version::HTTP_2 } else { Version::HTTP_11 }
}

#[cfg(feature = "http2")]
#[test]
fn the_version_is_the_best_that_both_speak() {
    let emulator = start();
    let old = Emulator::builder().tls().http1_only().start().unwrap();
    for (client, emulator, version) in [
        (trusting(&emulator), &emulator, Version::HTTP_2),
        (trusting(&emulator).http1_only(), &emulator, Version::HTTP_11),
        (trusting(&old), &old, Version::HTTP_11),
    ] {
        let response = ask(&client.build().unwrap(), &emulator.url(), HELLO).unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert_eq!(emulator.requests().last().unwrap().version(), version);
    }
    assert!(emulator.wait_until_bodies_sent(2, PATIENCE));
}

#[test]
fn plain_text_is_no_request() {
    let emulator = start();
    let mut raw = support::Raw::post(&emulator, HELLO);
    assert!(!raw.all().starts_with("HTTP"));
    assert_eq!(emulator.request_count(), 0);
}

#[test]
fn resets_and_stalls_are_those_of_the_socket() {
    let emulator = start();
    for client in [trusting(&emulator), trusting(&emulator).http1_only()] {
        let client = client.build().unwrap();
        emulator.script(Reply::reset());
        let error = ask(&client, &emulator.url(), HELLO).unwrap_err();
        let causes = successors(error.source(), |error| (*error).source());
        let io = causes.filter_map(|error| error.downcast_ref::<io::Error>()).next();
        assert!(io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset), "{error:?}");

        emulator.script(Reply::serve().reset_after(2));
        let response = ask(&client, &emulator.url(), STREAM).unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.text().is_err());
    }
    assert_eq!(emulator.clients_left(), 0);
}

#[test]
fn a_handshake_can_stall() {
    let emulator = start();
    emulator.silence_connections(true);
    let client = trusting(&emulator).connect_timeout(Duration::from_millis(50)).build().unwrap();
    let error = ask(&client, &emulator.url(), HELLO).unwrap_err();
    assert!(error.is_connect() && error.is_timeout(), "{error:?}");
    emulator.silence_connections(false);
    let client = trusting(&emulator).build().unwrap();
    assert_eq!(ask(&client, &emulator.url(), HELLO).unwrap().status(), 200);
    assert_eq!((emulator.connections(), emulator.request_count()), (2, 1));
}
