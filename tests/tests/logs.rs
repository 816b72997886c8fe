//! Logs: at trace level, with everything below the balancer, no credential is found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use futures::executor::block_on;
use lb_core::{Backend, BlockingLoadBalancer, LoadBalancer, Pool};
use lb_emulator::{Emulator, Reply};
use lb_isahc::IsahcTransport;
use lb_reqwest::{BlockingReqwestTransport, ReqwestTransport};
use tracing_subscriber::EnvFilter;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// A refused attempt and a served one, over pools whose backends have keys of their own; the caller has one too.
struct Stage {
    emulators: [Emulator; 2],
}

impl Stage {
    fn new() -> Self {
        let emulators = ["CANARY-A", "CANARY-B"].map(|key| Emulator::builder().key(key).start().unwrap());
        emulators[0].script(Reply::status(503).body("busy"));
        Self { emulators }
    }

    fn pool(&self) -> Pool {
        let [a, b] = &self.emulators;
        Pool::new([
            Backend::builder(a.url()).name("a").api_key("CANARY-A").build().unwrap(),
            Backend::builder(b.url()).name("b").priority(2).bearer_token("CANARY-B").build().unwrap(),
        ])
        .unwrap()
    }
}

const URL: &str = "http://any.invalid/openai/deployments/d/chat/completions?api-version=2024-10-21&secret=CANARY-QUERY";
const BODY: &str = r#"{"messages":[{"role":"user","content":"CANARY-BODY"}]}"#;

// One test: the subscriber is global.
#[test]
fn no_secret_is_logged_at_trace_level_by_any_stack() {
    let log = Log::default();
    let writer = log.clone();
    // The one exception, which lb-isahc's documentation names: what isahc logs of the wire is all of it.
    let filter = EnvFilter::new("trace,isahc::wire=off");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).with_ansi(false).init();

    let stage = Stage::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let balancer = LoadBalancer::new(stage.pool(), ReqwestTransport::new().unwrap());
    let client = balancer.transport().client();
    let request = client.post(URL).header("api-key", "CANARY-CALLER").body(BODY).build().unwrap();
    assert_eq!(runtime.block_on(balancer.send(request)).unwrap().status(), 200);

    let stage = Stage::new();
    let balancer = BlockingLoadBalancer::new(stage.pool(), BlockingReqwestTransport::new().unwrap());
    let client = balancer.transport().client();
    let request = client.post(URL).header("api-key", "CANARY-CALLER").body(BODY).build().unwrap();
    assert_eq!(balancer.send(request).unwrap().status(), 200);

    let request = || isahc::Request::post(URL).header("api-key", "CANARY-CALLER");
    let stage = Stage::new();
    let balancer = LoadBalancer::new(stage.pool(), IsahcTransport::new().unwrap());
    assert_eq!(block_on(balancer.send(request().body(BODY.into()).unwrap())).unwrap().status(), 200);

    let stage = Stage::new();
    let balancer = BlockingLoadBalancer::new(stage.pool(), IsahcTransport::new().unwrap());
    assert_eq!(balancer.send(request().body(BODY.into()).unwrap()).unwrap().status(), 200);

    let text = log.text();
    for target in [" lb_core:", " isahc::", " hyper_util::"] {
        assert!(text.contains(target), "the log has nothing of {target}, so it shows nothing");
    }
    // Keys and bodies appear nowhere, and the caller's query in no event of ours.
    let leaks: Vec<_> = text
        .lines()
        .filter(|line| line.replace("CANARY-QUERY", "").contains("CANARY"))
        .chain(text.lines().filter(|line| line.contains(" lb_core:") && line.contains("CANARY")))
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");

    // The other exception that lb-isahc's documentation names: isahc's span of a request has its whole URL.
    let (spanned, elsewhere): (Vec<_>, Vec<_>) =
        text.lines().filter(|line| line.contains("CANARY-QUERY")).partition(|line| line.contains(" send_async{"));
    assert!(!spanned.is_empty(), "isahc's span no longer has the query: its exception can go");
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}
