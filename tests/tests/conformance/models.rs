//! The name for the model in a body: each backend's own, and nothing else of the body changes.

use std::sync::{Arc, Mutex};

use lb_core::{Event, MockClock, Observer, Pool, Unmapped};

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Stack, backend, pool, pool_with},
    upstream::{Answer, PATIENCE, Upstream},
};

const PATH: &str = "/openai/v1/chat/completions";

/// Everything in it that a parser could write anew, with `model` as the caller's name.
fn body(model: &str) -> Vec<u8> {
    let before = "{ \"messages\":[{\"model\":\"no\",\"content\":\"\\u00e9 \u{e9}\\/\\ud83d\\ude00\"}],\"n\":1.0e2,\r\n\t\"mod\\u0065l\" : ";
    format!("{before}\"{model}\" , \"metadata\":{{\"model\":\"no\"}},\"seed\":12345678901234567890 }}\n").into_bytes()
}

/// With a length of the caller's, which is that of the caller's body.
fn call(path: &str, body: &[u8]) -> Call {
    let call = Call::post(path).header("content-length", &body.len().to_string());
    // With a length that is too long, a backend waits for the rest.
    call.body(Body::Bytes(body.to_vec())).timeout(PATIENCE)
}

/// What was told of models: by which backend, and why.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, Unmapped)>>>);

impl Told {
    fn take(&self) -> Vec<(String, Unmapped)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Told {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Unmapped { backend, why, .. } = event {
            self.0.lock().unwrap().push((backend.name().to_owned(), *why));
        }
    }
}

/// A pool of one, whose name for all models is `mine`, and what it tells of them.
fn mine(upstream: &impl Upstream) -> (Arc<Pool>, MockClock, Told) {
    let told = Told::default();
    let (pool, clock) = pool_with([backend(upstream, 1).model("mine")], |pool| pool.observer(told.clone()));
    (pool, clock, told)
}

pub fn each_attempt_carries_its_backends_model_and_the_callers_other_bytes<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let upstreams = ["a", "b", "c"].map(|name| stack.upstream(name));
    let [a, b, c] = upstreams.each_ref();
    a.script(Answer::throttled(5));
    b.script(Answer::status(500));
    let (pool, _) = pool([
        backend(a, 1).model("gpt-at-a, which is longer"),
        backend(b, 2).model("else").model_for("caller", "b \"\u{e9}\""),
        backend(c, 3).model_for("caller", "c"),
    ]);
    assert_eq!(stack.send(&pool, call(PATH, &body("caller"))).unwrap().served(), ("c", 3));
    for (upstream, model) in upstreams.iter().zip(["gpt-at-a, which is longer", "b \\\"\u{e9}\\\"", "c"]) {
        let received = upstream.received().remove(0);
        let expected = body(model);
        assert_eq!(String::from_utf8(received.body.clone()), String::from_utf8(expected), "at {}", upstream.name());
        if let Some(length) = received.header("content-length") {
            assert_eq!(length, received.body.len().to_string());
        }
    }
}

pub fn a_path_with_a_deployment_keeps_its_body<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _, told) = mine(&only);
    let call = call(&Call::chat().path_and_query, &body("caller"));
    stack.send(&pool, call.clone()).unwrap();
    // A stream may be read once, and nobody has to read it.
    stack.send(&pool, Call { body: Body::OneShot(body("caller")), headers: Call::chat().headers, ..call }).unwrap();
    assert!(only.received().iter().all(|received| received.body == body("caller")));
    assert_eq!(told.take(), []);
}

pub fn an_odd_body_stays_and_is_told<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _, told) = mine(&only);
    for (body, why) in [
        (&b"{\"messages\":[]}"[..], Some(Unmapped::NoModel)),
        (b"{\"model\":\"a\",\"model\":\"b\"}", Some(Unmapped::TwoModels)),
        (b"{\"model\":4}", Some(Unmapped::NoString)),
        (b"{\"model\":\"a\"} {", Some(Unmapped::NoObject)),
        (b"{\"model\":\"a\",\"b\":\"\xff\"}", Some(Unmapped::NoObject)),
        (b"{\"model\":\"mine\" }", None),
        (b"", None),
    ] {
        stack.send(&pool, call(PATH, body)).unwrap();
        assert_eq!(only.received().pop().unwrap().body, body);
        assert_eq!(told.take(), Vec::from_iter(why.map(|why| ("only".to_owned(), why))), "{}", body.escape_ascii());
    }
    let form = b"--edge\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--edge--\r\n";
    let mut call = call("/openai/v1/audio/transcriptions", form);
    call.headers[0].1 = "multipart/form-data; boundary=edge".to_owned();
    stack.send(&pool, call).unwrap();
    assert_eq!(only.received().pop().unwrap().body, form);
    assert_eq!(told.take(), [("only".to_owned(), Unmapped::ContentType)]);
}

pub fn a_body_that_streams_stays_and_is_told<S: Stack>(protocol: Protocol) {
    let stack = S::new(protocol);
    let only = stack.upstream("only");
    let (pool, _, told) = mine(&only);
    stack.send(&pool, Call::post(PATH).body(Body::OneShot(body("caller")))).unwrap();
    let received = only.received().remove(0).body;
    let is_read = received == body("mine");
    assert!(is_read || received == body("caller"), "{}", received.escape_ascii());
    assert!(!(S::HAS_ONE_SHOT_BODIES && is_read), "a stream was read");
    let expected = [("only".to_owned(), Unmapped::NotRead)];
    assert_eq!(told.take(), if is_read { &[][..] } else { &expected });
}

macro_rules! models {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            models,
            [
                each_attempt_carries_its_backends_model_and_the_callers_other_bytes,
                a_path_with_a_deployment_keeps_its_body,
                an_odd_body_stays_and_is_told,
                a_body_that_streams_stays_and_is_told,
            ]
        );
    };
}
pub(crate) use models;
