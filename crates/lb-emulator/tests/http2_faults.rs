//! The faults of HTTP/2, by what RFC 9113 calls them.
#![cfg(feature = "http2")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{
    error::Error,
    future::poll_fn,
    io::{Read, Write},
    net::TcpStream,
    task::Poll,
    time::Duration,
};

use h2::Reason;
use http::Request;
use lb_emulator::{Emulator, Reply};
use support::{
    CHAT, HELLO, PATIENCE, Raw, STREAM,
    http2::{Connection, data, patient, text},
};

/// The code of a stream that the server reset.
fn reset(error: &h2::Error) -> Reason {
    assert!(error.is_reset() && error.is_remote(), "{error:?}");
    error.reason().unwrap()
}

#[tokio::test]
async fn a_refused_stream_is_not_processed_and_its_connection_lives() {
    let emulator = Emulator::builder().fail_every(3, Reply::refuse_stream()).start().unwrap();
    let connection = Connection::open(&emulator).await;
    for refused in [false, false, true, false, false, true] {
        match connection.ask().await {
            Ok(response) => assert!(!refused && response.status() == 200),
            Err(error) => assert!(refused && reset(&error) == Reason::REFUSED_STREAM),
        }
    }
    assert_eq!((emulator.request_count(), emulator.refused_streams()), (4, 2));
    assert_eq!((emulator.connections(), emulator.clients_left()), (1, 0));
}

#[tokio::test]
async fn a_stream_is_refused_before_its_body_comes() {
    let emulator = Emulator::start().unwrap();
    emulator.script(Reply::refuse_stream());
    let connection = Connection::open(&emulator).await;
    let request = Request::post(format!("http://emulator{CHAT}")).body(()).unwrap();
    let (response, body) = connection.send.clone().send_request(request, false).unwrap();
    assert_eq!(reset(&patient(response).await.unwrap_err()), Reason::REFUSED_STREAM);
    drop(body);
}

