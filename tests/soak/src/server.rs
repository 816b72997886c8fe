//! A small HTTP server that behaves as told, and tells the ledger what reached it.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::ledger::Ledger;

/// The header that has a request's number.
pub(crate) const ID: &str = "x-soak-id";

/// The cooldown after a 429 without a hint, as the balancer's documentation has it.
const DEFAULT_COOLDOWN: Duration = Duration::from_secs(10);

/// What a server does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers with a 200 after a while of its own for each request.
    Well,
    /// Answers with a 429 that says for how long.
    ThrottlesFor(Duration),
    /// Answers with a 429 that does not say.
    Throttles,
    /// Answers with a 500.
    Fails,
    /// Resets after it has read a request.
    Resets,
    /// Nobody listens; kept connections are closed.
    Refuses,
    /// Reads, and does not answer.
    NeverAnswers,
    /// Answers with a 200 whose body does not come.
    StallsBody,
    /// Answers with something that is not HTTP.
    Garbage,
}

/// A server on 127.0.0.1. Dropping it closes its port and its connections.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    behaviour: watch::Sender<Behaviour>,
    accepting: JoinHandle<io::Result<()>>,
}

/// What its connections share.
#[derive(Clone)]
struct Shared {
    /// Which backend it is, in the ledger.
    number: usize,
    behaviour: watch::Receiver<Behaviour>,
    ledger: Arc<Ledger>,
}

impl Server {
    pub(crate) fn start(number: usize, ledger: Arc<Ledger>) -> io::Result<Self> {
        // It keeps the port from being given to others while nobody listens.
        let reservation = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let addr = reservation.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let (behaviour, behaviours) = watch::channel(Behaviour::Well);
        let shared = Shared { number, behaviour: behaviours, ledger };
        let listener = listen(addr)?;
        let accepting = tokio::spawn(async move {
            let _reservation = reservation;
            shared.run(addr, listener).await
        });
        Ok(Self { addr, behaviour, accepting })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Behaves like this from now on, also on connections that it kept.
    pub(crate) fn turn(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // With the task goes the set of its connections.
        self.accepting.abort();
    }
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(addr)?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

impl Shared {
    fn refuses(&self) -> bool {
        *self.behaviour.borrow() == Behaviour::Refuses
    }

    async fn run(mut self, addr: SocketAddr, listener: TcpListener) -> io::Result<()> {
        let mut listener = Some(listener);
        let mut connections = JoinSet::new();
        loop {
            let Some(open) = &listener else {
                if self.behaviour.changed().await.is_err() {
                    return Ok(());
                }
                if !self.refuses() {
                    listener = Some(listen(addr)?);
                }
                continue;
            };
            tokio::select! {
                accepted = open.accept() => self.spawn(&mut connections, accepted?.0),
                Some(_) = connections.join_next() => {}
                changed = self.behaviour.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
            }
            if self.refuses() {
                // Those that wait are served yet: the rest, which comes in between, is cut unseen.
                while let Some(Ok((stream, _))) = open.accept().now_or_never() {
                    self.spawn(&mut connections, stream);
                }
                self.ledger.closes(Instant::now());
                listener = None;
            }
        }
    }

    fn spawn(&self, connections: &mut JoinSet<()>, stream: TcpStream) {
        let shared = self.clone();
        // A client that leaves in the middle is nothing to complain of.
        connections.spawn(async move { drop(shared.serve(stream).await) });
    }

    async fn serve(mut self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut bytes = Vec::new();
        loop {
            let id = tokio::select! {
                id = read_request(&mut stream, &mut bytes) => id?,
                closes = self.behaviour.wait_for(|now| *now == Behaviour::Refuses) => match closes {
                    Ok(_) => None,
                    Err(_) => return Ok(()),
                },
            };
            let Some(id) = id else { return self.close(stream, bytes).await };
            let behaviour = *self.behaviour.borrow();
            self.ledger.arrived(id, self.number, Instant::now());
            let throttled = |wait: Duration| format!("429 Too Many Requests\r\nretry-after-ms: {}", wait.as_millis());
            match behaviour {
                Behaviour::Well => {
                    sleep(latency(id)).await;
                    self.answer(&mut stream, id, "200 OK", None).await?;
                }
                Behaviour::ThrottlesFor(wait) => self.answer(&mut stream, id, &throttled(wait), Some(wait)).await?,
                Behaviour::Throttles => {
                    self.answer(&mut stream, id, "429 Too Many Requests", Some(DEFAULT_COOLDOWN)).await?;
                }
                Behaviour::Fails => self.answer(&mut stream, id, "500 Internal Server Error", None).await?,
                Behaviour::Resets => {
                    self.ledger.cuts(id);
                    return stream.set_zero_linger();
                }
                Behaviour::Refuses => {
                    self.ledger.cuts(id);
                    return Ok(());
                }
                Behaviour::NeverAnswers => {
                    self.ledger.cuts(id);
                    return until_it_leaves(&mut stream).await;
                }
                Behaviour::StallsBody => {
                    self.ledger.answers(id, 200, None, Instant::now());
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegun").await?;
                    return until_it_leaves(&mut stream).await;
                }
                Behaviour::Garbage => {
                    self.ledger.cuts(id);
                    return stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await;
                }
            }
        }
    }

    /// Answers with a status and perhaps headers.
    async fn answer(&self, stream: &mut TcpStream, id: u64, head: &str, cooldown: Option<Duration>) -> io::Result<()> {
        let status = head.split(' ').next().and_then(|status| status.parse().ok()).unwrap_or_default();
        self.ledger.answers(id, status, cooldown, Instant::now());
        stream.write_all(format!("HTTP/1.1 {head}\r\ncontent-length: 6\r\n\r\nanswer").as_bytes()).await
    }

    /// Closes a connection whose client may be writing: what still comes is cut, and told.
    async fn close(self, mut stream: TcpStream, mut bytes: Vec<u8>) -> io::Result<()> {
        stream.shutdown().await?;
        while let Some(id) = read_request(&mut stream, &mut bytes).await? {
            self.ledger.arrived(id, self.number, Instant::now());
            self.ledger.cuts(id);
        }
        Ok(())
    }
}

/// From nothing to 16 ms, the same for the same request.
fn latency(id: u64) -> Duration {
    Duration::from_millis(id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60)
}

async fn until_it_leaves(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Reads a request whole, and gives its number; `None` if the client is done. `bytes` is what was read beyond the last one.
async fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
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

/// The number and the length of the request at the beginning, if it is whole.
fn parse(bytes: &[u8]) -> Option<(u64, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let header = |name: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(n, _)| n.eq_ignore_ascii_case(name))?.1.trim().parse::<u64>().ok()
    };
    let length = end + usize::try_from(header("content-length").unwrap_or_default()).ok()?;
    (length <= bytes.len()).then(|| Some((header(ID)?, length)))?
}
