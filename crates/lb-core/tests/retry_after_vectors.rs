//! Every input of `data/retry_after.json` gives the delay it asks for, or none, whatever holds the headers.
// A vector that cannot be read fails the test.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue};
use lb_core::hint;
use serde_json::Value;

/// How many inputs the file has: one that is lost must not go unnoticed.
const VECTORS: usize = 152;

struct Vector {
    name: String,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    now: SystemTime,
    expected: Option<Duration>,
}

impl Vector {
    fn new(json: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let now = DateTime::parse_from_rfc3339(json["now"].as_str().unwrap()).unwrap();
        Self {
            name: text(&json["name"]),
            status: json["status"].as_u64().unwrap().try_into().unwrap(),
            headers: json["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| (text(&line[0]), latin_1(line[1].as_str().unwrap())))
                .collect(),
            now: UNIX_EPOCH + Duration::from_secs(now.timestamp().try_into().unwrap()),
            expected: match json["expected"]["kind"].as_str().unwrap() {
                "delay_ms" => Some(Duration::from_millis(json["expected"]["value"].as_u64().unwrap())),
                "none" => None,
                other => panic!("no such kind: {other}"),
            },
        }
    }

    fn delay_in_lines(&self) -> Option<Duration> {
        hint(self.status, &self.headers[..], || self.now).map(|hint| hint.delay())
    }

    fn delay_in_header_map(&self) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        hint(self.status, &map, || self.now).map(|hint| hint.delay())
    }
}

/// The file shows every byte of a value as the character of that number.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

#[test]
fn every_vector_gives_its_delay() {
    let json: Value = serde_json::from_str(include_str!("data/retry_after.json")).unwrap();
    let vectors: Vec<_> = json.as_array().unwrap().iter().map(Vector::new).collect();

    let mut wrong = Vec::new();
    for vector in &vectors {
        let found = (vector.delay_in_lines(), vector.delay_in_header_map());
        if found != (vector.expected, vector.expected) {
            wrong.push(format!("{}: {found:?} instead of {:?}", vector.name, vector.expected));
        }
    }

    println!("{} of {}", vectors.len() - wrong.len(), vectors.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(vectors.len(), VECTORS);
}
