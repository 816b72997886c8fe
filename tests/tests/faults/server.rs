//! A small HTTP server that behaves as told, well or badly, and counts what reached it.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    RUNTIME,
    answer::Answer,
    http1, http2,
    stack::{LATE, Protocol},
    tls::{Certificate, acceptor},
};

/// More than any of the stacks takes as a head: curl stops at 300 KiB, hyper at 400.
pub const HUGE: usize = 1 << 20;

/// What a server does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers each request with a 200, and keeps the connection.
    Serves,
    /// Closes a connection as soon as it is accepted; one that it kept, after the next request on it.
    ClosesAtOnce,
    /// Resets a connection as soon as it is accepted; one that it kept, after the next request on it.
    ResetsAtOnce,
    /// Reads a request whole and closes.
    ClosesAfterReading,
    /// Reads a request whole and resets.
    ResetsAfterReading,
    /// Reads a request and answers something that is not HTTP.
    AnswersGarbage,
    /// Reads a request and answers with a head that is too large to take.
    AnswersTooLargeAHead,
    /// Reads a request and never answers.
    NeverAnswers,
    /// Answers like this.
    Answers(&'static Answer),
    /// Never answers on connections that it kept from before, and serves on new ones.
    ForgetsKeptConnections,
    /// HTTP/2: refuses each stream.
    RefusesStreams,
    /// HTTP/2: refuses one stream, and serves from then on.
    RefusesOneStream,
    /// HTTP/2: tells each connection at its first stream to go away, without having taken it.
    GoesAway,
    /// HTTP/2: does so to one connection, and serves from then on.
    GoesAwayOnce,
    /// HTTP/2: takes the stream, and tells the connection to go away.
    GoesAwayAfterReading,
    /// HTTP/2: reads a request, and resets its stream with this code.
    ResetsStreams(u32),
    /// HTTP/2: takes so many streams of a connection at a time, and refuses the others.
    Limits(usize),
    /// HTTP/2: reads a request, and nothing more on that connection: it answers no ping either.
    FallsSilent,
}

/// A server on 127.0.0.1. Dropping it closes its connections.
pub struct Server {
    addr: SocketAddr,
    speaks_tls: bool,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

pub struct Shared {
    state: Mutex<State>,
    /// How many requests have come, for those who wait for one.
    received: watch::Sender<usize>,
}

struct State {
    behaviour: Behaviour,
    connections: usize,
    refused: usize,
    /// How often a request of this id was received whole.
    received: BTreeMap<String, usize>,
    /// Everything that was read after TLS, but for what came to a connection that was closed at once.
    bytes: Vec<u8>,
    /// How many connections there were when the behaviour was last told.
    told_at: usize,
    /// How much of an answer's body was written.
    written: u64,
    /// How many answers clients left before their end.
    left: usize,
}

impl Server {
    /// One that clients trust, if it speaks TLS.
    pub fn start(protocol: Protocol, behaviour: Behaviour) -> Self {
        Self::over((protocol == Protocol::Tls).then_some(Certificate::Good), behaviour)
    }

    /// One that shows this certificate.
    pub fn with_certificate(certificate: Certificate) -> Self {
        Self::over(Some(certificate), Behaviour::Serves)
    }

