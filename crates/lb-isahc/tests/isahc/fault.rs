//! What kind of fault an error is.

use std::{
    io::{Cursor, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use futures_lite::future::block_on;
use isahc::{AsyncBody, Body, config::Configurable, error::ErrorKind};
use lb_core::{BlockingTransport, Transport};
use lb_isahc::{Backend, BlockingLoadBalancer, Error, Fault, IsahcTransport, LoadBalancer, Pool};
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    FACES, post,
    server::{LONG, Server, respond},
};

/// Short enough to wait for, long enough to connect over loopback.
const SOON: Duration = Duration::from_millis(300);

fn fault(transport: &IsahcTransport, endpoint: &str) -> (Fault, ErrorKind) {
    let balancer = LoadBalancer::new(Pool::new([Backend::new(endpoint, 1).unwrap()]).unwrap(), transport.clone());
    let request = post().timeout(SOON).body(AsyncBody::from("{}")).unwrap();
    match block_on(balancer.send(request)) {
        Err(Error::Transport(error)) => (Transport::fault(transport, &error), error.kind().clone()),
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
    let warm = transport.client();
    block_on(warm.get_async(format!("{}/warm", server.url()))).unwrap();
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

/// More than the buffers of two sockets take.
const LARGE: usize = 64 << 20;

/// Accepts, and does with each connection what it is told.
fn accepting(behave: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| behave(stream.unwrap())));
    url
}

/// Reads the beginning of a request and resets.
fn reset_early(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Reads nothing, until the client leaves.
fn read_nothing(stream: TcpStream) {
    thread::spawn(move || {
        let _ = stream.set_read_timeout(Some(LONG));
        while stream.peek(&mut [0]).is_ok_and(|peeked| peeked > 0) {
            thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn a_body_that_was_not_sent_whole_was_not_processed_and_goes_on() {
    for face in FACES {
        let (first, second) = (accepting(reset_early), Server::fixed(200, "", "ok"));
        let pool = || Pool::new([Backend::new(first.clone(), 1).unwrap(), Backend::new(second.url(), 2).unwrap()]);
        let transport = IsahcTransport::new().unwrap();
        // Without the second that libcurl gives a server to say that it wants the body.
        let body = "x".repeat(LARGE);
        let request = post().expect_continue(false).body(body.as_str()).unwrap();
        let response = face.send(pool().unwrap(), transport, request).unwrap();
        assert_eq!(response.body(), b"ok");
        assert_eq!(second.requests()[0].body.len(), LARGE);

        let request = post().expect_continue(false).body(Cursor::new(body)).unwrap();
        let Err(Error::Transport(error)) = face.stream(pool().unwrap(), request) else { panic!("it was reset") };
        let transport = IsahcTransport::new().unwrap();
        // A reset before the first byte of the body may come without an address: then it is no connection. Both go on.
        let fault = Transport::fault(&transport, &error);
        assert!(matches!(fault, Fault::Unprocessed | Fault::Connect), "{error:?}");
        assert!(Transport::describe(&transport, &error).contains("the request was not sent whole"), "{error:?}");
    }
}

#[test]
fn a_timeout_before_the_body_was_sent_whole_is_a_connect_timeout() {
    let transport = IsahcTransport::new().unwrap();
    let url = accepting(read_nothing);
    // One waits to hear that its body is wanted, one stands in the middle of it.
    for expect_continue in [true, false] {
        let pool = || Pool::new([Backend::new(url.clone(), 1).unwrap()]).unwrap();
        let request = || post().expect_continue(expect_continue).timeout(SOON);
        let balancer = LoadBalancer::new(pool(), transport.clone());
        let sent = block_on(balancer.send(request().body(AsyncBody::from(vec![0; LARGE])).unwrap()));
        let Err(Error::Transport(error)) = sent else { panic!("nobody answers") };
        assert_eq!((error.kind(), Transport::fault(&transport, &error)), (&ErrorKind::Timeout, Fault::ConnectTimeout));
        let balancer = BlockingLoadBalancer::new(pool(), transport.clone());
        let Err(Error::Transport(error)) = balancer.send(request().body(Body::from(vec![0; LARGE])).unwrap()) else {
            panic!("nobody answers")
        };
        assert_eq!(BlockingTransport::fault(&transport, &error), Fault::ConnectTimeout, "{error:?}");
    }
}

#[test]
fn a_stream_that_its_caller_is_slow_with_is_no_connect_timeout() {
    let transport = IsahcTransport::new().unwrap();
    let balancer =
        LoadBalancer::new(Pool::new([Backend::new(accepting(read_nothing), 1).unwrap()]).unwrap(), transport);
    let stream = futures_lite::io::AsyncReadExt::chain(b"{".as_slice(), Never);
    let request = post().timeout(SOON).body(AsyncBody::from_reader_sized(stream, 2)).unwrap();
    let Err(Error::Transport(error)) = block_on(balancer.send(request)) else { panic!("nobody answers") };
    assert_eq!(Transport::fault(balancer.transport(), &error), Fault::Timeout, "{error:?}");
}

/// Gives nothing, and does not end.
struct Never;

impl futures_lite::AsyncRead for Never {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Pending
    }
}

#[test]
fn a_stream_that_ends_before_its_length_is_the_requests_own_fault() {
    let transport = IsahcTransport::new().unwrap();
    let server = Server::new(|_, stream| stream.write_all(b""));
    let pool = || Pool::new([Backend::new(server.url(), 1).unwrap()]).unwrap();
    let request = post().body(AsyncBody::from_reader_sized(b"{}".as_slice(), 3)).unwrap();
    let Err(Error::Transport(error)) = block_on(LoadBalancer::new(pool(), transport.clone()).send(request)) else {
        panic!("a byte is missing")
    };
    assert_eq!(Transport::fault(&transport, &error), Fault::Request, "{error:?}");
    let request = post().body(Body::from_reader_sized(Cursor::new("{}"), 3)).unwrap();
    let Err(Error::Transport(error)) = BlockingLoadBalancer::new(pool(), transport.clone()).send(request) else {
        panic!("a byte is missing")
    };
    assert_eq!(BlockingTransport::fault(&transport, &error), Fault::Request, "{error:?}");
    assert!(server.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn a_timeout_over_a_unix_socket_is_a_timeout_where_the_body_tells_that_it_went_out() {
    use std::os::unix::net::UnixListener;

    let path = std::env::temp_dir().join(format!("lb-isahc-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let silent: thread::JoinHandle<_> = thread::spawn(move || listener.accept().map(|(stream, _)| stream));
    let dialer: isahc::net::Dialer = format!("unix:{}", path.display()).parse().unwrap();
    let transport = IsahcTransport::new().unwrap();
    let pool = Pool::new([Backend::new("http://only.invalid", 1).unwrap()]).unwrap();
    let request = post().dial(dialer).timeout(SOON).body(AsyncBody::from("{}")).unwrap();
    let sent = block_on(LoadBalancer::new(pool, transport.clone()).send(request));
    let _ = std::fs::remove_file(&path);
    let Err(Error::Transport(error)) = sent else { panic!("nobody answers") };
    assert_eq!(Transport::fault(&transport, &error), Fault::Timeout, "{error:?}");
    drop(silent);
}
