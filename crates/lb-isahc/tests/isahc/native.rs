//! isahc's own types go in and come out.

use std::{
    io::{Read, Write},
    sync::{Mutex, mpsc},
};

use futures_lite::{AsyncReadExt, future::block_on};
use isahc::{AsyncBody, Body};
use lb_isahc::{Backend, BlockingLoadBalancer, Error, Exhausted, IsahcTransport, LoadBalancer, Pool, Served};

use crate::{
    FACES, pool, post,
    server::{LONG, Server},
};

#[test]
fn a_request_is_addressed_through_whichever_http_isahc_has() {
    for face in FACES {
        let server = Server::fixed(200, "x-answer: 1\r\nX-Answer: 2\r\n", "hello");
        let backend = Backend::builder(format!("{}/team", server.url())).name("a").deployment("mine").api_key("OWN");
        let pool = Pool::new([backend.build().unwrap()]).unwrap();
        let request = post().header("api-key", "CALLER").header("authorization", "Bearer CALLER").header("host", "x");
        let request = request.header("x-twice", "1").header("x-twice", "2").body("{}").unwrap();

        let response = face.send(pool, IsahcTransport::new().unwrap(), request).unwrap();

        assert_eq!((response.status().as_u16(), response.body().as_slice()), (200, &b"hello"[..]));
        assert_eq!(response.headers().get_all("x-answer").iter().count(), 2);
        let served = response.extensions().get::<Served>().unwrap();
        assert_eq!((served.backend(), served.attempts()), ("a", 1));
        let [received] = &server.requests()[..] else { panic!("one request") };
        assert_eq!(received.line, "POST /team/openai/deployments/mine/completions?api-version=1 HTTP/1.1");
        assert_eq!(received.header("host"), [&server.url()["http://".len()..]]);
        assert_eq!(received.header("api-key"), ["OWN"]);
        assert_eq!(received.header("authorization"), [""; 0]);
        assert_eq!(received.header("x-twice"), ["1", "2"]);
        assert_eq!(received.body, b"{}");
    }
}

#[test]
fn a_synthesised_429_says_so_in_its_extensions() {
    for face in FACES {
        let server = Server::fixed(429, "retry-after: 7\r\n", "theirs");
        let response = face.send(pool([&server]), IsahcTransport::new().unwrap(), post().body("{}").unwrap()).unwrap();

        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-type"], "application/json");
        let exhausted = response.extensions().get::<Exhausted>().unwrap();
        assert_eq!(response.body(), &exhausted.body());
        assert!(response.extensions().get::<Served>().is_none());
    }
}

#[test]
fn a_response_streams() {
    let (more, go) = mpsc::channel();
    let go = Mutex::new(go);
    let server = Server::new(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")?;
        // The rest comes only after the first part was read.
        go.lock().unwrap().recv_timeout(LONG).unwrap();
        stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n")
    });
    let (mut one, mut rest) = ([0; 3], Vec::new());

    let balancer = LoadBalancer::new(pool([&server]), IsahcTransport::new().unwrap());
    let mut response = block_on(balancer.send(post().body(AsyncBody::empty()).unwrap())).unwrap();
    block_on(response.body_mut().read_exact(&mut one)).unwrap();
    more.send(()).unwrap();
    block_on(response.body_mut().read_to_end(&mut rest)).unwrap();
    assert_eq!((&one, rest.as_slice()), (b"one", &b"two"[..]));

    rest.clear();
    let balancer = BlockingLoadBalancer::new(pool([&server]), IsahcTransport::new().unwrap());
    let mut response = balancer.send(post().body(Body::empty()).unwrap()).unwrap();
    response.body_mut().read_exact(&mut one).unwrap();
    more.send(()).unwrap();
    response.body_mut().read_to_end(&mut rest).unwrap();
    assert_eq!((&one, rest.as_slice()), (b"one", &b"two"[..]));
}

#[test]
fn a_header_that_isahc_would_panic_on_is_an_error_that_blames_no_backend() {
    for face in FACES {
        let server = Server::fixed(200, "", "");
        let request = post().header("x-name", "Zo\u{eb}").body("{}").unwrap();
        let error = face.send(pool([&server]), IsahcTransport::new().unwrap(), request).unwrap_err();
        assert!(matches!(error, Error::Address(_)), "{error}");
        assert_eq!(server.connections(), 0);
    }
}
