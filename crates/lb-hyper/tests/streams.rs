//! What hyper's client says of a request, over a connection whose other end is written frame by frame.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{io, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{Empty, Full, StreamBody};
use hyper::{
    body::Frame,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use lb_core::Fault;
use lb_hyper::{causes, known};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// RFC 9113, 7.
const NO_ERROR: u32 = 0x0;
const INTERNAL_ERROR: u32 = 0x2;
const REFUSED_STREAM: u32 = 0x7;
const CANCEL: u32 = 0x8;
const ENHANCE_YOUR_CALM: u32 = 0xb;

fn fault(error: &hyper::Error) -> Option<Fault> {
    causes(error).find_map(known)
}

fn frame(kind: u8, stream: u32, payload: &[u32]) -> Vec<u8> {
    let payload: Vec<u8> = payload.iter().flat_map(|word| word.to_be_bytes()).collect();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), &payload].concat()
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(0x3, stream, &[code])
}

fn go_away(last_stream: u32, code: u32) -> Vec<u8> {
    frame(0x7, 0, &[last_stream, code])
}

/// Reads a request's frames up to its HEADERS, and says `answer`.
async fn serve(stream: &mut DuplexStream, answer: Vec<u8>) -> io::Result<()> {
    const PREFACE: usize = 24;
    stream.read_exact(&mut [0; PREFACE]).await?;
    // Our settings, of which there are none.
    stream.write_all(&frame(0x4, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).await?;
        if head[3] == 0x1 {
            break;
        }
    }
    stream.write_all(&answer).await
}

/// Whether the server closes the connection after its answer.
#[derive(Clone, Copy)]
enum Then {
    Stays,
    Closes,
}

/// What the first request on a connection hears if the server answers its HEADERS with these frames.
async fn first(answer: Vec<u8>, then: Then) -> hyper::Error {
    let (ours, mut theirs) = duplex(1 << 16);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(10));
    let (mut sender, connection) = builder.handshake(TokioIo::new(ours)).await.unwrap();
    let connection = tokio::spawn(connection);
    let sending = tokio::spawn(sender.send_request(Request::new(Empty::<Bytes>::new())));
    serve(&mut theirs, answer).await.unwrap();
    let kept = matches!(then, Then::Stays).then_some(theirs);
    let error = sending.await.unwrap().unwrap_err();
    connection.abort();
    drop(kept);
    error
}

#[tokio::test]
async fn a_stream_that_the_server_did_not_process_is_told_from_one_that_it_may_have() {
    for (answer, expected) in [
        (reset(1, REFUSED_STREAM), Some(Fault::Unprocessed)),
        (go_away(0, NO_ERROR), Some(Fault::Unprocessed)),
        (go_away(0, INTERNAL_ERROR), Some(Fault::Unprocessed)),
        (go_away(0, ENHANCE_YOUR_CALM), Some(Fault::Unprocessed)),
        (reset(1, INTERNAL_ERROR), None),
        (reset(1, CANCEL), None),
        (reset(1, ENHANCE_YOUR_CALM), None),
        (reset(1, NO_ERROR), None),
        // It includes ours, which then gets no answer.
        ([go_away(1, NO_ERROR), reset(1, CANCEL)].concat(), None),
        ([go_away(1, ENHANCE_YOUR_CALM), reset(1, CANCEL)].concat(), None),
        // Not HTTP/2: our own end resets the stream.
        (reset(0, REFUSED_STREAM), None),
    ] {
        let error = first(answer.clone(), Then::Stays).await;
        assert_eq!(fault(&error), expected, "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_stream_that_a_goaway_includes_may_have_been_processed_when_the_connection_ends() {
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        let error = first(go_away(1, code), Then::Closes).await;
        assert_eq!(fault(&error), None, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_no_ping_is_a_timeout() {
    let error = first(Vec::new(), Then::Stays).await;
    assert_eq!(fault(&error), Some(Fault::Timeout), "{error:?}");
}

#[tokio::test]
async fn what_never_left_the_queue_is_unprocessed() {
    let (ours, theirs) = duplex(1 << 16);
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await.unwrap();
    let sending = sender.send_request(Request::new(Empty::<Bytes>::new()));
    drop(theirs);
    drop(connection);
    let error = sending.await.unwrap_err();
    assert!(error.is_canceled());
    assert_eq!(fault(&error), Some(Fault::Unprocessed), "{error:?}");
}

#[tokio::test]
async fn a_body_that_fails_is_the_callers_whatever_its_error() {
    let (ours, theirs) = duplex(1 << 16);
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    let chunks = [Ok(Frame::data(Bytes::from("{"))), Err(io::Error::from(io::ErrorKind::TimedOut))];
    let body = StreamBody::new(futures::stream::iter(chunks));
    let error = sender.send_request(Request::post("/").body(body).unwrap()).await.unwrap_err();
    assert_eq!(fault(&error), Some(Fault::Request), "{error:?}");
    drop(theirs);
}

#[tokio::test]
async fn a_connection_that_ends_before_an_answer_may_have_processed_the_request() {
    let (ours, mut theirs) = duplex(1 << 16);
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    let sending = tokio::spawn(sender.send_request(Request::post("/").body(Full::new(Bytes::from("{}"))).unwrap()));
    theirs.read_exact(&mut [0; 4]).await.unwrap();
    drop(theirs);
    let error = sending.await.unwrap().unwrap_err();
    assert_eq!(fault(&error), None, "{error:?}");
}
