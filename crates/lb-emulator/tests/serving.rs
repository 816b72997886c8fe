//! What a well-behaved client gets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{collections::HashSet, time::Duration};

use lb_emulator::{Emulator, Reply};
use serde_json::Value;
use support::{CHAT, HELLO, PATIENCE, ask, client, header, post};

fn json(response: reqwest::blocking::Response) -> Value {
    response.json().unwrap()
}

#[test]
fn a_chat_request_gets_a_completion_with_usage() {
    let emulator = Emulator::builder().name("ptu").completion_tokens(3).start().unwrap();
    let response = ask(&emulator);
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(header(&response, "x-ms-region"), Some("East US"));
    assert!(header(&response, "apim-request-id").is_some());

    let body = json(response);
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "gpt-4o");
    assert_eq!(body["choices"][0]["message"]["content"], "ptu word1 word2");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    // "Hello there" has 11 characters: 3 tokens.
    assert_eq!(body["usage"]["prompt_tokens"], 3);
    assert_eq!(body["usage"]["completion_tokens"], 3);
    assert_eq!(body["usage"]["total_tokens"], 6);
}

#[test]
fn a_completion_that_max_tokens_ended_says_so() {
    let emulator = Emulator::builder().completion_tokens(3).start().unwrap();
    for (max, reason, tokens) in [(2, "length", 2), (3, "stop", 3)] {
        for parameter in ["max_tokens", "max_completion_tokens"] {
            let body = HELLO.replacen('{', &format!(r#"{{"{parameter}":{max},"#), 1);
            let answer = json(post(&emulator, CHAT, &body));
            assert_eq!(answer["choices"][0]["finish_reason"], reason, "{body}");
            assert_eq!(answer["usage"]["completion_tokens"], tokens);
            let stream = post(&emulator, CHAT, &body.replacen('{', r#"{"stream":true,"#, 1)).text().unwrap();
            assert!(stream.contains(&format!(r#""finish_reason":"{reason}""#)), "{stream}");
        }
    }
}

#[test]
fn every_answer_has_the_request_ids_that_support_asks_for() {
    let emulator = Emulator::builder().key("k1").start().unwrap();
    emulator.script(Reply::throttled(Duration::from_secs(1)));
    emulator.script(Reply::status(503));
    let mut seen = HashSet::new();
    for status in [429, 503, 401] {
        let response = ask(&emulator);
        assert_eq!(response.status(), status);
        for name in ["apim-request-id", "x-request-id"] {
            let id = header(&response, name).unwrap().to_owned();
            assert!(seen.insert(id), "{name} of {status} is its own");
        }
    }
}

#[test]
fn the_v1_path_takes_the_deployment_from_the_model() {
    let emulator = Emulator::builder().deployment("gpt-4o").start().unwrap();
    let with = |model: &str| {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"x"}}]}}"#);
        post(&emulator, "/openai/v1/chat/completions", &body)
    };
    assert_eq!(json(with("gpt-4o"))["model"], "gpt-4o");
    assert_eq!(with("gpt-2").status(), 404);
    let without = post(&emulator, "/openai/v1/chat/completions", HELLO);
    assert_eq!(without.status(), 400);
}

#[test]
fn embeddings_give_one_vector_per_input() {
    let emulator = Emulator::start().unwrap();
    let path = "/openai/deployments/ada/embeddings?api-version=2024-10-21";
    let body = json(post(&emulator, path, r#"{"input":["one","three"]}"#));
    assert_eq!(body["data"].as_array().unwrap().len(), 2);
    assert_eq!(body["data"][1]["index"], 1);
    assert_eq!(body["usage"]["total_tokens"], 2, "8 characters");
}

#[test]
fn embeddings_come_as_base64_if_asked_for() {
    let emulator = Emulator::start().unwrap();
    let path = CHAT.replace("chat/completions", "embeddings");
    let with = |format: &str| post(&emulator, &path, &format!(r#"{{"input":"one","encoding_format":"{format}"}}"#));

    let numbers = json(with("float"));
    let numbers: Vec<f64> = serde_json::from_value(numbers["data"][0]["embedding"].clone()).unwrap();
    let text = json(with("base64"));
    let text = text["data"][0]["embedding"].as_str().unwrap();
    // Little-endian f32s: 1/8 is 00 00 00 3e.
    assert_eq!(numbers, [0.125; 8]);
    assert_eq!(text, "AAAAPgAAAD4AAAA+AAAAPgAAAD4AAAA+AAAAPgAAAD4=");

    let odd = with("hex");
    assert_eq!(odd.status(), 400);
    assert_eq!(json(odd)["error"]["code"], "invalid_value");
}

#[test]
fn both_forms_of_credential_are_accepted_and_others_get_azures_401() {
    let emulator = Emulator::builder().key("k1").key("k2").start().unwrap();
    let with = |name: &'static str, value: &'static str| {
        let url = format!("{}{CHAT}", emulator.url());
        let request = client().post(url).header(name, value).body(HELLO);
        request.send().unwrap()
    };
    assert_eq!(with("api-key", "k1").status(), 200);
    assert_eq!(with("authorization", "Bearer k2").status(), 200);
    assert_eq!(with("authorization", "bearer k2").status(), 200);
    assert_eq!(with("authorization", "Basic k2").status(), 401);
    assert_eq!(with("api-key", "wrong").status(), 401);

    let denied = ask(&emulator);
    assert_eq!(denied.status(), 401);
    let body = json(denied);
    assert_eq!(body["error"]["code"], "401");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Access denied due to invalid subscription key or wrong API endpoint"));
}

#[test]
fn what_does_not_exist_is_told_as_azure_tells_it() {
    let emulator = Emulator::builder().deployment("gpt-35").start().unwrap();
    let unknown = ask(&emulator);
    assert_eq!(unknown.status(), 404);
    assert_eq!(json(unknown)["error"]["code"], "DeploymentNotFound");

    let elsewhere = post(&emulator, "/openai/deployments/gpt-35/images?api-version=2024-10-21", HELLO);
    assert_eq!(elsewhere.status(), 404);
    assert_eq!(json(elsewhere)["error"]["code"], "404");

    let url = format!("{}{CHAT}", emulator.url());
    let got = client().get(url).send().unwrap();
    assert_eq!((got.status().as_u16(), header(&got, "allow")), (405, Some("POST")));
}

#[test]
fn a_deployments_path_needs_a_version_and_the_v1_path_does_not() {
    let emulator = Emulator::start().unwrap();
    let (path, _) = CHAT.split_once('?').unwrap();
    for query in ["", "?", "?api-version", "?api-version=", "?version=2024-10-21"] {
        let response = post(&emulator, &format!("{path}{query}"), HELLO);
        assert_eq!(response.status(), 404, "{query}");
        assert_eq!(json(response)["error"]["message"], "Resource not found");
    }
    assert_eq!(post(&emulator, &format!("{path}?a=b&api-version=preview"), HELLO).status(), 200);

    let body = HELLO.replacen('{', r#"{"model":"gpt-4o","#, 1);
    for query in ["", "?api-version=preview"] {
        assert_eq!(post(&emulator, &format!("/openai/v1/chat/completions{query}"), &body).status(), 200, "{query}");
    }
}

#[test]
fn a_body_that_is_no_request_gets_a_400() {
    let emulator = Emulator::start().unwrap();
    for body in ["", "{", "[]", "{}", r#"{"messages":[]}"#, r#"{"messages":"x"}"#] {
        let response = post(&emulator, CHAT, body);
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(json(response)["error"]["type"], "invalid_request_error");
    }
}

#[test]
fn parameters_are_refused_as_azure_refuses_them() {
    let emulator = Emulator::start().unwrap();
    let messages = r#""messages":[{"role":"user","content":"x"}]"#;
    for (parameter, param, code) in [
        (r#""max_tokens":0"#, "max_tokens", "integer_below_min_value"),
        (r#""max_tokens":-1"#, "max_tokens", "integer_below_min_value"),
        (r#""max_tokens":"x""#, "max_tokens", "invalid_type"),
        (r#""max_completion_tokens":0"#, "max_completion_tokens", "integer_below_min_value"),
        (r#""temperature":2.1"#, "temperature", "decimal_above_max_value"),
        (r#""temperature":-1"#, "temperature", "decimal_below_min_value"),
        (r#""top_p":1.1"#, "top_p", "decimal_above_max_value"),
        (r#""presence_penalty":-3"#, "presence_penalty", "decimal_below_min_value"),
        (r#""stream":"yes""#, "stream", "invalid_type"),
        (r#""model":7"#, "model", "invalid_type"),
    ] {
        let response = post(&emulator, CHAT, &format!("{{{messages},{parameter}}}"));
        assert_eq!(response.status(), 400, "{parameter}");
        let error = &json(response)["error"];
        assert_eq!((error["param"].as_str(), error["code"].as_str()), (Some(param), Some(code)), "{parameter}");
    }
    let fine = format!("{{{messages},\"max_tokens\":1,\"temperature\":2,\"top_p\":0,\"stream\":null}}");
    assert_eq!(post(&emulator, CHAT, &fine).status(), 200);

    let missing = json(post(&emulator, CHAT, "{}"));
    assert_eq!(missing["error"]["message"], "Missing required parameter: 'messages'.");
    let embeddings = CHAT.replace("chat/completions", "embeddings");
    for (body, code) in [("{}", "missing_required_parameter"), (r#"{"input":[]}"#, "empty_array")] {
        let error = &json(post(&emulator, &embeddings, body))["error"];
        assert_eq!((error["param"].as_str(), error["code"].as_str()), (Some("input"), Some(code)), "{body}");
    }
}

#[test]
fn the_deployments_are_listed_as_models() {
    let emulator = Emulator::builder().deployment("gpt-4o").deployment("ada").start().unwrap();
    let get = |path: &str| client().get(format!("{}{path}", emulator.url())).send().unwrap();
    for path in ["/openai/v1/models", "/openai/models?api-version=2024-10-21"] {
        let list = json(get(path));
        let names: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
        assert_eq!((list["object"].as_str(), names), (Some("list"), vec!["ada", "gpt-4o"]), "{path}");
    }
    assert_eq!(json(get("/openai/v1/models/ada"))["object"], "model");
    assert_eq!(get("/openai/v1/models/gpt-2").status(), 404);
    assert_eq!(get("/openai/models").status(), 404, "without a version");
    // As since 2023: that list belongs to the management API.
    assert_eq!(get("/openai/deployments?api-version=2024-10-21").status(), 404);
    let posted = post(&emulator, "/openai/v1/models", "{}");
    assert_eq!((posted.status().as_u16(), header(&posted, "allow")), (405, Some("GET")));

    let any = Emulator::start().unwrap();
    let anything = client().get(format!("{}/openai/v1/models/anything", any.url())).send().unwrap();
    assert_eq!(anything.status(), 200, "all deployments exist");
}

#[test]
fn a_path_prefix_is_part_of_the_url_and_required() {
    let emulator = Emulator::builder().path_prefix("/team-a/").start().unwrap();
    assert!(emulator.url().ends_with("/team-a"));
    assert_eq!(ask(&emulator).status(), 200);
    assert_eq!(emulator.requests()[0].path_and_query(), format!("/team-a{CHAT}"));

    let without = format!("http://{}{CHAT}", emulator.addr());
    let response = client().post(without).body(HELLO).send().unwrap();
    assert_eq!(response.status(), 404);
    assert!(Emulator::builder().path_prefix("team").start().is_err());
    assert!(Emulator::builder().path_prefix("/a?b").start().is_err());
}

#[test]
fn what_was_received_is_recorded_and_never_shows_a_credential() {
    let emulator = Emulator::start().unwrap();
    let url = format!("{}{CHAT}&secret=in-query", emulator.url());
    let request = client().post(url).header("api-key", "in-header").bearer_auth("in-token");
    assert_eq!(request.body(HELLO).send().unwrap().status(), 200);

    assert!(emulator.wait_until_bodies_sent(1, PATIENCE));
    let received = &emulator.requests()[0];
    assert_eq!(received.number(), 1);
    assert_eq!(received.method(), "POST");
    assert_eq!(received.path(), "/openai/deployments/gpt-4o/chat/completions");
    assert_eq!(received.query(), Some("api-version=2024-10-21&secret=in-query"));
    assert_eq!(received.header("api-key"), Some("in-header"));
    assert_eq!(received.body(), HELLO.as_bytes());
    assert_eq!(received.status(), Some(200));
    assert!(received.body_sent().unwrap() >= received.arrived());
    assert!(!received.client_left());

    let shown = format!("{received:?} {emulator:?}");
    for secret in ["in-header", "in-token", "in-query", "Hello there"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let builder = format!("{:?}", Emulator::builder().key("in-builder"));
    assert!(!builder.contains("in-builder"));
}

#[test]
fn connections_are_counted_and_a_kept_one_carries_many_requests() {
    let emulator = Emulator::start().unwrap();
    let url = format!("{}{CHAT}", emulator.url());
    let pooled = client();
    for _ in 0..3 {
        pooled.post(&url).body(HELLO).send().unwrap().bytes().unwrap();
    }
    client().post(&url).body(HELLO).send().unwrap().bytes().unwrap();
    assert_eq!(emulator.connections(), 2);
    let connections: Vec<_> = emulator.requests().iter().map(|r| r.connection()).collect();
    assert_eq!(connections, [1, 1, 1, 2]);
}

#[test]
fn older_requests_than_are_to_be_remembered_are_forgotten_but_counted() {
    let emulator = Emulator::builder().remember(2).start().unwrap();
    for _ in 0..3 {
        ask(&emulator);
    }
    let numbers: Vec<_> = emulator.requests().iter().map(|r| r.number()).collect();
    assert_eq!((numbers, emulator.request_count()), (vec![2, 3], 3));
}

#[test]
fn it_can_be_started_used_and_dropped_inside_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let emulator = Emulator::start().unwrap();
        let url = format!("{}{CHAT}", emulator.url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client.post(url).body(HELLO).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(emulator.wait_for_requests_async(1, PATIENCE).await);
        emulator.shutdown();
    });
}

#[test]
fn dropping_it_frees_the_port() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(ask(&emulator).status(), 200);
    let addr = emulator.addr();
    assert!(Emulator::builder().listen(addr).start().is_err(), "in use");
    emulator.shutdown();
    let again = Emulator::builder().listen(addr).start().unwrap();
    assert_eq!(again.addr(), addr);
    assert_eq!(ask(&again).status(), 200);
}