#[tokio::test]
async fn streams_beyond_a_number_at_a_time_are_refused() {
    let emulator = Emulator::start().unwrap();
    emulator.refuse_streams_beyond(Some(2));
    let gate = emulator.hold_streams();
    let (connection, another) = (Connection::open(&emulator).await, Connection::open(&emulator).await);
    let mut held = vec![connection.post(STREAM).await.await.unwrap(), connection.post(STREAM).await.await.unwrap()];
    for _ in 0..3 {
        assert_eq!(reset(&connection.ask().await.unwrap_err()), Reason::REFUSED_STREAM);
    }
    assert_eq!(another.ask().await.unwrap().status(), 200, "each connection has its own number");
    gate.open();
    text(held.pop().unwrap()).await;
    // One has ended: there is room.
    assert_eq!(connection.ask().await.unwrap().status(), 200);
    assert_eq!(emulator.refused_streams(), 3);

    emulator.refuse_streams_beyond(Some(0));
    assert_eq!(reset(&another.ask().await.unwrap_err()), Reason::REFUSED_STREAM);
    emulator.refuse_streams_beyond(None);
    assert_eq!(another.ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_hundred_callers_are_each_served_or_refused() {
    for limit in [1, 4, 16] {
        let told = Emulator::builder().max_concurrent_streams(limit).latency(Duration::from_millis(1)).start().unwrap();
        let untold = Emulator::builder().latency(Duration::from_millis(1)).start().unwrap();
        untold.refuse_streams_beyond(Some(limit.try_into().unwrap()));
        for emulator in [&told, &untold] {
            let connection = Connection::open(emulator).await;
            let mut answers = Vec::new();
            for _ in 0..100 {
                answers.push(connection.post(HELLO).await);
            }
            let (mut served, mut refused) = (0, 0);
            for answer in answers {
                match answer.await {
                    Ok(response) => {
                        assert!(text(response).await.contains("emulator"));
                        served += 1;
                    }
                    Err(error) => {
                        assert_eq!(reset(&error), Reason::REFUSED_STREAM);
                        refused += 1;
                    }
                }
            }
            assert_eq!((served + refused, emulator.request_count()), (100, served));
            assert!(served >= u64::from(limit), "{served} of {limit}");
            assert_eq!(connection.ask().await.unwrap().status(), 200, "there is room again");
        }
        assert_eq!(untold.refused_streams() + untold.request_count(), 101);
    }
}

#[tokio::test]
async fn a_stream_can_be_reset_with_any_code_before_its_head() {
    let emulator = Emulator::start().unwrap();
    let connection = Connection::open(&emulator).await;
    let codes = [Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM, Reason::NO_ERROR, 0x99.into()];
    for code in codes {
        emulator.script(Reply::reset_stream(code));
        assert_eq!(reset(&connection.ask().await.unwrap_err()), code);
    }
    // They were received: they may have been processed.
    assert_eq!((emulator.request_count(), emulator.refused_streams(), emulator.clients_left()), (5, 0, 0));
    assert!(emulator.requests().iter().all(|request| request.status().is_none()));
    assert_eq!(connection.ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stream_can_be_reset_with_any_code_within_its_answer() {
    let emulator = Emulator::start().unwrap();
    let connection = Connection::open(&emulator).await;
    let codes = [Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM, Reason::NO_ERROR];
    for (body, events) in [(HELLO, 0), (STREAM, 2)] {
        for code in codes {
            emulator.script(Reply::serve().reset_stream_after(events, code));
            let mut response = connection.post(body).await.await.unwrap();
            assert_eq!(response.status(), 200);
            for _ in 0..events {
                assert!(data(&mut response).await.unwrap().unwrap().starts_with("data: "));
            }
            assert_eq!(reset(&data(&mut response).await.unwrap().unwrap_err()), code);
        }
    }
    assert_eq!((emulator.bodies_sent(), emulator.clients_left(), emulator.connections()), (0, 0, 1));
}

#[test]
fn without_streams_to_reset_the_connection_is_closed() {
    let emulator = Emulator::start().unwrap();
    for reply in [Reply::refuse_stream(), Reply::reset_stream(Reason::CANCEL)] {
        emulator.script(reply);
        let mut raw = Raw::post(&emulator, HELLO);
        assert!(matches!(raw.read(), Ok(0) | Err(_)));
    }
    assert_eq!((emulator.request_count(), emulator.refused_streams()), (1, 1));
    emulator.script(Reply::serve().reset_stream_after(1, Reason::CANCEL));
    let mut raw = Raw::post(&emulator, STREAM);
    raw.head();
    assert!(raw.chunk().starts_with("data: "));
    assert!(matches!(raw.read(), Ok(0) | Err(_)));
    assert_eq!(emulator.clients_left(), 0);
}

#[tokio::test]
async fn a_goaway_excludes_the_request_and_lets_those_before_it_end() {
    let emulator = Emulator::start().unwrap();
    let connection = Connection::open(&emulator).await;
    let gate = emulator.hold_streams();
    let mut first = connection.post(STREAM).await.await.unwrap();
    emulator.script(Reply::go_away_before(Reason::NO_ERROR));
    // Both are on their way before the client reads of it.
    let (second, third) = (connection.post(HELLO).await, connection.post(HELLO).await);
    for refused in [second.await.unwrap_err(), third.await.unwrap_err()] {
        // It is the GOAWAY that ends them, by its number: the connection is still there.
        assert!(refused.is_go_away() && refused.is_remote(), "{refused:?}");
        assert_eq!(refused.reason(), Some(Reason::NO_ERROR));
    }
    gate.open();
    assert!(data(&mut first).await.unwrap().unwrap().starts_with("data: "));
    assert!(text(first).await.ends_with("data: [DONE]\n\n"));
    assert_eq!((emulator.request_count(), emulator.refused_streams(), emulator.clients_left()), (1, 2, 0));
    // Without a stream, the client closes the connection, and does so in peace.
    drop(connection.send);
    patient(connection.end).await.unwrap().unwrap();
}

#[test]
fn every_connection_can_go_away_before_its_first_request() {
    let emulator = Emulator::start().unwrap();
    emulator.always(Reply::go_away_before(Reason::NO_ERROR));
    let builder = reqwest::blocking::Client::builder().http2_prior_knowledge().no_proxy();
    let client = builder.retry(reqwest::retry::never()).timeout(PATIENCE).build().unwrap();
    let ask = || client.post(format!("{}{CHAT}", emulator.url())).body(HELLO).send();
    for refused in 1..=3 {
        let error = ask().unwrap_err();
        let causes = std::iter::successors(error.source(), |error| (*error).source());
        let h2 = causes.filter_map(|error| error.downcast_ref::<h2::Error>()).next().unwrap();
        assert!(h2.is_go_away() && h2.is_remote(), "{h2:?}");
        assert_eq!((emulator.refused_streams(), emulator.connections()), (refused, refused));
    }
    assert_eq!(emulator.request_count(), 0);
    emulator.clear_script();
    assert_eq!(ask().unwrap().status(), 200);
}

#[tokio::test]
async fn a_goaway_can_include_the_request_and_end_all_that_are_open() {
    let emulator = Emulator::start().unwrap();
    for code in [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let connection = Connection::open(&emulator).await;
        emulator.script(Reply::no_head());
        let other = connection.post(HELLO).await;
        emulator.script(Reply::go_away_including(code));
        for lost in [connection.ask().await.unwrap_err(), other.await.unwrap_err()] {
            // The connection ends, and not the GOAWAY: by that they were not to be processed.
            assert!(lost.is_io(), "{lost:?}");
        }
    }
    assert_eq!((emulator.request_count(), emulator.refused_streams(), emulator.clients_left()), (4, 0, 0));
}

/// A client that writes and reads frames: preface, settings, and a request without a body on each of these streams.
fn frames(emulator: &Emulator, streams: &[u32]) -> TcpStream {
    let mut stream = TcpStream::connect(emulator.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    for id in streams {
        // POST, http, a path of one byte, an authority of one byte (RFC 7541, appendix A).
        let fields = b"\x83\x86\x04\x01/\x01\x01h";
        let (length, end_of_stream_and_headers) = (u8::try_from(fields.len()).unwrap(), 0x5);
        let head = [&[0, 0, length, 0x1, end_of_stream_and_headers][..], &id.to_be_bytes(), fields].concat();
        stream.write_all(&head).unwrap();
    }
    stream
}

/// Reads frames up to a GOAWAY, and gives its last stream and its code.
fn go_away(stream: &mut TcpStream) -> (u32, Reason) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        if head[3] == 0x7 {
            let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            return (number(0), number(4).into());
        }
    }
}

#[test]
fn a_goaway_names_the_last_stream_before_the_request_or_the_request() {
    let emulator = Emulator::start().unwrap();
    for code in [Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        emulator.script(Reply::no_head());
        emulator.script(Reply::go_away_before(code));
        assert_eq!(go_away(&mut frames(&emulator, &[5, 9, 11])), (5, code));
        emulator.script(Reply::no_head());
        emulator.script(Reply::go_away_including(code));
        let mut stream = frames(&emulator, &[5, 9]);
        assert_eq!(go_away(&mut stream), (9, code));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "and that is the end");
    }
    emulator.script(Reply::go_away_before(Reason::NO_ERROR));
    assert_eq!(go_away(&mut frames(&emulator, &[1])), (0, Reason::NO_ERROR));
}

#[tokio::test]
async fn a_silent_connection_answers_no_ping_either() {
    let emulator = Emulator::start().unwrap();
    let stream = tokio::net::TcpStream::connect(emulator.addr()).await.unwrap();
    let (send, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let connection = Connection { send, end: tokio::spawn(connection) };
    patient(pings.ping(h2::Ping::opaque())).await.unwrap();

    emulator.script(Reply::silence());
    let _asked = connection.post(HELLO).await;
    assert!(emulator.wait_for_requests_async(1, PATIENCE).await);
    pings.send_ping(h2::Ping::opaque()).unwrap();
    // The next request is read behind the ping, and what answered it would be here before what answers another.
    let _asked_too = connection.post(HELLO).await;
    assert!(emulator.wait_for_requests_async(2, PATIENCE).await);
    let other = Connection::open(&emulator).await;
    assert_eq!(other.ask().await.unwrap().status(), 200);
    let pong = poll_fn(|cx| Poll::Ready(pings.poll_pong(cx).is_ready())).await;
    assert!(!pong);
    connection.end.abort();
    assert!(emulator.wait_until_clients_left_async(2, PATIENCE).await);
}
