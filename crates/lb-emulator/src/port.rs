use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted; as many as std takes.
const BACKLOG: i32 = 128;

/// A TCP port that stays ours while nobody listens on it.
///
/// A socket that is bound and does not listen keeps the port from being given to others, and a connection to it is
/// refused. Where the operating system does not let the listening socket share the address with it (outside Linux),
/// there is no such reservation.
#[derive(Debug)]
pub(crate) struct Port {
    addr: SocketAddr,
    _reservation: Option<Socket>,
}

impl Port {
    /// Takes the port, 0 for a free one, and listens on it.
    pub(crate) fn open(addr: SocketAddr) -> io::Result<(Self, TcpListener)> {
        let reservation = bind(addr)?;
        let addr = reservation.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut port = Self { addr, _reservation: Some(reservation) };
        let listener = port.listen().or_else(|_| {
            port._reservation = None;
            port.listen()
        })?;
        Ok((port, listener))
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        let socket = bind(self.addr)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this option would let anyone take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}
