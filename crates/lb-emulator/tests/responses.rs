//! The Responses API.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::time::Duration;

use lb_emulator::{Emulator, HintForm, Reply};
use reqwest::blocking::Response;
use serde_json::{Value, json};
use support::{client, header, post};

const RESPONSES: &str = "/openai/v1/responses";

fn create(emulator: &Emulator, body: Value) -> Response {
    post(emulator, RESPONSES, &body.to_string())
}

fn created(emulator: &Emulator, body: Value) -> Value {
    let response = create(emulator, body);
    assert_eq!(response.status(), 200);
    response.json().unwrap()
}

fn error(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json::<Value>().unwrap()["error"].take())
}

fn at(emulator: &Emulator, id: &str) -> String {
    format!("{}{RESPONSES}/{id}", emulator.url())
}

#[test]
fn a_response_is_a_message_with_usage_and_can_be_fetched_until_it_is_deleted() {
    let emulator = Emulator::builder().name("ptu").completion_tokens(3).start().unwrap();
    let body = json!({ "model": "gpt", "input": "Hello there", "instructions": "Be kind", "metadata": { "a": "b" } });
    let response = created(&emulator, body);
    let id = response["id"].as_str().unwrap();
    assert!(id.starts_with("resp_"));
    assert_eq!((&response["object"], &response["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(response["output"][0]["content"][0]["text"], "ptu word1 word2");
    assert_eq!(response["metadata"], json!({ "a": "b" }));
    // 11 and 7 characters: 5 tokens.
    assert_eq!(response["usage"]["input_tokens"], 5);
    assert_eq!((&response["usage"]["output_tokens"], &response["usage"]["total_tokens"]), (&json!(3), &json!(8)));

    let fetched = client().get(at(&emulator, id)).send().unwrap();
    assert_eq!(fetched.headers()["content-type"], "application/json");
    assert_eq!(fetched.json::<Value>().unwrap(), response);
    let deleted: Value = client().delete(at(&emulator, id)).send().unwrap().json().unwrap();
    assert_eq!(deleted, json!({ "id": id, "object": "response", "deleted": true }));
    for gone in [client().get(at(&emulator, id)), client().delete(at(&emulator, id))] {
        let (status, error) = error(gone.send().unwrap());
        assert_eq!((status, &error["type"]), (404, &json!("invalid_request_error")));
        assert!(error["message"].as_str().unwrap().contains(id));
    }
    let with_version = post(&emulator, "/openai/responses?api-version=preview", r#"{"model":"gpt","input":"x"}"#);
    assert_eq!(with_version.status(), 200);
    assert_eq!(post(&emulator, "/openai/responses", r#"{"model":"gpt","input":"x"}"#).status(), 404);
}

#[test]
fn a_conversation_goes_on_where_it_was_begun_and_nowhere_else() {
    // By default both have the same name.
    let [here, elsewhere] = [(); 2].map(|()| Emulator::builder().completion_tokens(1).start().unwrap());
    let first = created(&here, json!({ "model": "gpt", "input": "12345678" }));
    let id = first["id"].as_str().unwrap();
    assert_eq!(first["usage"]["input_tokens"], 2);

    let second =
        json!({ "model": "gpt", "input": [{ "role": "user", "content": "1234" }], "previous_response_id": id });
    let answered = created(&here, second.clone());
    assert_eq!(answered["previous_response_id"], id);
    // "12345678", "emulator" and "1234".
    assert_eq!(answered["usage"]["input_tokens"], 5);

    created(&elsewhere, json!({ "model": "gpt", "input": "takes the same number" }));
    let (status, unknown) = error(create(&elsewhere, second));
    assert_eq!(status, 400);
    assert_eq!(unknown["param"], "previous_response_id");
    assert_eq!(unknown["code"], "previous_response_not_found");
    assert_eq!(client().get(at(&elsewhere, id)).send().unwrap().status(), 404);
}

#[test]
fn what_is_not_to_be_stored_is_not() {
    let emulator = Emulator::start().unwrap();
    let response = created(&emulator, json!({ "model": "gpt", "input": "x", "store": false }));
    let id = response["id"].as_str().unwrap();
    assert_eq!(response["store"], false);
    assert_eq!(client().get(at(&emulator, id)).send().unwrap().status(), 404);
}

#[test]
fn a_stream_has_named_and_numbered_events_and_ends_with_the_response() {
    let emulator = Emulator::builder().completion_tokens(2).start().unwrap();
    let text = create(&emulator, json!({ "model": "gpt", "input": "x", "stream": true })).text().unwrap();
    let events: Vec<(&str, Value)> = text
        .split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            (name.strip_prefix("event: ").unwrap(), data)
        })
        .collect();
    let names: Vec<_> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    let (begun, ended) = (&events[0].1["response"], &events[9].1["response"]);
    assert_eq!((&begun["status"], &begun["output"]), (&json!("in_progress"), &json!([])));
    assert_eq!(ended["output"][0]["content"][0]["text"], "emulator word1");
    assert_eq!(begun["id"], ended["id"]);

    let kept: Value = client().get(at(&emulator, ended["id"].as_str().unwrap())).send().unwrap().json().unwrap();
    assert_eq!(&kept, ended);
}

#[test]
fn a_response_that_max_output_tokens_ended_is_incomplete() {
    let emulator = Emulator::builder().completion_tokens(17).start().unwrap();
    let mut body = json!({ "model": "gpt", "input": "x", "max_output_tokens": 16 });
    let cut = created(&emulator, body.clone());
    assert_eq!(cut["status"], "incomplete");
    assert_eq!(cut["incomplete_details"], json!({ "reason": "max_output_tokens" }));
    body["stream"] = true.into();
    let stream = create(&emulator, body).text().unwrap();
    assert!(stream.contains("event: response.incomplete\n") && !stream.contains("response.completed"), "{stream}");
}

#[test]
fn a_refusal_can_come_inside_a_stream_that_its_head_announces() {
    let emulator = Emulator::builder().hint(HintForm::Millis).start().unwrap();
    emulator.script(Reply::throttled_stream(Duration::from_millis(2_500)));
    let response = create(&emulator, json!({ "model": "gpt", "input": "x", "stream": true }));
    assert_eq!(response.status(), 200);
    assert_eq!((header(&response, "retry-after"), header(&response, "retry-after-ms")), (Some("3"), Some("2500")));
    let text = response.text().unwrap();
    let (failed, error) = text.split_once("\n\n").unwrap();
    let data = |event: &str, name: &str| -> Value {
        let data = event.trim_end().strip_prefix(&format!("event: {name}\ndata: ")).unwrap();
        serde_json::from_str(data).unwrap()
    };
    let failed = data(failed, "response.failed");
    assert_eq!((&failed["response"]["status"], &failed["response"]["error"]), (&json!("failed"), &Value::Null));
    let error = &data(error, "error")["error"];
    assert_eq!((&error["code"], &error["type"]), (&json!("rate_limit_exceeded"), &json!("too_many_requests")));
    assert!(error["message"].as_str().unwrap().contains("retry after 3 seconds"));
}

#[test]
fn its_parameters_are_checked() {
    let emulator = Emulator::builder().deployment("gpt").start().unwrap();
    for (body, param, code) in [
        (json!({ "model": "gpt" }), "input", "missing_required_parameter"),
        (json!({ "input": "x" }), "model", "missing_required_parameter"),
        (json!({ "model": "gpt", "input": [] }), "input", "empty_array"),
        (json!({ "model": "gpt", "input": 7 }), "input", "invalid_type"),
        (
            json!({ "model": "gpt", "input": "x", "max_output_tokens": 15 }),
            "max_output_tokens",
            "integer_below_min_value",
        ),
        (json!({ "model": "gpt", "input": "x", "temperature": 3 }), "temperature", "decimal_above_max_value"),
    ] {
        let shown = body.to_string();
        let (status, error) = error(create(&emulator, body));
        assert_eq!((status, &error["param"], &error["code"]), (400, &json!(param), &json!(code)), "{shown}");
    }
    let (status, error) = error(create(&emulator, json!({ "model": "other", "input": "x" })));
    assert_eq!((status, &error["code"]), (404, &json!("DeploymentNotFound")));
}

#[test]
fn a_response_is_charged_and_fetching_it_is_not() {
    let emulator = Emulator::builder().standard(1_000, 12).start().unwrap();
    let body = json!({ "model": "gpt", "input": "x", "max_output_tokens": 400 });
    let first = create(&emulator, body.clone());
    assert_eq!(first.headers()["x-ratelimit-remaining-requests"], "1");
    let id = first.json::<Value>().unwrap()["id"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        assert_eq!(client().get(at(&emulator, &id)).send().unwrap().status(), 200);
    }
    assert_eq!(create(&emulator, body.clone()).status(), 200);
    let (status, error) = error(create(&emulator, body));
    assert_eq!(status, 429);
    assert!(error["message"].as_str().unwrap().contains("Responses_Create"));
}
