//! Scripted replies and faults, one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use lb_emulator::{Emulator, HintForm, Reply};
use support::{CHAT, HELLO, PATIENCE, Raw, ask, header};

fn emulator() -> Emulator {
    Emulator::start().unwrap()
}

fn status(emulator: &Emulator) -> u16 {
    ask(emulator).status().as_u16()
}

#[test]
fn scripted_replies_are_used_once_and_in_order() {
    let emulator = emulator();
    emulator.script(Reply::status(503));
    emulator.script(Reply::throttled(Duration::from_secs(1)));
    assert_eq!([(); 3].map(|()| status(&emulator)), [503, 429, 200]);
}

#[test]
fn a_scripted_reply_is_for_the_request_whose_head_comes_first() {
    let emulator = emulator();
    emulator.script(Reply::status(503));
    let mut first = Raw::connect(&emulator).unwrap();
    first.write(&format!("POST {CHAT} HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"));
    assert!(first.head().starts_with("HTTP/1.1 100"));
    assert_eq!(status(&emulator), 200);
    first.write("{}");
    assert!(first.head().starts_with("HTTP/1.1 503"));
}

#[test]
fn a_sticky_reply_lasts_until_it_is_cleared_and_the_queue_comes_first() {
    let emulator = emulator();
    emulator.always(Reply::status(500));
    emulator.script(Reply::serve());
    assert_eq!([(); 3].map(|()| status(&emulator)), [200, 500, 500]);
    emulator.clear_script();
    assert_eq!(status(&emulator), 200);
}

#[test]
fn every_nth_request_can_fail() {
    let emulator = Emulator::builder().fail_every(3, Reply::status(500)).start().unwrap();
    let statuses = [(); 6].map(|()| status(&emulator));
    assert_eq!(statuses, [200, 200, 500, 200, 200, 500]);
}

#[test]
fn a_status_has_the_headers_and_the_body_it_was_given() {
    let emulator = emulator();
    let reply = Reply::status(529)
        .header("retry-after", "1s")
        .header("x-odd", b"\xff")
        .header("x-ms-region", "Elsewhere")
        .body("overloaded");
    emulator.script(reply);
    let response = ask(&emulator);
    assert_eq!(response.status(), 529);
    assert_eq!(header(&response, "retry-after"), Some("1s"));
    assert_eq!(header(&response, "x-ms-region"), Some("Elsewhere"));
    assert_eq!(response.headers()["x-odd"].as_bytes(), b"\xff");
    assert_eq!(response.text().unwrap(), "overloaded");
}

#[test]
fn a_script_that_http_does_not_allow_is_answered_with_what_is_wrong() {
    let emulator = emulator();
    for reply in [
        Reply::status(99),
        Reply::status(100),
        Reply::status(1000),
        Reply::status(200).header("a b", "c"),
        Reply::status(200).header("a", "b\r\nc: d"),
        Reply::status(200).header("content-length", "3"),
        Reply::serve().body("x"),
    ] {
        emulator.script(reply);
        let response = ask(&emulator);
        assert_eq!(response.status(), 500);
        assert!(response.text().unwrap().contains("scripted reply is not valid"));
    }
}

#[test]
fn statuses_without_a_body_are_sent_without_one() {
    let emulator = emulator();
    for status in [204, 304] {
        emulator.script(Reply::status(status).body("dropped"));
        assert_eq!(ask(&emulator).status(), status);
    }
    assert!(emulator.wait_until_bodies_sent(2, PATIENCE));
    assert_eq!(emulator.clients_left(), 0);
}

#[test]
fn a_redirect_is_a_307_with_its_location() {
    let emulator = emulator();
    emulator.script(Reply::redirect("http://127.0.0.1:9/elsewhere"));
    let response = ask(&emulator);
    assert_eq!(response.status(), 307);
    assert_eq!(header(&response, "location"), Some("http://127.0.0.1:9/elsewhere"));
}

#[test]
fn an_oversized_prompts_refusal_hints_at_a_day() {
    let emulator = emulator();
    emulator.script(Reply::oversized());
    let response = ask(&emulator);
    assert_eq!(header(&response, "retry-after"), Some("86400"));
    assert!(response.text().unwrap().contains("retry after 86400 seconds"));
}

