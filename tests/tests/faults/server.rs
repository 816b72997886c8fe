//! A small HTTP server that behaves as told, well or badly, and counts what reached it.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::RUNTIME;

/// The header by which a test names each of its requests, so that one that is sent twice can be seen.
pub const ID: &str = "x-test-id";

/// More than any of the stacks takes as a head: curl stops at 300 KiB, hyper at 400.
const HUGE: usize = 1 << 20;

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
}

/// A server on 127.0.0.1. Dropping it closes its connections.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    /// How many requests have come, for those who wait for one.
    received: watch::Sender<usize>,
}

struct State {
    behaviour: Behaviour,
    connections: usize,
    /// How often a request of this id was received whole.
    received: BTreeMap<String, usize>,
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Mutex::new(State { behaviour, connections: 0, received: BTreeMap::new() });
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

    fn behaviour(&self) -> Behaviour {
        self.state().behaviour
    }

    fn note(&self, id: String) {
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
    while let Some(id) = read_request(&mut stream, &mut bytes).await? {
        // Before it counts as received: who waits for it may tell the server to turn.
        let behaviour = shared.behaviour();
        shared.note(id);
        match behaviour {
            Behaviour::Serves => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?,
            Behaviour::ClosesAtOnce | Behaviour::ClosesAfterReading => return Ok(()),
            Behaviour::ResetsAtOnce | Behaviour::ResetsAfterReading => return stream.set_zero_linger(),
            Behaviour::AnswersGarbage => return stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await,
            Behaviour::AnswersTooLargeAHead => {
                let head = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(HUGE));
                return stream.write_all(head.as_bytes()).await;
            }
            // Until the client leaves.
            Behaviour::NeverAnswers => while stream.read_buf(&mut bytes).await? > 0 {},
        }
    }
    Ok(())
}

/// Reads a request whole, and gives its id; `None` if the client is done. `bytes` is what was read beyond the last one.
async fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some((id, length)) = parse(bytes) {
            bytes.drain(..length);
            return Ok(Some(id));
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// The id and the length of the request at the beginning, if it is whole.
fn parse(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|h| h.1.trim())
    };
    assert_eq!(header("transfer-encoding"), None, "the tests' bodies have a length");
    let length = end + header("content-length").map_or(0, |length| length.parse().unwrap());
    (length <= bytes.len()).then(|| (header(ID).unwrap_or("without an id").to_owned(), length))
}
