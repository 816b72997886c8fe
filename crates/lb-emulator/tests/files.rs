//! Files and batches.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use lb_emulator::Emulator;
use reqwest::blocking::{
    Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use support::{client, header, post};

const FILES: &str = "/openai/v1/files";

fn upload(emulator: &Emulator, name: &str, content: &str) -> Value {
    let file = Part::bytes(content.as_bytes().to_vec()).file_name(name.to_owned());
    let response = send(emulator, FILES, Form::new().text("purpose", "batch").part("file", file));
    assert_eq!(response.status(), 200);
    response.json().unwrap()
}

fn send(emulator: &Emulator, path: &str, form: Form) -> Response {
    client().post(format!("{}{path}", emulator.url())).multipart(form).send().unwrap()
}

fn get(emulator: &Emulator, path: &str) -> Response {
    client().get(format!("{}{path}", emulator.url())).send().unwrap()
}

fn json(response: Response) -> Value {
    response.json().unwrap()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn a_file_can_be_read_until_it_is_deleted_and_only_where_it_was_uploaded() {
    let [here, elsewhere] = [(); 2].map(|()| Emulator::start().unwrap());
    let file = upload(&here, "a.jsonl", "one\ntwo\r\n");
    let id = file["id"].as_str().unwrap();
    assert!(id.starts_with("file-"));
    assert_eq!((&file["object"], &file["bytes"]), (&json!("file"), &json!(9)));
    assert_eq!((&file["filename"], &file["purpose"]), (&json!("a.jsonl"), &json!("batch")));

    upload(&elsewhere, "takes the same number", "");
    let [one, content] = ["", "/content"].map(|rest| format!("{FILES}/{id}{rest}"));
    assert_eq!(json(get(&here, &one)), file);
    let read = get(&here, &content);
    assert_eq!(header(&read, "content-type"), Some("application/octet-stream"));
    assert_eq!(read.text().unwrap(), "one\ntwo\r\n");
    for path in [&one, &content] {
        let missing = get(&elsewhere, path);
        assert_eq!(missing.status(), 404);
        assert_eq!(json(missing)["error"]["code"], "notFound");
    }

    let deleted = client().delete(format!("{}{one}", here.url())).send().unwrap();
    assert_eq!(json(deleted), json!({ "id": id, "object": "file", "deleted": true }));
    assert_eq!(get(&here, &one).status(), 404);
}

#[test]
fn files_are_listed_newest_first_and_page_by_page() {
    let emulator = Emulator::start().unwrap();
    let made: Vec<Value> = ["1", "2", "3"].into_iter().map(|name| upload(&emulator, name, name)).collect();
    let [first, second, third] = [0, 1, 2].map(|index: usize| made[index]["id"].as_str().unwrap());

    let all = json(get(&emulator, FILES));
    assert_eq!((ids(&all), &all["has_more"]), (vec![third, second, first], &json!(false)));
    let page = json(get(&emulator, &format!("{FILES}?limit=1&after={third}")));
    assert_eq!((ids(&page), &page["has_more"]), (vec![second], &json!(true)));
    assert_eq!((&page["first_id"], &page["last_id"]), (&json!(second), &json!(second)));
    let last = json(get(&emulator, &format!("{FILES}?after={second}&limit=1")));
    assert_eq!((ids(&last), &last["has_more"]), (vec![first], &json!(false)));
    assert_eq!(ids(&json(get(&emulator, &format!("{FILES}?purpose=batch")))).len(), 3);
    assert!(ids(&json(get(&emulator, &format!("{FILES}?purpose=assistants")))).is_empty());
}

#[test]
fn the_versioned_api_answers_201_to_an_upload() {
    let emulator = Emulator::start().unwrap();
    let form = || Form::new().text("purpose", "batch").part("file", Part::bytes(vec![]).file_name("a"));
    assert_eq!(send(&emulator, "/openai/files?api-version=2024-10-21", form()).status(), 201);
    assert_eq!(send(&emulator, "/openai/files", form()).status(), 404);
}

#[test]
fn an_upload_that_lacks_something_is_a_400() {
    let emulator = Emulator::start().unwrap();
    let without_file = send(&emulator, FILES, Form::new().text("purpose", "batch"));
    let without_purpose = send(&emulator, FILES, Form::new().part("file", Part::bytes(vec![1]).file_name("a")));
    for (response, param) in [(without_file, "file"), (without_purpose, "purpose")] {
        assert_eq!(response.status(), 400);
        assert_eq!(json(response)["error"]["param"], param);
    }
    let no_form = post(&emulator, FILES, "{}");
    assert_eq!(no_form.status(), 400);
    let url = format!("{}{FILES}", emulator.url());
    let broken = client().post(url).header("content-type", "multipart/form-data; boundary=x").body("--x\r\n");
    assert_eq!(broken.send().unwrap().status(), 400);
}

const BATCHES: &str = "/openai/v1/batches";

/// A batch over these lines, and its id.
fn batch(emulator: &Emulator, lines: &str) -> (Value, String) {
    let file = upload(emulator, "in.jsonl", lines);
    let body = json!({
        "input_file_id": file["id"],
        "endpoint": "/chat/completions",
        "completion_window": "24h",
        "metadata": { "job": "nightly" },
    });
    let response = post(emulator, BATCHES, &body.to_string());
    assert_eq!(response.status(), 200);
    let batch = json(response);
    let id = batch["id"].as_str().unwrap().to_owned();
    (batch, id)
}

fn line(custom_id: &str, max_tokens: i64) -> String {
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "x" }], "max_tokens": max_tokens });
    json!({ "custom_id": custom_id, "method": "POST", "url": "/chat/completions", "body": body }).to_string()
}

