//! Bodies in memory are sent to every backend, bodies that stream to one.

use std::io::{self, Cursor, Read};

use futures_lite::future::block_on;
use isahc::{AsyncBody, AsyncReadResponseExt, HttpClient, http::Request};
use lb_core::Transport;
use lb_isahc::{Error, Fault, IsahcTransport, LoadBalancer, Served};

use crate::{
    FACES, pool, post,
    server::{Server, respond},
};

#[test]
fn a_body_in_memory_goes_to_every_backend() {
    for face in FACES {
        let servers = [429, 500, 200].map(|status| Server::fixed(status, "", ""));
        let response = face.send(pool(&servers), IsahcTransport::new().unwrap(), post().body("{}").unwrap()).unwrap();
        assert_eq!(response.extensions().get::<Served>().unwrap().attempts(), 3);
        for server in &servers {
            assert_eq!(server.requests()[0].body, b"{}");
        }
    }
}

#[test]
fn a_streaming_body_gets_one_attempt_and_its_real_answer() {
    for face in FACES {
        let (first, second) = (Server::fixed(429, "retry-after: 7\r\n", "theirs"), Server::fixed(200, "", ""));
        let response = face.stream(pool([&first, &second]), post().body(Cursor::new("{}")).unwrap()).unwrap();
        assert_eq!((response.status().as_u16(), response.body().as_slice()), (429, &b"theirs"[..]));
        assert!(response.extensions().get::<Served>().is_some());
        assert_eq!(first.requests()[0].body, b"{}");
        assert_eq!(second.connections(), 0);
    }
}

#[test]
fn a_post_is_received_once_even_if_its_kept_connection_ends_before_an_answer() {
    for face in FACES {
        // The first connection answers once, and is closed when it was reused and its request was read.
        let server = Server::new(|received, stream| match (received.connection, received.line.as_str()) {
            (1, line) if line.contains("second") => Err(io::ErrorKind::Other.into()),
            _ => respond(stream, 200, "", b"ok"),
        });
        let transport = IsahcTransport::with_client(HttpClient::new().unwrap());
        let send = |path| face.send(pool([&server]), transport.clone(), Request::post(path).body("{}").unwrap());
        assert_eq!(send("/first").unwrap().body(), b"ok");
        let Err(Error::Transport(error)) = send("/second") else { panic!("it may have been executed") };
        assert_eq!(Transport::fault(&transport, &error), Fault::Reset, "{error:?}");
        assert_eq!(send("/third").unwrap().body(), b"ok");
        let received: Vec<_> = server.requests().into_iter().map(|r| (r.connection, r.line, r.body)).collect();
        let lines = [(1, "first"), (1, "second"), (2, "third")];
        let expected = lines.map(|(connection, path)| (connection, format!("POST /{path} HTTP/1.1"), b"{}".to_vec()));
        assert_eq!(received, expected);
    }
}

#[test]
fn a_get_is_sent_again_by_libcurl() {
    let server = Server::new(|received, stream| match (received.connection, received.line.as_str()) {
        (1, line) if line.contains("second") => Err(io::ErrorKind::Other.into()),
        _ => respond(stream, 200, "", b"ok"),
    });
    let balancer = LoadBalancer::new(pool([&server]), IsahcTransport::new().unwrap());
    for path in ["/first", "/second"] {
        let request = Request::get(path).body(AsyncBody::empty()).unwrap();
        block_on(block_on(balancer.send(request)).unwrap().consume()).unwrap();
    }
    let connections: Vec<_> = server.requests().iter().map(|received| received.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

/// Fails as a body that is read over a network of its own.
struct Refused;

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

#[test]
fn a_body_that_fails_is_the_requests_own_fault() {
    for face in FACES {
        let server = Server::fixed(200, "", "");
        let error = face.stream(pool([&server]), post().body(Refused).unwrap()).unwrap_err();
        let Error::Transport(error) = error else { panic!("{error}") };
        assert_eq!(Transport::fault(&IsahcTransport::new().unwrap(), &error), Fault::Request, "{error:?}");
    }
}

#[test]
fn an_absent_body_stays_absent_and_an_empty_one_empty() {
    let transport = IsahcTransport::new().unwrap();
    for (body, length) in [(AsyncBody::empty(), [""; 0].as_slice()), (AsyncBody::from(""), &["0"])] {
        let server = Server::fixed(200, "", "");
        let balancer = LoadBalancer::new(pool([&server]), transport.clone());
        let request = Request::put("/").body(body).unwrap();
        block_on(balancer.send(request)).unwrap();
        assert_eq!(server.requests()[0].header("content-length"), length);
    }
}
