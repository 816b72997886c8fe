//! Discarded answers are drained in the background.

use std::{
    io::{Read, Write},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use isahc::HttpClient;
use lb_isahc::IsahcTransport;

use crate::{
    FACES, pool, post,
    server::{LONG, Server},
};

/// A refusal that takes a backend out of its own request only. The first byte of the body is with it: isahc gives no
/// head before.
const HEAD: &[u8] = b"HTTP/1.1 429 x\r\nretry-after-ms: 0\r\ncontent-length: 20000\r\n\r\nx";

#[test]
fn refusals_with_late_bodies_keep_their_connection() {
    for face in FACES {
        let (written, is_written) = mpsc::channel();
        let written = Mutex::new(written);
        let refusing = Server::new(move |_, stream| {
            stream.write_all(HEAD)?;
            thread::sleep(Duration::from_millis(5));
            let rest = stream.write_all(&[b'x'; 19_999]);
            let _ = written.lock().unwrap().send(());
            rest
        });
        let serving = Server::fixed(200, "", "ok");
        let transport = IsahcTransport::with_client(HttpClient::new().unwrap());
        for _ in 0..30 {
            let request = post().body("{}").unwrap();
            let response = face.send(pool([&refusing, &serving]), transport.clone(), request).unwrap();
            assert_eq!(response.status(), 200);
            is_written.recv_timeout(LONG).unwrap();
        }
        assert_eq!(refusing.requests().len(), 30);
        println!("{face:?}: 30 refusals over {} connections", refusing.connections());
        assert!(refusing.connections() <= 3, "{face:?}: {} connections", refusing.connections());
    }
}

#[test]
fn a_stalled_refusal_neither_delays_failover_nor_stays_open() {
    for face in FACES {
        let (closed, is_closed) = mpsc::channel();
        let closed = Mutex::new(closed);
        let refusing = Server::new(move |_, stream| {
            stream.write_all(HEAD)?;
            // Nothing more, until the client closes.
            stream.set_read_timeout(Some(LONG))?;
            let end = stream.read(&mut [0]);
            let _ = closed.lock().unwrap().send(end.is_ok_and(|read| read == 0));
            Err(std::io::ErrorKind::Other.into())
        });
        let serving = Server::fixed(200, "", "ok");
        let request = post().body("{}").unwrap();
        let start = Instant::now();
        let response = face.send(pool([&refusing, &serving]), IsahcTransport::new().unwrap(), request).unwrap();
        assert_eq!(response.body(), b"ok");
        assert!(is_closed.recv_timeout(LONG).unwrap(), "the stalled connection stays open");
        assert!(start.elapsed() < LONG / 4, "{:?}", start.elapsed());
    }
}
