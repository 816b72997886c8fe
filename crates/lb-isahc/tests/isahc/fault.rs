//! What kind of fault an error is.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use futures_lite::future::block_on;
use isahc::{AsyncBody, config::Configurable, error::ErrorKind};
use lb_core::Transport;
use lb_isahc::{Backend, Error, Fault, IsahcTransport, LoadBalancer, Pool};
use socket2::{Domain, Socket, Type};

use crate::{
    post,
    server::{LONG, Server, respond},
};

/// Short enough to wait for, long enough to connect over loopback.
const SOON: Duration = Duration::from_millis(300);

fn fault(transport: &IsahcTransport, endpoint: &str) -> (Fault, ErrorKind) {
    let balancer = LoadBalancer::new(Pool::new([Backend::new(endpoint, 1).unwrap()]).unwrap(), transport.clone());
    let request = post().timeout(SOON).body(AsyncBody::from("{}")).unwrap();
    match block_on(balancer.send(request)) {
        Err(Error::Transport(error)) => (transport.fault(&error), error.kind().clone()),
        other => panic!("expected an error of isahc, got {other:?}"),
    }
}

#[test]
fn a_refused_port_or_an_unknown_name_is_a_connect_fault() {
    let transport = IsahcTransport::new().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(fault(&transport, &format!("http://{nobody}")), (Fault::Connect, ErrorKind::ConnectionFailed));
    assert_eq!(fault(&transport, "http://name.invalid").0, Fault::Connect);
}

#[test]
fn a_timeout_before_there_is_a_connection_is_a_connect_timeout() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let silent = socket.local_addr().unwrap().as_socket().unwrap();
    // The queue has room for one or two; then a SYN is not answered.
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&silent, SOON) {
        queued.push(stream);
    }
    let transport = IsahcTransport::new().unwrap();
    assert_eq!(fault(&transport, &format!("http://{silent}")), (Fault::ConnectTimeout, ErrorKind::Timeout));
}

#[test]
fn a_timeout_after_the_request_went_out_is_a_timeout() {
    let server = Server::new(|received, stream| {
        // Once on a new connection, once on a reused one.
        if received.line.contains("/warm") {
            return respond(stream, 200, "", b"");
        }
        std::thread::sleep(LONG);
        Err(std::io::ErrorKind::Other.into())
    });
    let transport = IsahcTransport::new().unwrap();
    assert_eq!(fault(&transport, &server.url()), (Fault::Timeout, ErrorKind::Timeout));
    block_on(transport.client().get_async(format!("{}/warm", server.url()))).unwrap();
    assert_eq!(fault(&transport, &server.url()), (Fault::Timeout, ErrorKind::Timeout));
    let connections: Vec<_> = server.requests().iter().map(|received| received.connection).collect();
    assert_eq!(connections, [1, 2, 2]);
}

#[test]
fn a_connection_that_breaks_after_the_request_went_out_is_a_reset() {
    let transport = IsahcTransport::new().unwrap();
    let closes = Server::new(|_, _| Err(std::io::ErrorKind::Other.into()));
    assert_eq!(fault(&transport, &closes.url()).0, Fault::Reset);
    let breaks = Server::new(|_, stream| {
        socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
        Err(std::io::ErrorKind::Other.into())
    });
    assert_eq!(fault(&transport, &breaks.url()).0, Fault::Reset);
}

#[test]
fn an_answer_that_is_not_http_is_a_reset() {
    let transport = IsahcTransport::new().unwrap();
    let server = Server::new(|_, stream| std::io::Write::write_all(stream, b"SSH-2.0-x\r\n\r\n"));
    assert_eq!(fault(&transport, &server.url()).0, Fault::Reset);
}