#[test]
fn a_scripted_throttle_hints_in_the_emulators_form() {
    for (form, name, value) in [
        (HintForm::Seconds, "retry-after", "2"),
        (HintForm::Millis, "retry-after-ms", "1500"),
        (HintForm::Reset, "x-ratelimit-reset-tokens", "2"),
    ] {
        let emulator = Emulator::builder().hint(form).start().unwrap();
        emulator.script(Reply::throttled(Duration::from_millis(1_500)));
        let response = ask(&emulator);
        assert_eq!(response.status(), 429);
        assert_eq!(header(&response, name), Some(value), "{form:?}");
    }
}

#[test]
fn a_scripted_throttle_without_a_wait_still_says_a_second() {
    let emulator = Emulator::builder().hint(HintForm::Millis).start().unwrap();
    emulator.script(Reply::throttled(Duration::ZERO));
    let response = ask(&emulator);
    assert_eq!((header(&response, "retry-after-ms"), header(&response, "retry-after")), (Some("0"), Some("1")));
}

#[test]
fn a_body_sent_after_its_head_is_waited_for_and_the_connection_is_used_again() {
    let emulator = emulator();
    let body = "x".repeat(20_000);
    let delay = Duration::from_millis(5);
    emulator.script(Reply::status(429).body(body.clone()).body_delay(delay));
    let mut raw = Raw::post(&emulator, HELLO);
    let head = raw.head();
    assert!(head.contains("content-length: 20000"), "{head}");
    assert!(emulator.wait_until_bodies_sent(1, PATIENCE));
    let received = &emulator.requests()[0];
    assert!(received.body_sent().unwrap() >= received.arrived() + delay);
    assert_eq!(raw.until(&body), body);

    raw.send(HELLO);
    assert!(raw.head().starts_with("HTTP/1.1 200"));
    assert_eq!(emulator.connections(), 1);
}

#[test]
fn a_body_can_stall_behind_its_head_for_ever() {
    let emulator = emulator();
    for reply in [Reply::throttled(Duration::from_secs(3)).stall_body(), Reply::status(429).stall_body()] {
        emulator.script(reply);
        let mut raw = Raw::post(&emulator, HELLO);
        assert!(raw.head().starts_with("HTTP/1.1 429"));
        assert_eq!(status(&emulator), 200, "the others are served meanwhile");
        assert!(raw.is_silent());
    }
    assert!(emulator.wait_until_clients_left(2, PATIENCE));
}

#[test]
fn a_body_can_stall_in_its_middle() {
    let emulator = emulator();
    emulator.script(Reply::status(429).body("0123456789").stall_after_bytes(4));
    let mut raw = Raw::post(&emulator, HELLO);
    let head = raw.head();
    assert!(head.to_ascii_lowercase().contains("content-length: 10"), "{head}");
    assert_eq!(raw.until("3"), "0123");
    assert!(raw.is_silent());
}

#[test]
fn a_head_can_be_late() {
    let emulator = emulator();
    let delay = Duration::from_millis(30);
    emulator.script(Reply::serve().head_delay(delay));
    let started = Instant::now();
    assert_eq!(status(&emulator), 200);
    assert!(started.elapsed() >= delay);
}

#[test]
fn a_head_can_never_come_and_the_client_that_gives_up_is_noticed() {
    let emulator = emulator();
    emulator.script(Reply::no_head());
    let mut raw = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(1, PATIENCE));
    assert_eq!(status(&emulator), 200);
    assert!(raw.is_silent());
    drop(raw);
    assert!(emulator.wait_until_clients_left(1, PATIENCE));
    assert_eq!(emulator.requests()[0].status(), None);
}

#[test]
fn a_silent_connection_is_read_and_never_answered_again() {
    let emulator = emulator();
    emulator.script(Reply::silence());
    let mut raw = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(1, PATIENCE));
    assert_eq!(status(&emulator), 200, "other connections speak");
    assert!(raw.is_silent());
    drop(raw);
    assert!(emulator.wait_until_clients_left(1, PATIENCE));
}

