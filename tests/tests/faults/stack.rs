//! What the tests need to know of an HTTP stack.

use std::{sync::Arc, time::Duration};

use futures::{
    future::{Either, LocalBoxFuture, select},
    pin_mut,
};
use lb_core::{Fault, Pool};

use crate::{RUNTIME, reply::Reply};

/// Any path: nobody looks at it. The origin must not matter.
pub const URL: &str = "http://caller.invalid/openai/v1/chat/completions";

/// The body of the request with this id, by which one that is sent twice can be seen.
pub fn body(id: &str) -> String {
    format!("{{\"id\":\"{id}\"}}")
}

/// An HTTP stack under test: a balancer over a client of its own.
pub trait Stack: Send + Sync {
    /// Whether a timeout that came before anything was sent is told from one that came after. Else both are `Timeout`, and
    /// only a connect timeout fails over.
    const TELLS_UNSENT: bool = false;
    /// Whether the client that the tests make of this stack speaks TLS.
    const HAS_TLS: bool = false;

    /// Whether it speaks HTTP/2 where a server offers it over TLS.
    const SPEAKS_HTTP2: bool = true;
    /// Whether a header's value comes as bytes. Else one that is no text is left out.
    const HEADERS_ARE_BYTES: bool = true;
    /// Whether bytes that come after an answer of HTTP/1.1 end its connection. Else they may be taken for the next answer.
    const SEES_EXCESS: bool = true;
    /// Whether it gives up soon on the body of an answer that it throws away. Else only the client's timeout ends that.
    const DRAINS_BRIEFLY: bool = true;
    /// Whether a connection on which sending has failed is used no more. Else the next request may be lost on it.
    const DROPS_WHAT_BROKE: bool = true;
    /// What it makes of an error with an encoded body.
    const ENCODED_ERRORS: Encoded = Encoded::AsTheyCame;

    /// What the servers and this stack speak.
    const PROTOCOL: Protocol = Protocol::Http1;

    fn new(settings: Settings) -> Self;

    /// Sends a POST with this id.
    fn fetch(&self, pool: &Arc<Pool>, id: &str) -> Result<Reply, Failure>;

    /// The same, for the answer's status.
    fn send(&self, pool: &Arc<Pool>, id: &str) -> Result<u16, Failure> {
        self.fetch(pool, id).map(|reply| reply.status)
    }
}

/// A stack whose requests are futures.
pub trait AsyncStack: Send + Sync {
    const TELLS_UNSENT: bool = false;
    const HAS_TLS: bool = false;
    const SPEAKS_HTTP2: bool = true;
    const HEADERS_ARE_BYTES: bool = true;
    const SEES_EXCESS: bool = true;
    const DRAINS_BRIEFLY: bool = true;
    const DROPS_WHAT_BROKE: bool = true;
    const ENCODED_ERRORS: Encoded = Encoded::AsTheyCame;
    const PROTOCOL: Protocol = Protocol::Http1;

    fn new(settings: Settings) -> Self;

    fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>>;

    /// Sends, and drops the request's future once `until` is ready: then there is no result.
    fn send_until(&self, pool: &Arc<Pool>, id: &str, until: impl Future<Output = ()>) -> Option<Result<u16, Failure>> {
        let sending = self.sending(pool, id);
        RUNTIME.block_on(async {
            pin_mut!(until);
            match select(sending, until).await {
                Either::Left((result, _)) => Some(result.map(|reply| reply.status)),
                Either::Right(((), _)) => None,
            }
        })
    }
}

impl<S: AsyncStack> Stack for S {
    const TELLS_UNSENT: bool = S::TELLS_UNSENT;
    const HAS_TLS: bool = S::HAS_TLS;
    const SPEAKS_HTTP2: bool = S::SPEAKS_HTTP2;
    const HEADERS_ARE_BYTES: bool = S::HEADERS_ARE_BYTES;
    const SEES_EXCESS: bool = S::SEES_EXCESS;
    const DRAINS_BRIEFLY: bool = S::DRAINS_BRIEFLY;
    const DROPS_WHAT_BROKE: bool = S::DROPS_WHAT_BROKE;
    const ENCODED_ERRORS: Encoded = S::ENCODED_ERRORS;
    const PROTOCOL: Protocol = S::PROTOCOL;

    fn new(settings: Settings) -> Self {
        S::new(settings)
    }

    fn fetch(&self, pool: &Arc<Pool>, id: &str) -> Result<Reply, Failure> {
        RUNTIME.block_on(self.sending(pool, id))
    }
}

/// Ends a test that hangs.
pub const LATE: Duration = Duration::from_secs(30);

/// Plays a scene in which a client must run into a timeout at one backend, and must not at others: with a short one,
/// and with longer ones as long as the scene says by `None` that the machine was too busy for the others.
pub fn with_timeouts(mut scene: impl FnMut(Duration) -> Option<()>) {
    let timeouts = [Duration::from_millis(300), Duration::from_secs(3), LATE];
    assert!(timeouts.into_iter().any(|timeout| scene(timeout).is_some()), "a healthy backend does not answer");
}

/// What a client speaks, and waits for, per attempt.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub protocol: Protocol,
    pub connect: Duration,
    /// From the start of an attempt to its answer.
    pub answer: Duration,
}

impl Settings {
    /// Longer than anything takes.
    pub const fn patient(protocol: Protocol) -> Self {
        Self { protocol, connect: LATE, answer: LATE }
    }
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// Without being asked whether it may be.
    Http2,
    /// Over TLS; HTTP/2 where the client can.
    Tls,
}

/// What a stack makes of the encoded body of an error.
#[derive(Debug, Clone, Copy)]
pub enum Encoded {
    AsTheyCame,
    /// It asks for encodings itself, and takes them off.
    Decoded,
    /// Errors have text, whatever the body was.
    AsText,
}

/// Why a caller got no answer.
#[derive(Debug)]
pub enum Failure {
    /// The stack's own error, and what kind of fault its adapter says that it is.
    Transport(Fault),
    /// The balancer's error.
    Balancer(String),
}

impl Failure {
    pub fn of<E: std::error::Error>(error: lb_core::Error<E>, fault: impl FnOnce(&E) -> Fault) -> Self {
        match error {
            lb_core::Error::Transport(error) => Self::Transport(fault(&error)),
            other => Self::Balancer(other.to_string()),
        }
    }
}
