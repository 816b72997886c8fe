//! A server that does what a closure says, one thread per connection.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Nothing in these tests takes as long.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Which connection it came on, from 1.
    pub(crate) connection: usize,
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

impl Server {
    /// Lets `answer` answer every request; its error closes the connection.
    pub(crate) fn new(answer: impl Fn(&Received, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let (shared, answer) = (Arc::clone(&server.shared), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (shared, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                thread::spawn(move || serve(connection, stream?, &shared, &*answer));
            }
        });
        server
    }

    /// Answers everything with this status and body.
    pub(crate) fn fixed(status: u16, headers: &'static str, body: &'static str) -> Self {
        Self::new(move |_, stream| respond(stream, status, headers, body.as_bytes()))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().unwrap().clone()
    }
}

/// Writes a whole answer; `headers` are lines that end with `\r\n`.
pub(crate) fn respond(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let mut answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}\r\n").into_bytes();
    answer.extend_from_slice(body);
    stream.write_all(&answer)
}

fn serve(
    connection: usize,
    mut stream: TcpStream,
    shared: &Shared,
    answer: &dyn Fn(&Received, &mut TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let received = read_request(connection, &mut reader)?;
        shared.requests.lock().unwrap().push(received.clone());
        answer(&received, &mut stream)?;
    }
}

fn read_request(connection: usize, reader: &mut impl BufRead) -> io::Result<Received> {
    let line = read_line(reader)?;
    let mut received = Received { connection, line, headers: vec![], body: vec![] };
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        received.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if received.header("transfer-encoding") == ["chunked"] {
        loop {
            let size = usize::from_str_radix(&read_line(reader)?, 16).unwrap();
            read_exactly(size, reader, &mut received.body)?;
            read_line(reader)?;
            if size == 0 {
                return Ok(received);
            }
        }
    }
    let length = received.header("content-length").first().map_or(0, |length| length.parse().unwrap());
    read_exactly(length, reader, &mut received.body)?;
    Ok(received)
}

fn read_exactly(length: usize, reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    let start = body.len();
    body.resize(start + length, 0);
    reader.read_exact(&mut body[start..])
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match reader.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