#[test]
fn all_connections_can_fall_silent_and_only_new_ones_speak_again() {
    let emulator = emulator();
    let mut kept = Raw::post(&emulator, HELLO);
    kept.head();
    assert!(emulator.wait_until_bodies_sent(1, PATIENCE));
    emulator.silence_connections(true);
    let mut fresh = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(2, PATIENCE));
    drop(fresh);
    // It left without its answer, so the answer was due; it is not counted as sent.
    assert!(emulator.wait_until_clients_left(1, PATIENCE));
    assert_eq!(emulator.bodies_sent(), 1);

    fresh = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(3, PATIENCE));
    // The emulator has one thread: when it takes another request, this one's answer is behind it.
    let _other = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(4, PATIENCE));
    emulator.silence_connections(false);
    assert_eq!(status(&emulator), 200);
    assert!(fresh.is_silent());
    // This connection had nothing to say meanwhile. The rest of its first answer comes before.
    kept.send(HELLO);
    assert!(kept.until("200 OK\r\n").ends_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_reset_comes_after_the_request_was_read_and_before_any_head() {
    let emulator = emulator();
    emulator.script(Reply::reset());
    let mut raw = Raw::post(&emulator, HELLO);
    assert_eq!(raw.read().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(emulator.requests()[0].body(), HELLO.as_bytes());
    assert_eq!(status(&emulator), 200);
}

#[test]
fn a_body_that_is_no_stream_can_be_reset_before_it_comes() {
    let emulator = emulator();
    emulator.script(Reply::serve().reset_after(0));
    let mut raw = Raw::post(&emulator, HELLO);
    assert!(raw.head().starts_with("HTTP/1.1 200"));
    assert_eq!(raw.read().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn refused_connections_keep_the_port_and_come_back_on_it() {
    let emulator = emulator();
    let addr = emulator.addr();
    let mut kept = Raw::post(&emulator, HELLO);
    kept.head();

    emulator.refuse_connections(true).unwrap();
    let refused = Raw::connect(&emulator).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // The body is still to be read; behind it the connection is over.
    while kept.read().is_ok_and(|read| read > 0) {}
    // Again, which changes nothing.
    emulator.refuse_connections(true).unwrap();
    // Nobody is given the port meanwhile.
    let others: Vec<_> = (0..50).map(|_| Emulator::start().unwrap().addr()).collect();
    assert!(!others.contains(&addr));

    emulator.refuse_connections(false).unwrap();
    emulator.refuse_connections(false).unwrap();
    assert_eq!(emulator.addr(), addr);
    assert_eq!(status(&emulator), 200);
    assert_eq!(emulator.connections(), 2);
}

#[test]
fn closed_connections_can_be_made_anew() {
    let emulator = emulator();
    emulator.script(Reply::no_head());
    let mut raw = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(1, PATIENCE));
    emulator.close_connections();
    assert!(matches!(raw.read(), Ok(0) | Err(_)));
    assert!(!emulator.requests()[0].client_left(), "it was the emulator");
    assert_eq!(status(&emulator), 200);
}

#[test]
fn dropping_the_emulator_ends_open_answers() {
    let emulator = emulator();
    emulator.script(Reply::no_head());
    let mut raw = Raw::post(&emulator, HELLO);
    assert!(emulator.wait_for_requests(1, PATIENCE));
    drop(emulator);
    assert!(matches!(raw.read(), Ok(0) | Err(_)));
}

#[test]
fn a_wait_for_what_does_not_come_ends_with_its_time() {
    let emulator = emulator();
    let short = Duration::from_millis(10);
    assert!(!emulator.wait_for_requests(1, short));
    assert!(!emulator.wait_until_bodies_sent(1, short));
    assert!(!emulator.wait_until_clients_left(1, short));
    assert!(emulator.wait_for_requests(0, Duration::ZERO));
}

#[test]
fn scripted_replies_ask_for_no_key_and_no_path() {
    let emulator = Emulator::builder().key("k").start().unwrap();
    emulator.script(Reply::status(418));
    let url = format!("http://{}/anywhere", emulator.addr());
    assert_eq!(support::client().get(url).send().unwrap().status(), 418);
    assert_eq!(support::post(&emulator, CHAT, HELLO).status(), 401);
}