    fn over(certificate: Option<Certificate>, behaviour: Behaviour) -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let state = State {
            behaviour,
            connections: 0,
            refused: 0,
            received: BTreeMap::new(),
            bytes: Vec::new(),
            told_at: 0,
            written: 0,
            left: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), received: watch::Sender::new(0) });
        let accepting = RUNTIME.spawn(accept(listener, certificate.map(acceptor), Arc::clone(&shared)));
        Self { addr, speaks_tls: certificate.is_some(), shared, accepting }
    }

    pub fn url(&self) -> String {
        let scheme = if self.speaks_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// Behaves like this from now on, also on connections that it kept.
    pub fn turn(&self, behaviour: Behaviour) {
        let mut state = self.shared.state();
        (state.behaviour, state.told_at) = (behaviour, state.connections);
    }

    /// Whether this was in what it read. See [`canary`](crate::pool::canary).
    pub fn has_seen(&self, canary: &str) -> bool {
        let state = self.shared.state();
        let bytes = crate::pool::ways_to_write(canary);
        bytes.iter().any(|bytes| state.bytes.windows(bytes.len()).any(|window| window == bytes))
    }

    /// Whether anything came that TLS did not keep for itself.
    pub fn has_read_anything(&self) -> bool {
        !self.shared.state().bytes.is_empty()
    }

    /// Waits until clients have left so many answers before their end.
    pub fn wait_until_left(&self, answers: usize) {
        let start = Instant::now();
        while self.shared.state().left < answers {
            assert!(start.elapsed() < LATE, "nobody left");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How much of an answer's body was written.
    pub fn written(&self) -> u64 {
        self.shared.state().written
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many streams were refused, or left out by a GOAWAY.
    pub fn refused(&self) -> usize {
        self.shared.state().refused
    }

    /// How many requests were received whole.
    pub fn received(&self) -> usize {
        *self.shared.received.borrow()
    }

    /// How many requests were received more than once.
    pub fn repeated(&self) -> usize {
        self.shared.state().received.values().filter(|times| **times > 1).count()
    }

    /// Ready when another request has been received whole.
    pub fn another_request(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut received = self.shared.received.subscribe();
        async move {
            // An error means that the server is gone: then nothing comes any more, and the test fails on its own.
            let _ = received.changed().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // With the task goes the set of its connections.
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn behaviour(&self) -> Behaviour {
        self.state().behaviour
    }

    /// What the server does with a stream that begins, which is refused unless it serves.
    pub fn begin(&self) -> Behaviour {
        let mut state = self.state();
        let behaviour = state.behaviour;
        match behaviour {
            Behaviour::RefusesStreams | Behaviour::GoesAway => state.refused += 1,
            Behaviour::RefusesOneStream | Behaviour::GoesAwayOnce => {
                state.refused += 1;
                state.behaviour = Behaviour::Serves;
            }
            _ => {}
        }
        behaviour
    }

    /// What the server does with a request on this connection, the how-many-th.
    pub fn behaviour_on(&self, connection: usize) -> Behaviour {
        let state = self.state();
        match state.behaviour {
            Behaviour::ForgetsKeptConnections if connection <= state.told_at => Behaviour::NeverAnswers,
            Behaviour::ForgetsKeptConnections => Behaviour::Serves,
            other => other,
        }
    }

    pub fn note_read(&self, bytes: &[u8]) {
        self.state().bytes.extend_from_slice(bytes);
    }

    pub fn note_written(&self, bytes: usize) {
        self.state().written += bytes as u64;
    }

    pub fn note_left(&self) {
        self.state().left += 1;
    }

    pub fn note_refused(&self) {
        self.state().refused += 1;
    }

    /// Takes note of a request that was received whole: its body is its id.
    pub fn note(&self, id: String) {
        *self.state().received.entry(id).or_default() += 1;
        self.received.send_modify(|received| *received += 1);
    }
}

/// What is served: a connection, and what is below it.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes its end a reset.
    fn set_zero_linger(&self) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn set_zero_linger(&self) -> io::Result<()> {
        Self::set_zero_linger(self)
    }
}

impl Connection for TlsStream<TcpStream> {
    fn set_zero_linger(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let connection = {
            let mut state = shared.state();
            state.connections += 1;
            state.connections
        };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        // A client that leaves in the middle is nothing to complain of.
        connections.spawn(async move { drop(serve(stream, acceptor, connection, &shared).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, connection: usize, shared: &Shared) -> io::Result<()> {
    match shared.behaviour() {
        Behaviour::ClosesAtOnce => return Ok(()),
        Behaviour::ResetsAtOnce => return stream.set_zero_linger(),
        _ => {}
    }
    match acceptor {
        Some(acceptor) => {
            let mut first = [0];
            stream.peek(&mut first).await?;
            // The number of a handshake's record (RFC 8446, 5.1): what else comes is in the clear.
            if first != [22] {
                shared.note_read(b"in the clear");
            }
            serve_http(acceptor.accept(stream).await?, connection, shared).await
        }
        None => serve_http(stream, connection, shared).await,
    }
}

async fn serve_http(mut stream: impl Connection, connection: usize, shared: &Shared) -> io::Result<()> {
    let mut bytes = Vec::new();
    while bytes.len() < http2::PREFACE.len() {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    shared.note_read(&bytes);
    if bytes.starts_with(http2::PREFACE) {
        http2::serve(stream, bytes.split_off(http2::PREFACE.len()), connection, shared).await
    } else {
        http1::serve(stream, bytes, connection, shared).await
    }
}
