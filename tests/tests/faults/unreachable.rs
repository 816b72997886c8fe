//! Ports of 127.0.0.1 behind which there is no server.

use std::{
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

/// How long it takes to see that the queue is full.
const FULL: Duration = Duration::from_millis(300);

/// A port that is taken, and not served.
pub struct Unreachable {
    addr: SocketAddr,
    socket: Socket,
    queued: Vec<TcpStream>,
}

impl Unreachable {
    /// Refuses connections: the port is bound, and nobody listens.
    pub fn refusing() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let addr = socket.local_addr().unwrap().as_socket().unwrap();
        Self { addr, socket, queued: Vec::new() }
    }

    /// Answers no SYN: the queue of connections is full, and nobody accepts any. One for all tests.
    pub fn hanging() -> &'static Self {
        static HANGING: LazyLock<Unreachable> = LazyLock::new(|| {
            let mut port = Unreachable::refusing();
            // Room for one or two.
            port.socket.listen(0).unwrap();
            while let Ok(stream) = TcpStream::connect_timeout(&port.addr, FULL) {
                port.queued.push(stream);
            }
            port
        });
        &HANGING
    }

    /// Takes connections, and says nothing on them.
    pub fn silent() -> Self {
        let port = Self::refusing();
        port.socket.listen(128).unwrap();
        port
    }

    pub fn tls_url(&self) -> String {
        format!("https://{}", self.addr)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}
