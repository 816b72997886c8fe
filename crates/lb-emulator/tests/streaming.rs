//! Streams, event by event, on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::time::Duration;

use lb_emulator::{Emulator, Reply};
use serde_json::json;
use support::{PATIENCE, Raw, STREAM};

fn emulator() -> Emulator {
    Emulator::builder().completion_tokens(3).start().unwrap()
}

#[test]
fn a_stream_has_an_event_per_token_a_finish_reason_and_done_each_in_its_own_chunk() {
    let emulator = emulator();
    let mut raw = Raw::post(&emulator, STREAM);
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");

    let mut content = String::new();
    for _ in 0..3 {
        let chunk = raw.chunk();
        let data = chunk.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        let event: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["object"], "chat.completion.chunk");
        content += event["choices"][0]["delta"]["content"].as_str().unwrap();
    }
    assert_eq!(content, "emulator word1 word2");
    assert!(raw.chunk().contains(r#""finish_reason":"stop""#));
    assert_eq!(raw.chunk(), "data: [DONE]\n\n");
    assert_eq!(raw.chunk(), "");
    assert!(emulator.wait_until_bodies_sent(1, PATIENCE));

    raw.send(STREAM);
    assert!(raw.head().starts_with("HTTP/1.1 200"), "the connection is kept");
}

#[test]
fn a_chat_can_be_refused_inside_its_stream() {
    let emulator = emulator();
    emulator.script(Reply::throttled_stream(Duration::from_secs(7)));
    let mut raw = Raw::post(&emulator, STREAM);
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("retry-after: 7"), "{head}");
    let [first, error] = [(); 2].map(|()| {
        let chunk = raw.chunk();
        serde_json::from_str::<serde_json::Value>(chunk.strip_prefix("data: ").unwrap()).unwrap()
    });
    assert_eq!(first["choices"], json!([]));
    assert_eq!(error["error"]["code"], "429");
    assert!(error["error"]["message"].as_str().unwrap().contains("retry after 7 seconds"));
    assert_eq!(raw.chunk(), "data: [DONE]\n\n");
}

#[test]
fn azures_content_filter_annotates_streams_and_sends_a_chunk_without_choices_first() {
    let emulator = Emulator::builder().completion_tokens(1).content_filter(true).start().unwrap();
    let mut raw = Raw::post(&emulator, STREAM);
    raw.head();
    let [first, word, finish] = [(); 3].map(|()| {
        let chunk = raw.chunk();
        serde_json::from_str::<serde_json::Value>(chunk.strip_prefix("data: ").unwrap()).unwrap()
    });
    assert_eq!((&first["choices"], &first["id"], &first["created"]), (&json!([]), &json!(""), &json!(0)));
    let results = &first["prompt_filter_results"][0]["content_filter_results"];
    assert_eq!(results["hate"], json!({ "filtered": false, "severity": "safe" }));
    let choice = &word["choices"][0];
    assert_eq!(choice["delta"]["content"], "emulator");
    assert_eq!(choice["content_filter_results"]["violence"]["severity"], "safe");
    assert_eq!(finish["choices"][0]["content_filter_results"], json!({}));
    assert_eq!(raw.chunk(), "data: [DONE]\n\n");

    let whole: serde_json::Value = support::ask(&emulator).json().unwrap();
    assert_eq!(whole["choices"][0]["content_filter_results"]["sexual"]["filtered"], false);
    assert_eq!(whole["prompt_filter_results"][0]["prompt_index"], 0);
}

#[test]
fn the_usage_is_streamed_if_asked_for() {
    let emulator = emulator();
    let body = STREAM.replace(r#""stream":true"#, r#""stream":true,"stream_options":{"include_usage":true}"#);
    let mut raw = Raw::post(&emulator, &body);
    raw.head();
    let chunks: Vec<_> = (0..6).map(|_| raw.chunk()).collect();
    assert!(chunks[4].contains(r#""completion_tokens":3"#), "{}", chunks[4]);
    assert_eq!(chunks[5], "data: [DONE]\n\n");
}

#[test]
fn the_next_event_of_a_held_stream_is_sent_only_after_its_release() {
    let emulator = emulator();
    let gate = emulator.hold_streams();
    let mut raw = Raw::post(&emulator, STREAM);
    assert!(raw.head().starts_with("HTTP/1.1 200"));
    for number in 0..3 {
        assert!(raw.is_silent(), "event {number} is not out before its release");
        gate.release_one();
        assert!(raw.chunk().starts_with("data: {"));
    }
    gate.release(2);
    assert!(raw.chunk().contains("stop"));
    assert_eq!(raw.chunk(), "data: [DONE]\n\n");
    assert_eq!(raw.chunk(), "");
}

#[test]
fn a_held_stream_that_nobody_releases_sends_nothing() {
    let emulator = emulator();
    let gate = emulator.hold_streams();
    let mut raw = Raw::post(&emulator, STREAM);
    raw.head();
    // Another request makes a round trip meanwhile: the emulator had its turns.
    let other = support::ask(&emulator);
    assert_eq!(other.status(), 200, "only streams are held");
    assert!(raw.is_silent());
    gate.open();
    assert!(raw.chunk().starts_with("data: {"));
}

#[test]
fn a_scripted_stream_sends_its_events_as_they_are() {
    let emulator = emulator();
    emulator.script(Reply::stream([r#"{"type":"error"}"#, "[DONE]"]).header("retry-after", "4"));
    let mut raw = Raw::post(&emulator, STREAM);
    assert!(raw.head().contains("retry-after: 4\r\n"));
    assert_eq!(raw.chunk(), "data: {\"type\":\"error\"}\n\n");
    assert_eq!(raw.chunk(), "data: [DONE]\n\n");
    assert_eq!(raw.chunk(), "");
}

#[test]
fn a_stream_can_stall_after_some_events_and_the_client_that_leaves_is_noticed() {
    let emulator = emulator();
    emulator.script(Reply::serve().stall_after(2));
    let mut raw = Raw::post(&emulator, STREAM);
    raw.head();
    assert!(raw.chunk().starts_with("data: {"));
    assert!(raw.chunk().starts_with("data: {"));
    support::ask(&emulator);
    assert!(raw.is_silent());
    drop(raw);
    assert!(emulator.wait_until_clients_left(1, PATIENCE));
    let received = &emulator.requests()[0];
    assert!(received.client_left() && received.body_sent().is_none());
}

#[test]
fn a_stream_can_be_reset_after_some_events() {
    let emulator = emulator();
    emulator.script(Reply::serve().reset_after(2));
    let mut raw = Raw::post(&emulator, STREAM);
    raw.head();
    assert!(raw.chunk().starts_with("data: {"));
    assert!(raw.chunk().starts_with("data: {"));
    let error = raw.read().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(!emulator.requests()[0].client_left(), "it was the emulator");
}

#[test]
fn an_interval_keeps_events_apart() {
    let interval = Duration::from_millis(20);
    let emulator = Emulator::builder().event_interval(interval).start().unwrap();
    let started = std::time::Instant::now();
    let body = support::post(&emulator, support::CHAT, STREAM).text().unwrap();
    // Four tokens, the finish reason, [DONE]: five gaps.
    assert_eq!(body.matches("data: ").count(), 6);
    assert!(started.elapsed() >= 5 * interval);
}
