//! The other side: a credential that issues tokens as told, and a pool whose backends take them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use bytes::Bytes;
use lb_azure::{Backend, BackendBuilder, Pool, TokenSource, TokenSourceBuilder};
use lb_core::{
    Clock, LoadBalancer, MockClock,
    test_util::{ScriptedFault, ScriptedTransport},
};
use tokio::sync::Semaphore;

/// How long the issued tokens last.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// From here on a token is refreshed.
pub(crate) const REFRESHED_AFTER: Duration = Duration::from_secs(3600 - 300);

pub(crate) const NANO: Duration = Duration::from_nanos(1);

/// A credential that issues `NAME-1`, `NAME-2` and so on; one that is held waits at a gate first.
#[derive(Debug)]
pub(crate) struct Issuer {
    name: &'static str,
    clock: MockClock,
    gate: Semaphore,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    asked: usize,
    scopes: Vec<String>,
    /// When each token ends.
    ends: Vec<(String, SystemTime)>,
    answers: VecDeque<Answer>,
    always: Option<Answer>,
}

/// What the issuer does when it is asked for a token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// A token that lasts this long.
    Token(Duration),
    Fail,
    Panic,
    /// A token that had ended this long ago.
    Stale(Duration),
    /// A token with a line end, which no header can carry.
    Garbage,
}

impl Issuer {
    pub(crate) fn new(name: &'static str, clock: &MockClock) -> Arc<Self> {
        let script = Mutex::default();
        Arc::new(Self { name, clock: clock.clone(), gate: Semaphore::new(Semaphore::MAX_PERMITS), script })
    }

    /// One that issues only as often as [`release`](Issuer::release) says.
    pub(crate) fn held(name: &'static str, clock: &MockClock) -> Arc<Self> {
        Arc::new(Self { name, clock: clock.clone(), gate: Semaphore::new(0), script: Mutex::default() })
    }

    pub(crate) fn release(&self, fetches: usize) {
        self.gate.add_permits(fetches);
    }

    pub(crate) fn then(&self, answer: Answer) -> &Self {
        self.script.lock().unwrap().answers.push_back(answer);
        self
    }

    pub(crate) fn always(&self, answer: Answer) -> &Self {
        self.script.lock().unwrap().always = Some(answer);
        self
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.script.lock().unwrap().asked
    }

    /// When a token that was issued ends.
    pub(crate) fn end_of(&self, token: &str) -> SystemTime {
        let script = self.script.lock().unwrap();
        script.ends.iter().find(|(issued, _)| issued == token).unwrap().1
    }

    pub(crate) fn scopes(&self) -> Vec<String> {
        self.script.lock().unwrap().scopes.clone()
    }
}

#[async_trait]
impl TokenCredential for Issuer {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let (number, answer) = {
            let mut script = self.script.lock().unwrap();
            script.asked += 1;
            script.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let answer = script.answers.pop_front().or(script.always).unwrap_or(Answer::Token(LIFETIME));
            (script.asked, answer)
        };
        self.gate.acquire().await.unwrap().forget();
        let (token, ends) = match answer {
            Answer::Token(lifetime) => (format!("{}-{number}", self.name), self.clock.wall() + lifetime),
            Answer::Stale(ago) => (format!("{}-{number}", self.name), self.clock.wall() - ago),
            Answer::Garbage => ("CANARY\n".to_owned(), self.clock.wall() + LIFETIME),
            Answer::Fail => {
                let cause = std::io::Error::other("AADSTS7000215: wrong secret");
                return Err(azure_core::Error::with_error(ErrorKind::Credential, cause, "authentication failed"));
            }
            Answer::Panic => panic!("the credential is broken"),
        };
        self.script.lock().unwrap().ends.push((token.clone(), ends));
        Ok(AccessToken::new(token, OffsetDateTime::from(ends)))
    }
}

/// A mock clock at a whole second of our days, so that tokens end when they should. Every test begins with it: what it
/// logs is kept.
pub(crate) fn clock() -> MockClock {
    crate::log::install();
    MockClock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000))
}

/// A source on the mock clock.
pub(crate) fn source(issuer: &Arc<Issuer>) -> TokenSourceBuilder {
    TokenSource::builder(Arc::clone(issuer) as _).clock(issuer.clock.clone())
}

pub(crate) fn backend(name: &str, priority: u32, source: &TokenSource) -> BackendBuilder {
    Backend::builder(format!("{name}.example")).name(name).priority(priority).credential_source(source.clone())
}

pub(crate) fn pool(clock: &MockClock, backends: impl IntoIterator<Item = BackendBuilder>) -> Arc<Pool> {
    let backends = backends.into_iter().map(|backend| backend.build().unwrap());
    Arc::new(Pool::builder().backends(backends).clock(clock.clone()).build().unwrap())
}

/// A balancer over a scripted transport, and the transport's record.
pub(crate) struct Bench {
    pub(crate) balancer: LoadBalancer<ScriptedTransport>,
    pub(crate) sent: ScriptedTransport,
}

pub(crate) type Sent = Result<http::Response<Bytes>, lb_core::Error<ScriptedFault>>;

impl Bench {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        let sent = ScriptedTransport::new();
        Self { balancer: LoadBalancer::new(Arc::clone(pool), sent.clone()), sent }
    }

    pub(crate) async fn send(&self) -> Sent {
        self.balancer.send(http::Request::new(Bytes::new())).await
    }

    /// The tokens that the requests so far carried, in order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let bearer = |sent: lb_core::test_util::Sent| {
            let value = sent.request.headers()["authorization"].to_str().unwrap().to_owned();
            value.strip_prefix("Bearer ").unwrap().to_owned()
        };
        self.sent.requests().into_iter().map(bearer).collect()
    }

    pub(crate) fn last_token(&self) -> String {
        self.tokens().pop().unwrap()
    }
}

/// Lets the other tasks of a runtime with one thread run until nothing is left to do for them.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
