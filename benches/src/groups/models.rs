//! A backend's name for the model put into a body.

use std::hint::black_box;

use lb_core::{Backend, Pool, Step, ThreadRng};

use crate::case::{Case, Section};

/// One section, with a case for each length of the body.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![Section::new("replace the model", [1, 10, 100].map(case))]
}

fn case(kibibytes: usize) -> Case {
    let backend = Backend::builder("backend.example").model("gpt-4.1-eu").build().expect("a valid backend");
    let pool = Pool::new([backend]).expect("one backend is a pool");
    let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { unreachable!("it is available") };
    let body = body(kibibytes * 1024);
    Case::new(format!("{kibibytes} KiB"), move || {
        let target = pool.target(&attempt);
        let replaced = target.body("/openai/v1/chat/completions", Some(b"application/json"), black_box(&body));
        assert!(replaced.is_some());
        replaced
    })
}

/// A chat of about so many bytes, with its model at the end, as some SDKs write it: all of it is read before.
fn body(length: usize) -> Vec<u8> {
    const TURN: &str =
        r#"{"role":"user","content":"She said: \"Look at it.\"\nAnd then nothing for a while, \u00e9 or so."},"#;
    let turns = TURN.repeat(length / TURN.len());
    let body = format!(r#"{{"messages":[{}],"temperature":0.2,"model":"gpt-4.1"}}"#, turns.trim_end_matches(','));
    body.into_bytes()
}
