//! Secrets: canaries that must turn up in one place only, looked for in everything the library gives out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    fmt::Debug,
    future::ready,
    io::Write,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use lb_core::{
    Backend, BackendBuilder, BlockingLoadBalancer, BoxFuture, CALLER_CREDENTIAL_PARAMETERS, CALLER_CREDENTIALS,
    Credential, CredentialError, CredentialSource, Event, Fault, LoadBalancer, MockClock, Observer, Pool, PoolBuilder,
    SeededRng, Step,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::stage::host;
use tracing_subscriber::fmt::MakeWriter;

const KEY_A: &str = "CANARY-KEY-OF-A";
const TOKEN_B: &str = "CANARY-TOKEN-OF-B";
const KEY_C: &str = "CANARY-KEY-OF-C";
const CALLER: &str = "CANARY-OF-THE-CALLER";
const QUERY: &str = "CANARY-IN-THE-QUERY";
const BODY: &str = "CANARY-IN-THE-BODY";
const ANSWER: &str = "CANARY-IN-AN-ANSWER";

/// Text from many places, to be searched.
#[derive(Debug, Clone, Default)]
struct Heap(Arc<Mutex<Vec<u8>>>);

impl Heap {
    fn debug(&self, value: &impl Debug) {
        write!(self.0.lock().unwrap(), "{value:?}\n{value:#?}\n").unwrap();
    }

    fn display(&self, value: &impl ToString) {
        writeln!(self.0.lock().unwrap(), "{}", value.to_string()).unwrap();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn is_clean(&self) {
        let text = self.text();
        let found: Vec<_> = text.lines().filter(|line| line.contains("CANARY")).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

impl Write for Heap {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Heap {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Observer for Heap {
    fn on_event(&self, event: &Event<'_>) {
        self.debug(event);
    }
}

/// Gives `KEY_C`, and every third time an error.
#[derive(Default)]
struct Vault(Mutex<u32>);

impl CredentialSource for Vault {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        let is_sealed = asked.is_multiple_of(3);
        Box::pin(ready(if is_sealed { Err(CredentialError::new("sealed")) } else { Credential::api_key(KEY_C) }))
    }
}

fn builders() -> [BackendBuilder; 4] {
    [
        host("a", 1).api_key(KEY_A),
        host("b", 1).bearer_token(TOKEN_B),
        host("c", 2).credential_source(Vault::default()),
        Backend::builder("https://d.example/prefix").name("d").priority(3).forward_caller_credential(),
    ]
}

/// What this process logs. The subscriber is global and there before the first event: `tracing` remembers of each
/// event whether anybody was interested when it first came up.
fn logged() -> &'static Heap {
    static LOGGED: LazyLock<Heap> = LazyLock::new(|| {
        let heap = Heap::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(heap.clone()).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        heap
    });
    &LOGGED
}

fn pool() -> PoolBuilder {
    let _ = logged();
    Pool::builder().backends(builders().map(|builder| builder.build().unwrap()))
}

fn request(path: &str) -> Request<Bytes> {
    let parameters = CALLER_CREDENTIAL_PARAMETERS.map(|name| format!("{name}={CALLER}")).join("&");
    let mut request = Request::post(format!("https://u:{CALLER}@caller.example{path}?after={QUERY}&{parameters}"));
    for name in CALLER_CREDENTIALS {
        request = request.header(name, CALLER);
    }
    request.body(Bytes::from(BODY)).unwrap()
}

fn scripted() -> ScriptedTransport {
    let transport = ScriptedTransport::new();
    for reply in [
        Reply::status(200),
        Reply::status(429).header("retry-after", "0"),
        Reply::status(503).header("retry-after", "0"),
        Reply::status(400),
        Reply::fault(Fault::Timeout),
        Reply::fault(Fault::Connect),
    ] {
        for name in ["a", "b", "c", "d"] {
            transport.reply(name, reply.clone().header("set-cookie", ANSWER).body(ANSWER));
            transport.reply(name, Reply::status(429).header("retry-after", "0").header("x", ANSWER).body(ANSWER));
        }
    }
    transport
}

/// Sends many requests through every kind of answer; gives the transport with its record.
fn play(heap: &Heap) -> ScriptedTransport {
    let transport = scripted();
    let clock = MockClock::new();
    let pool: Arc<Pool> = Arc::new(pool().clock(clock.clone()).observer(heap.clone()).build().unwrap());
    let running = LoadBalancer::with_parts(Arc::clone(&pool), transport.clone(), SeededRng::new(1));
    let blocking = BlockingLoadBalancer::with_parts(Arc::clone(&pool), transport.clone(), SeededRng::new(2));
    for round in 0..60 {
        if round == 50 {
            for name in ["a", "b", "c", "d"] {
                transport.always(name, Reply::status(429).body(ANSWER));
            }
        }
        clock.advance(Duration::from_secs(4));
        // Only `d` has a prefix, so only there dots are an error.
        let path = if round % 2 == 0 { "/v1/x" } else { "/a/../b" };
        for answer in [
            futures::executor::block_on(running.send(request(path))),
            futures::executor::block_on(running.try_send(request(path))),
            blocking.send(request(path)),
        ] {
            if let Err(error) = answer {
                heap.debug(&error);
                heap.display(&error);
            }
        }
        heap.debug(&pool.snapshot());
    }
    heap.debug(&running);
    heap.debug(&pool);
    transport
}

fn wire(request: &Request<Bytes>) -> String {
    let mut wire = format!("{}\n", request.uri()).into_bytes();
    for (name, value) in request.headers() {
        wire.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    wire.extend(request.body());
    String::from_utf8(wire).unwrap()
}

#[test]
fn a_backends_credential_is_found_in_its_own_requests_and_in_no_other() {
    let transport = play(&Heap::default());
    let sent = transport.requests();
    for (name, own) in [("a", KEY_A), ("b", TOKEN_B), ("c", KEY_C), ("d", CALLER)] {
        let requests: Vec<_> = sent.iter().filter(|sent| sent.backend == name).collect();
        assert!(requests.len() >= 10, "{name} was asked {} times", requests.len());
        for sent in requests {
            let wire = wire(&sent.request);
            for secret in [KEY_A, TOKEN_B, KEY_C, CALLER] {
                assert_eq!(wire.contains(secret), secret == own, "{secret} at {name}:\n{wire}");
            }
            assert!(wire.contains(QUERY) && wire.contains(BODY), "what the caller sent arrives");
        }
    }
}

#[test]
fn no_secret_is_in_what_the_library_tells_at_any_level() {
    let told = Heap::default();
    let _ = play(&told);
    for (heap, words) in [
        (logged(), ["sent", "settled", "failed over", "cooling", "available again", "exhausted", "TRACE"].as_slice()),
        (&told, ["Sent", "Settled", "FailedOver", "Cooling", "Exhausted", "Credential", "Address"].as_slice()),
    ] {
        let text = heap.text();
        for word in words {
            assert!(text.contains(word), "{word} is not in:\n{text}");
        }
        heap.is_clean();
    }
}

#[test]
fn no_debug_or_display_shows_a_secret() {
    let heap = Heap::default();
    for builder in builders() {
        heap.debug(&builder);
        heap.debug(&builder.build().unwrap());
    }
    let credential = Credential::api_key(KEY_A).unwrap();
    heap.debug(&credential);
    heap.debug(credential.value());
    heap.debug(&Credential::bearer_token(TOKEN_B).unwrap());
    heap.debug(&Credential::api_key(format!("{KEY_A}\n")).unwrap_err());
    heap.display(&Credential::api_key(format!("{KEY_A}\0")).unwrap_err());
    heap.debug(&pool());
    let pool = pool().build().unwrap();
    heap.debug(&pool);
    let mut dispatch = pool.dispatch();
    let rng = SeededRng::new(1);
    while let Step::Try(attempt) = dispatch.next(|| pool.now(), &rng) {
        let mut target = pool.target(&attempt);
        heap.debug(&target);
        target.obtain_credential_now().unwrap();
        heap.debug(&target);
        heap.debug(&target.credential());
        heap.debug(&dispatch);
        let mut request = request("/v1/x");
        request.headers_mut().clear();
        *request.uri_mut() = "/v1/x".parse().unwrap();
        *request.body_mut() = Bytes::new();
        target.address(&mut request).unwrap();
        // The HTTP stack's own logs: the value is marked as sensitive.
        heap.debug(&request);
    }
    heap.is_clean();
}

#[test]
fn no_error_of_a_builder_shows_a_secret() {
    let heap = Heap::default();
    let host = |endpoint: &str| Backend::builder(endpoint);
    for builder in [
        host("a.example").api_key(format!("{KEY_A}\r\n")),
        host("a.example").bearer_token(format!("{KEY_A}\u{7f}")),
        host("a.example").api_key(KEY_A).bearer_token(KEY_A),
        host("a.example").api_key(KEY_A).priority(0),
        host(&format!("https://user:{KEY_A}@a.example/x")),
        host(&format!("https://{KEY_A}@a.example")),
        host(&format!("https://a.example/x?api-key={KEY_A}")),
        host(&format!("https://a.example/x#{KEY_A}")),
        host(&format!("ftp://user:{KEY_A}@a.example?{KEY_A}")),
        host(&format!("https://{KEY_A}?{KEY_A}@a.example")),
        host(&format!("https://{KEY_A}#{KEY_A}@a.example")),
        host(&format!("https://a.example/?user=x@{KEY_A}")),
    ] {
        heap.debug(&builder);
        let error = builder.build().unwrap_err();
        heap.debug(&error);
        heap.display(&error);
    }
    let silent = Backend::new("b.example", 1).unwrap();
    let mixed = Pool::new([host("a.example").api_key(KEY_A).build().unwrap(), silent]).unwrap_err();
    heap.debug(&mixed);
    heap.display(&mixed);
    heap.is_clean();
}
