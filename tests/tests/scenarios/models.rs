//! Models in bodies: what each backend receives, and what is told where a body stays as it is.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use lb_core::{
    Backend, BackendBuilder, BlockingLoadBalancer, Credential, CredentialError, CredentialSource, Event, MockClock,
    Pool, SeededRng, Unmapped,
    test_util::{OneShot, Reply, ScriptedTransport},
};

const PATH: &str = "/openai/v1/responses";

/// What was told of a model: the request, the backend, the attempt, and why.
type Note = (u64, String, u32, Unmapped);

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Note>>>);

impl lb_core::Observer for Told {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Unmapped { request, backend, attempt, why, .. } = event {
            self.0.lock().unwrap().push((*request, backend.name().to_owned(), *attempt, *why));
        }
    }
}

fn balancer(
    transport: &ScriptedTransport,
    backends: impl IntoIterator<Item = BackendBuilder>,
) -> (BlockingLoadBalancer<ScriptedTransport, SeededRng>, Told) {
    let told = Told::default();
    let backends = backends.into_iter().map(|backend| backend.build().unwrap());
    let pool = Pool::builder().backends(backends).clock(MockClock::new()).observer(told.clone()).build().unwrap();
    (BlockingLoadBalancer::with_parts(pool, transport.clone(), SeededRng::new(1)), told)
}

fn backend(name: &str, priority: u32) -> BackendBuilder {
    Backend::builder(format!("{name}.example")).name(name).priority(priority)
}

fn request(path: &str, body: &'static str) -> Request<Bytes> {
    Request::post(path).header("content-type", "application/json").body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn sent(transport: &ScriptedTransport) -> Vec<String> {
    let bodies = transport.requests().into_iter().map(|sent| sent.request.into_body().to_vec());
    bodies.map(|body| String::from_utf8(body).unwrap()).collect()
}

#[test]
fn each_attempt_starts_from_the_callers_model() {
    let transport = ScriptedTransport::new();
    for name in ["a", "b", "c"] {
        transport.always(name, Reply::status(429));
    }
    // A name that is looked up: the second backend has none for what the first would have left.
    let [a, b, c] = [backend("a", 1).model("at-a"), backend("b", 2).model_for("gpt", "at-b"), backend("c", 3)];
    let (balancer, told) = balancer(&transport, [a, b, c]);
    balancer.send(request(PATH, r#"{"model":"gpt"}"#)).unwrap();
    assert_eq!(sent(&transport), [r#"{"model":"at-a"}"#, r#"{"model":"at-b"}"#, r#"{"model":"gpt"}"#]);
    assert!(told.0.lock().unwrap().is_empty());
}

#[test]
fn a_body_that_stays_is_told_with_its_request_and_attempt() {
    let transport = ScriptedTransport::new();
    transport.reply("a", Reply::status(200)).reply("a", Reply::status(429));
    let (balancer, told) = balancer(&transport, [backend("a", 1).model("at-a"), backend("b", 2).model("at-b")]);
    for body in [r#"{"model":1}"#, "[]"] {
        balancer.send(request(PATH, body)).unwrap();
    }
    assert_eq!(sent(&transport), [r#"{"model":1}"#, "[]", "[]"]);
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let expected =
        [(1, a.clone(), 1, Unmapped::NoString), (2, a, 1, Unmapped::NoObject), (2, b, 2, Unmapped::NoObject)];
    assert_eq!(*told.0.lock().unwrap(), expected);
}

#[test]
fn a_body_that_nobody_read_is_told_where_the_model_is_in_it() {
    let transport = ScriptedTransport::new();
    let (balancer, told) = balancer(&transport, [backend("a", 1).model("at-a")]);
    for path in ["/openai/deployments/gpt/audio/transcriptions", PATH] {
        let mut request = request(path, r#"{"model":"gpt"}"#);
        request.extensions_mut().insert(OneShot);
        balancer.send(request).unwrap();
    }
    assert_eq!(sent(&transport), [r#"{"model":"gpt"}"#; 2]);
    assert_eq!(*told.0.lock().unwrap(), [(2, "a".to_owned(), 1, Unmapped::NotRead)]);
}

#[test]
fn nothing_is_told_of_what_was_not_sent() {
    struct Refuses;
    impl CredentialSource for Refuses {
        fn credential(&self) -> lb_core::BoxFuture<'_, Result<Credential, CredentialError>> {
            Box::pin(std::future::ready(Err(CredentialError::new("no"))))
        }
    }
    let transport = ScriptedTransport::new();
    let (balancer, told) = balancer(&transport, [backend("a", 1).model("at-a").credential_source(Refuses)]);
    assert!(balancer.send(request(PATH, "[]")).is_err());
    assert!(told.0.lock().unwrap().is_empty());
}
