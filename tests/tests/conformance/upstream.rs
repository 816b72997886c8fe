//! The other side: backends that answer as told, and record what they received.

use std::{sync::LazyLock, time::Duration};

use lb_emulator::{Emulator, EmulatorBuilder, Reply};

use crate::protocol::Protocol;

/// How long a test waits for something that happens at once unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A backend that answers as told; without being told it answers 200 with its name as the body.
pub trait Upstream {
    fn name(&self) -> &str;
    /// What a backend is built from.
    fn endpoint(&self) -> String;
    /// Adds an answer that is given once.
    fn script(&self, answer: Answer);
    /// Sets the answer that is given when no other is left.
    fn always(&self, answer: Answer);
    fn refuse_connections(&self);
    fn received(&self) -> Vec<Received>;
}

/// What an upstream answers.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A 429 that asks for `secs` seconds.
    pub fn throttled(secs: u64) -> Self {
        Self::status(429).header("retry-after", &secs.to_string())
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// A request as an upstream received it.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: http::Method,
    /// Whom the request names: `:authority` in HTTP/2, `Host` before.
    pub authority: Option<String>,
    pub path_and_query: String,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether `text` occurs anywhere in the request.
    pub fn contains(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let has = |hay: &[u8]| hay.windows(bytes.len()).any(|window| window == bytes);
        has(self.path_and_query.as_bytes()) || has(&self.body) || self.headers.values().any(|v| has(v.as_bytes()))
    }
}

/// The emulator whose certificate all others share: a client is made before the backends that it is to trust.
static TRUSTED: LazyLock<Emulator> = LazyLock::new(|| Emulator::builder().tls().start().unwrap());

/// The certificate of all backends that speak TLS, as PEM.
pub fn certificate() -> &'static str {
    TRUSTED.certificate_pem().unwrap()
}

/// An emulator that speaks this.
pub fn emulator(protocol: Protocol) -> EmulatorBuilder {
    match protocol {
        // Both versions, as the client wants.
        Protocol::Http1 | Protocol::Http2 => Emulator::builder(),
        Protocol::Tls => Emulator::builder().tls_of(&TRUSTED),
    }
}

/// An upstream on a socket.
#[derive(Debug)]
pub struct Emulated {
    name: String,
    pub emulator: Emulator,
}

impl Emulated {
    pub fn start(name: &str, protocol: Protocol) -> Self {
        let emulator = emulator(protocol).name(name).start().unwrap();
        emulator.always(Reply::status(200).body(name.to_owned()));
        Self { name: name.to_owned(), emulator }
    }

    /// One that answers as Azure does, and has this deployment only.
    pub fn with_deployment(name: &str, deployment: &str, protocol: Protocol) -> Self {
        let emulator = emulator(protocol).name(name).deployment(deployment).start().unwrap();
        Self { name: name.to_owned(), emulator }
    }
}

impl Upstream for Emulated {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoint(&self) -> String {
        self.emulator.url()
    }

    fn script(&self, answer: Answer) {
        self.emulator.script(reply(answer));
    }

    fn always(&self, answer: Answer) {
        self.emulator.always(reply(answer));
    }

    fn refuse_connections(&self) {
        self.emulator.refuse_connections(true).unwrap();
    }

    fn received(&self) -> Vec<Received> {
        let received = |request: &lb_emulator::Received| Received {
            method: request.method().clone(),
            authority: request.authority().map(str::to_owned),
            path_and_query: request.path_and_query().to_owned(),
            headers: request.headers().clone(),
            body: request.body().to_vec(),
        };
        self.emulator.requests().iter().map(received).collect()
    }
}

fn reply(answer: Answer) -> Reply {
    let reply = Reply::status(answer.status).body(answer.body);
    answer.headers.into_iter().fold(reply, |reply, (name, value)| reply.header(&name, value))
}
