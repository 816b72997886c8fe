//! How much is held and for how long, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    convert::Infallible,
    future::{pending, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, executor::block_on, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use lb_core::Refusal;
use lb_peek::{Classifier, MAX_BYTES, MAX_EVENTS, Verdict, peek};

const PREAMBLE: &str = "data: {\"type\":\"response.in_progress\"}\n\n";
const REFUSED: &str = "data: {\"error\":{\"code\":\"429\"}}\n\n";

fn after(beginning: &str) -> Verdict {
    Classifier::new().feed(format!("{beginning}{REFUSED}").as_bytes())
}

#[test]
fn the_last_event_that_is_held_may_refuse_and_the_next_may_not() {
    let refused = Verdict::Refused(Refusal::new(429));
    assert_eq!(after(&PREAMBLE.repeat(MAX_EVENTS - 1)), refused);
    assert_eq!(after(&PREAMBLE.repeat(MAX_EVENTS)), Verdict::Commit);
}

#[test]
fn the_last_byte_that_is_held_may_refuse_and_the_next_may_not() {
    let comment = |length: usize| format!(":{}\n", "x".repeat(length - 2));
    let room = MAX_BYTES - REFUSED.len();
    assert_eq!(after(&comment(room)), Verdict::Refused(Refusal::new(429)));
    assert_eq!(after(&comment(room + 1)), Verdict::Commit);
}

#[test]
fn comments_without_end_are_the_callers() {
    let mut classifier = Classifier::new();
    let pings = (1..=MAX_BYTES).find(|_| classifier.feed(b": ping\n\n") == Verdict::Commit).unwrap();
    assert_eq!(pings, MAX_BYTES / 8);
}

#[test]
fn frames_without_a_byte_are_the_callers_in_the_end() {
    let empty = || Ok::<_, Infallible>(Frame::data(Bytes::new()));
    let body = StreamBody::new(stream::repeat_with(empty));
    assert_eq!(block_on(peek(body, pending())).1, None);
}

#[test]
fn an_event_beyond_the_bound_is_the_callers_and_whole() {
    let event = format!("data: {{\"type\":\"response.created\",\"tools\":\"{}\"}}\n\n", "x".repeat(MAX_BYTES));
    let (body, refusal) = block_on(peek(Full::<Bytes>::from(event.clone()), pending()));
    assert_eq!(refusal, None);
    assert_eq!(body.size_hint().exact(), Some(event.len() as u64));
    assert_eq!(block_on(body.collect()).unwrap().to_bytes(), event);
}

#[test]
fn no_more_is_read_than_decides() {
    let events = [PREAMBLE, "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n", "data: never read\n\n"];
    let mut read = 0;
    let body = StreamBody::new(stream::iter(events).map(|event| {
        read += 1;
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(event.as_bytes())))
    }));
    assert_eq!(block_on(peek(body, pending())).1, None);
    assert_eq!(read, 2);
}

#[test]
fn when_it_is_enough_the_stream_is_the_callers_and_what_has_come_is_not_lost() {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let body = StreamBody::new(receiver);
    let send = |text: &'static str| sender.unbounded_send(Ok::<_, Infallible>(Frame::data(text.into()))).unwrap();
    send(PREAMBLE);
    let (enough, is_enough) = futures::channel::oneshot::channel();
    let mut peeking = Box::pin(peek(body, is_enough.map(|_| ())));
    assert!(peeking.as_mut().now_or_never().is_none(), "it waits");
    enough.send(()).unwrap();
    let (body, refusal) = peeking.now_or_never().unwrap();
    assert_eq!(refusal, None);
    send(REFUSED);
    drop(sender);
    assert_eq!(block_on(body.collect()).unwrap().to_bytes(), format!("{PREAMBLE}{REFUSED}"));
}

#[test]
fn what_has_come_is_read_however_late_it_is() {
    let (_, refusal) = block_on(peek(Full::<Bytes>::from(REFUSED), ready(())));
    assert_eq!(refusal, Some(Refusal::new(429)));
}

#[test]
fn a_stream_that_breaks_is_the_callers_with_its_error() {
    let frames = [Ok(Frame::data(Bytes::from(PREAMBLE))), Err(io::ErrorKind::ConnectionReset)];
    let (mut body, refusal) = block_on(peek(StreamBody::new(stream::iter(frames)), pending()));
    assert_eq!(refusal, None);
    assert!(!body.is_end_stream());
    assert_eq!(block_on(body.frame()).unwrap().unwrap().into_data().unwrap(), PREAMBLE);
    assert_eq!(block_on(body.frame()).unwrap().unwrap_err(), io::ErrorKind::ConnectionReset);
    assert!(block_on(body.frame()).is_none());
}

/// One frame of data, then trailers. It must not be asked after its end.
struct Trailing(u8);

impl Body for Trailing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 += 1;
        Poll::Ready(match self.0 {
            1 => Some(Ok(Frame::data(Bytes::from(PREAMBLE)))),
            2 => Some(Ok(Frame::trailers([(http::header::ETAG, "a".parse().unwrap())].into_iter().collect()))),
            3 => None,
            _ => panic!("asked after its end"),
        })
    }
}

#[test]
fn trailers_are_handed_on_and_the_end_is_asked_for_once() {
    let (mut body, refusal) = block_on(peek(Trailing(0), pending()));
    assert_eq!(refusal, None);
    assert!(block_on(body.frame()).unwrap().unwrap().is_data());
    assert!(!body.is_end_stream());
    assert_eq!(block_on(body.frame()).unwrap().unwrap().into_trailers().unwrap()["etag"], "a");
    assert!(body.is_end_stream());
    assert!(block_on(body.frame()).is_none() && block_on(body.frame()).is_none());
}

#[test]
fn a_time_is_read_from_an_event_and_what_is_none_is_not() {
    let said = |member: &str| match Classifier::new()
        .feed(format!("data: {{\"error\":{{\"code\":\"429\",{member}}}}}\n\n").as_bytes())
    {
        Verdict::Refused(refusal) => refusal.retry_after(),
        verdict => panic!("{verdict:?}"),
    };
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(said("\"retry_after\":7"), millis(7_000));
    assert_eq!(said("\"retry_after\":\"1.5\""), millis(1_500));
    assert_eq!(said("\"retry_after\":0"), millis(0));
    assert_eq!(said("\"retry_after\":7,\"retry_after_ms\":250"), millis(250));
    assert_eq!(said("\"retry_after\":1e300"), Some(Duration::MAX));
    for none in ["-1", "\"soon\"", "null", "[7]", "\"NaN\"", "true"] {
        assert_eq!(said(&format!("\"retry_after\":{none}")), None, "{none}");
    }
}
