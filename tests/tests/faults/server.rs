//! A small HTTP server that behaves as told, well or badly, and counts what reached it.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{RUNTIME, http1, http2};

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
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Mutex::new(State { behaviour, connections: 0, refused: 0, received: BTreeMap::new() });
        let shared = Arc::new(Shared { state, received: watch::Sender::new(0) });
        let accepting = RUNTIME.spawn(accept(listener, Arc::clone(&shared)));
        Self { addr, shared, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Behaves like this from now on, also on connections that it kept.
    pub fn turn(&self, behaviour: Behaviour) {
        self.shared.state().behaviour = behaviour;
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

    pub fn note_refused(&self) {
        self.state().refused += 1;
    }

    /// Takes note of a request that was received whole: its body is its id.
    pub fn note(&self, id: String) {
        *self.state().received.entry(id).or_default() += 1;
        self.received.send_modify(|received| *received += 1);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.state().connections += 1;
        let shared = Arc::clone(&shared);
        // A client that leaves in the middle is nothing to complain of.
        connections.spawn(async move { drop(serve(stream, &shared).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    match shared.behaviour() {
        Behaviour::ClosesAtOnce => return Ok(()),
        Behaviour::ResetsAtOnce => return stream.set_zero_linger(),
        _ => {}
    }
    let mut bytes = Vec::new();
    while bytes.len() < http2::PREFACE.len() {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    if bytes.starts_with(http2::PREFACE) {
        http2::serve(stream, bytes.split_off(http2::PREFACE.len()), shared).await
    } else {
        http1::serve(stream, bytes, shared).await
    }
}