fn look(emulator: &Emulator, id: &str) -> Value {
    json(get(emulator, &format!("{BATCHES}/{id}")))
}

/// The lines of the file that the batch names in this field.
fn written(emulator: &Emulator, batch: &Value, field: &str) -> Vec<Value> {
    let id = batch[field].as_str().unwrap();
    let text = get(emulator, &format!("{FILES}/{id}/content")).text().unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_batch_goes_a_step_further_with_each_look_and_writes_its_answers_into_files() {
    let emulator = Emulator::builder().name("b").deployment("gpt").completion_tokens(2).start().unwrap();
    let (created, id) = batch(&emulator, &format!("{}\n\n{}\r\n{}", line("a", 9), line("b", 0), line("c", 1)));
    assert!(id.starts_with("batch_"));
    assert_eq!((&created["object"], &created["status"]), (&json!("batch"), &json!("validating")));
    assert_eq!(created["metadata"], json!({ "job": "nightly" }));
    assert_eq!(json(get(&emulator, BATCHES))["data"], json!([created]), "a list takes no step");

    assert_eq!(look(&emulator, &id)["status"], "in_progress");
    let done = look(&emulator, &id);
    assert_eq!(done["status"], "completed");
    assert_eq!(done["request_counts"], json!({ "total": 3, "completed": 2, "failed": 1 }));
    assert!(done["completed_at"].is_u64() && done["failed_at"].is_null());
    assert_eq!(look(&emulator, &id), done);

    let output = written(&emulator, &done, "output_file_id");
    assert_eq!(output.iter().map(|line| line["custom_id"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "c"]);
    let choice = |line: usize| &output[line]["response"]["body"]["choices"][0];
    assert_eq!((&choice(0)["message"]["content"], &choice(0)["finish_reason"]), (&json!("b word1"), &json!("stop")));
    assert_eq!(choice(1)["finish_reason"], "length");
    let errors = written(&emulator, &done, "error_file_id");
    assert_eq!((&errors[0]["custom_id"], &errors[0]["response"]["status_code"]), (&json!("b"), &json!(400)));
    assert_eq!(errors[0]["response"]["body"]["error"]["code"], "integer_below_min_value");
}

#[test]
fn a_batch_can_be_cancelled_until_it_is_done() {
    let emulator = Emulator::start().unwrap();
    let cancel = |id: &str| post(&emulator, &format!("{BATCHES}/{id}/cancel"), "");
    let (_, id) = batch(&emulator, &line("a", 1));
    assert_eq!(json(cancel(&id))["status"], "cancelling");
    let cancelled = look(&emulator, &id);
    assert_eq!((&cancelled["status"], &cancelled["output_file_id"]), (&json!("cancelled"), &Value::Null));

    let (_, id) = batch(&emulator, &line("a", 1));
    look(&emulator, &id);
    assert_eq!(look(&emulator, &id)["status"], "completed");
    let refused = cancel(&id);
    assert_eq!(refused.status(), 409);
    assert_eq!(json(refused)["error"]["code"], "conflict");
}

#[test]
fn a_batch_exists_only_where_it_was_made_and_reads_only_files_that_are_there() {
    let [here, elsewhere] = [(); 2].map(|()| Emulator::start().unwrap());
    let (created, id) = batch(&here, &line("a", 1));
    batch(&elsewhere, &line("takes the same numbers", 1));
    for missing in
        [get(&elsewhere, &format!("{BATCHES}/{id}")), post(&elsewhere, &format!("{BATCHES}/{id}/cancel"), "")]
    {
        assert_eq!(missing.status(), 404);
        assert_eq!(json(missing)["error"]["code"], "notFound");
    }
    let with = |name: &str, value: &str| {
        let mut body = json!({
            "input_file_id": created["input_file_id"],
            "endpoint": "/v1/embeddings",
            "completion_window": "24h",
        });
        body[name] = if value.is_empty() { Value::Null } else { value.into() };
        body.to_string()
    };
    let elsewheres = post(&elsewhere, BATCHES, &with("metadata", ""));
    assert_eq!(
        (elsewheres.status().as_u16(), json(elsewheres)["error"]["param"].take()),
        (400, json!("input_file_id"))
    );
    for (name, value) in [("endpoint", "/images"), ("endpoint", ""), ("completion_window", "1h"), ("input_file_id", "")]
    {
        let response = post(&here, BATCHES, &with(name, value));
        assert_eq!(response.status(), 400, "{name} {value}");
        assert_eq!(json(response)["error"]["param"], name);
    }
}

#[test]
fn a_batch_whose_file_cannot_be_read_fails_as_a_whole() {
    let emulator = Emulator::start().unwrap();
    let endless = "{}\n".repeat(100_001);
    for (lines, code) in [("\n \n", "empty_batch"), ("{}\nnot json", "invalid_json_line"), (&endless, "too_many_tasks")]
    {
        let (_, id) = batch(&emulator, lines);
        look(&emulator, &id);
        let failed = look(&emulator, &id);
        assert_eq!((&failed["status"], &failed["errors"]["data"][0]["code"]), (&json!("failed"), &json!(code)));
    }
    // A line that is JSON and no request fails alone.
    let (_, id) = batch(&emulator, &format!("{{}}\n{}", line("a", 1).replace("/chat/completions", "/embeddings")));
    look(&emulator, &id);
    let done = look(&emulator, &id);
    assert_eq!(done["request_counts"], json!({ "total": 2, "completed": 0, "failed": 2 }));
    let params: Vec<_> = written(&emulator, &done, "error_file_id")
        .iter()
        .map(|line| line["response"]["body"]["error"]["param"].clone())
        .collect();
    assert_eq!(params, ["url", "url"]);
}

#[test]
fn a_batch_asks_only_deployments_that_there_are() {
    let emulator = Emulator::builder().deployment("gpt").start().unwrap();
    let (_, id) = batch(&emulator, &line("a", 1).replace(r#""gpt""#, r#""other""#));
    look(&emulator, &id);
    let errors = written(&emulator, &look(&emulator, &id), "error_file_id");
    assert_eq!(errors[0]["response"]["body"]["error"]["code"], "DeploymentNotFound");
}
