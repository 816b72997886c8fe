//! HTTP/2, as a client that sees its streams sees it.
#![cfg(feature = "http2")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use http::Version;
use lb_emulator::{Emulator, Reply};
use support::{
    CHAT, HELLO, PATIENCE, Raw, STREAM, ask, client,
    http2::{Connection, data, text},
};

#[test]
fn one_port_speaks_both_versions() {
    let emulator = Emulator::start().unwrap();
    let old = client();
    let new = reqwest::blocking::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let url = format!("{}{CHAT}", emulator.url());
    for (client, version) in [(&old, Version::HTTP_11), (&new, Version::HTTP_2), (&old, Version::HTTP_11)] {
        let response = client.post(&url).body(HELLO).send().unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert!(response.headers().contains_key("date"));
        assert!(response.text().unwrap().contains("emulator"));
    }
    let received = emulator.requests();
    assert_eq!(received[1].version(), Version::HTTP_2);
    assert_eq!(received[1].body(), HELLO.as_bytes());
    let addr = emulator.addr().to_string();
    assert!(received.iter().all(|request| request.authority() == Some(&addr)));
    assert!(received.iter().all(|request| request.path_and_query() == CHAT));
    assert!(emulator.wait_until_bodies_sent(3, PATIENCE));
    assert_eq!(emulator.clients_left(), 0);
}

#[test]
fn it_can_be_kept_to_the_old_version() {
    let emulator = Emulator::builder().http1_only().start().unwrap();
    let mut raw = Raw::connect(&emulator).unwrap();
    raw.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // Whatever it says or does not say to that, it is no frame of SETTINGS, which begins with a length.
    assert!(!raw.all().starts_with('\0'));
    assert_eq!(ask(&emulator).version(), Version::HTTP_11);
}

#[test]
fn a_short_first_line_is_not_taken_for_a_preface() {
    let emulator = Emulator::start().unwrap();
    let mut raw = Raw::connect(&emulator).unwrap();
    raw.write("PR");
    raw.write("OPFIND / HTTP/1.1\r\n\r\n");
    assert!(raw.head().starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_side_by_side() {
    let emulator = Emulator::start().unwrap();
    let connection = Connection::open(&emulator).await;
    emulator.script(Reply::no_head());
    let first = connection.post(HELLO).await;
    let mut second = connection.ask().await.unwrap();
    assert_eq!(second.status(), 200);
    let length: usize = second.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(data(&mut second).await.unwrap().unwrap().len(), length);
    // The client gives the first up, and the connection lives.
    drop(first);
    assert!(emulator.wait_until_clients_left_async(1, PATIENCE).await);
    assert_eq!(connection.ask().await.unwrap().status(), 200);
    assert_eq!(emulator.connections(), 1);
}

#[tokio::test]
async fn each_event_of_a_stream_is_a_frame_of_its_own() {
    let emulator = Emulator::builder().completion_tokens(1).start().unwrap();
    let gate = emulator.hold_streams();
    let connection = Connection::open(&emulator).await;
    let mut response = connection.post(STREAM).await.await.unwrap();
    for _ in 0..3 {
        gate.release_one();
        let event = data(&mut response).await.unwrap().unwrap();
        assert!(event.starts_with("data: ") && event.ends_with("\n\n"), "{event}");
        assert_eq!(event.matches("data: ").count(), 1);
    }
    assert!(data(&mut response).await.is_none());
    assert!(emulator.wait_until_bodies_sent_async(1, PATIENCE).await);
}

#[tokio::test]
async fn a_body_larger_than_the_window_is_sent_as_the_client_reads_it() {
    let emulator = Emulator::start().unwrap();
    let body = "x".repeat(300_000);
    emulator.script(Reply::status(200).body(body.clone()));
    let connection = Connection::open(&emulator).await;
    let response = connection.ask().await.unwrap();
    // Another answer goes out meanwhile; the large one is not taken for sent with it.
    assert!(text(connection.ask().await.unwrap()).await.contains("emulator"));
    assert!(emulator.wait_until_bodies_sent_async(1, PATIENCE).await);
    assert_eq!(emulator.requests()[0].body_sent(), None);
    assert_eq!(text(response).await, body);
    assert!(emulator.wait_until_bodies_sent_async(2, PATIENCE).await);
}

#[tokio::test]
async fn a_head_has_only_what_http2_allows() {
    let emulator = Emulator::start().unwrap();
    emulator.script(Reply::status(204).header("connection", "close").header("keep-alive", "timeout=5"));
    let response = Connection::open(&emulator).await.ask().await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.body().is_end_stream());
    assert!(response.headers().contains_key("apim-request-id"));
    for name in ["connection", "keep-alive", "content-length"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_has_left_all_its_streams() {
    let emulator = Emulator::start().unwrap();
    emulator.always(Reply::serve().stall_body());
    let connection = Connection::open(&emulator).await;
    let responses = [connection.ask().await.unwrap(), connection.ask().await.unwrap()];
    connection.end.abort();
    assert!(emulator.wait_until_clients_left_async(2, PATIENCE).await);
    drop(responses);
}

#[tokio::test]
async fn the_number_of_streams_at_a_time_can_be_limited() {
    let emulator = Emulator::builder().max_concurrent_streams(3).start().unwrap();
    let connection = Connection::open(&emulator).await;
    assert_eq!(connection.ask().await.unwrap().status(), 200);
    // By now the client has read the settings.
    assert_eq!(connection.send.current_max_send_streams(), 3);
}
