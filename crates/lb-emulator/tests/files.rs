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
