//! Behind a backend that stalls, what callers abandon holds a bounded number of connections.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use futures_lite::{
    AsyncReadExt,
    future::{block_on, poll_once},
};
use isahc::{AsyncBody, Body, HttpClient};
use lb_isahc::{BlockingLoadBalancer, IsahcTransport, LoadBalancer};

use crate::{
    FACES, Face, pool, post,
    server::{LONG, Server},
};

/// More than the 64 that may be open, and than the 32 that may be drained.
const MANY: usize = 200;

/// Those that may be open when they were abandoned one after the other.
const BOUND: usize = 64;

/// Discarded answers are drained for a while, and may all be given up after the last request.
const DRAINED: usize = 32;

/// A server that writes the beginning of an answer and nothing more.
struct Stalling {
    server: Server,
    open: Arc<AtomicUsize>,
    stalled: Receiver<()>,
}

impl Stalling {
    fn after(beginning: &'static [u8]) -> Self {
        let open = Arc::<AtomicUsize>::default();
        let (stalls, stalled) = channel();
        let (counted, stalls) = (Arc::clone(&open), Mutex::new(stalls));
        let server = Server::new(move |received, stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(beginning)?;
            let _ = stalls.lock().unwrap().send(());
            if received.line.contains("/goes-on") {
                thread::sleep(Duration::from_secs(1));
                stream.write_all(b"the rest")?;
            }
            let _ = stream.read(&mut [0]);
            counted.fetch_sub(1, Ordering::SeqCst);
            Err(io::ErrorKind::Other.into())
        });
        Self { server, open, stalled }
    }

    /// Expects as many open connections at the most; what is about to be closed is waited for.
    fn assert_open(&self, at_most: usize) {
        let start = Instant::now();
        while self.open.load(Ordering::SeqCst) > at_most && start.elapsed() < LONG / 2 {
            thread::sleep(Duration::from_millis(10));
        }
        let open = self.open.load(Ordering::SeqCst);
        assert!(open <= at_most, "{open} of {MANY} are open");
    }
}

const NO_ANSWER: &[u8] = b"";
const A_REFUSAL: &[u8] = b"HTTP/1.1 429 x\r\nretry-after-ms: 0\r\ncontent-length: 20\r\n\r\nx";
const AN_ANSWER: &[u8] = b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nx";

#[test]
fn dropped_requests_hold_a_bounded_number_of_connections() {
    for body in [AsyncBody::empty, || AsyncBody::from("{}")] {
        let stalling = Stalling::after(NO_ANSWER);
        let balancer = LoadBalancer::new(pool([&stalling.server]), IsahcTransport::new().unwrap());
        for _ in 0..MANY {
            let mut sending = Box::pin(balancer.send(post().body(body()).unwrap()));
            assert!(block_on(poll_once(&mut sending)).is_none());
            stalling.stalled.recv_timeout(LONG).unwrap();
        }
        stalling.assert_open(BOUND);
        assert_eq!(stalling.server.connections(), MANY);
    }
}

#[test]
fn discarded_answers_hold_a_bounded_number_of_connections() {
    for face in FACES {
        let (stalling, serving) = (Stalling::after(A_REFUSAL), Server::fixed(200, "", "ok"));
        let transport = IsahcTransport::new().unwrap();
        for _ in 0..MANY {
            let request = post().body("{}").unwrap();
            let response = face.send(pool([&stalling.server, &serving]), transport.clone(), request).unwrap();
            assert_eq!(response.body(), b"ok");
        }
        stalling.assert_open(BOUND + DRAINED);
        assert_eq!(stalling.server.connections(), MANY);
    }
}

#[test]
fn dropped_answers_hold_a_bounded_number_of_connections() {
    for (face, is_stream) in [(Face::Async, false), (Face::Blocking, false), (Face::Blocking, true)] {
        let stalling = Stalling::after(AN_ANSWER);
        let transport = IsahcTransport::new().unwrap();
        for _ in 0..MANY {
            let pool = pool([&stalling.server]);
            match face {
                Face::Async => {
                    let balancer = LoadBalancer::new(pool, transport.clone());
                    let mut response = block_on(balancer.send(post().body(AsyncBody::from("{}")).unwrap())).unwrap();
                    block_on(response.body_mut().read_exact(&mut [0])).unwrap();
                }
                Face::Blocking => {
                    let body = if is_stream { Body::from_reader_sized("{}".as_bytes(), 2) } else { Body::from("{}") };
                    let balancer = BlockingLoadBalancer::new(pool, transport.clone());
                    balancer.send(post().body(body).unwrap()).unwrap().body_mut().read_exact(&mut [0]).unwrap();
                }
            }
        }
        stalling.assert_open(BOUND);
    }
}

/// A transport, and how many clients it made.
fn counting() -> (IsahcTransport, Arc<AtomicUsize>) {
    let made = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&made);
    let transport = IsahcTransport::with_clients(move || {
        count.fetch_add(1, Ordering::SeqCst);
        HttpClient::new()
    });
    (transport.unwrap(), made)
}

#[test]
fn an_answer_in_use_outlives_the_replacement_of_its_client() {
    let stalling = Stalling::after(AN_ANSWER);
    let (transport, made) = counting();
    let balancer = LoadBalancer::new(pool([&stalling.server]), transport);
    let send = |path| {
        let request = isahc::Request::post(path).body(AsyncBody::from("{}")).unwrap();
        let mut response = block_on(balancer.send(request)).unwrap();
        // Else isahc may see that nobody reads as it writes the first byte, and end the transfer.
        block_on(response.body_mut().read_exact(&mut [0])).unwrap();
        response
    };
    let mut in_use = send("/goes-on");
    for _ in 0..BOUND {
        assert_eq!(made.load(Ordering::SeqCst), 1);
        drop(send("/stalls"));
    }
    drop(send("/stalls"));
    assert_eq!(made.load(Ordering::SeqCst), 2);
    let mut body = Vec::new();
    block_on(in_use.body_mut().read_to_end(&mut body)).unwrap();
    assert_eq!(body, b"the rest");
}

#[test]
fn what_was_read_or_has_ended_costs_no_client() {
    let (transport, made) = counting();
    let answers = Server::fixed(200, "", "answer");
    for face in FACES {
        for _ in 0..MANY {
            face.send(pool([&answers]), transport.clone(), post().body("{}").unwrap()).unwrap();
        }
    }
    let balancer = LoadBalancer::new(pool([&answers]), transport.clone());
    for _ in 0..MANY {
        let request = isahc::Request::get("/").body(AsyncBody::empty()).unwrap();
        let mut response = block_on(balancer.send(request)).unwrap();
        // It is all there, and nobody reads to its end.
        block_on(response.body_mut().read_exact(&mut [0; 6])).unwrap();
    }

    let (received, is_received) = channel();
    let (answer, answers) = channel();
    let (received, answers) = (Mutex::new(received), Mutex::new(answers));
    let slow = Server::new(move |_, stream| {
        received.lock().unwrap().send(()).unwrap();
        answers.lock().unwrap().recv_timeout(LONG).unwrap();
        stream.write_all(AN_ANSWER)?;
        let end = stream.read(&mut [0]);
        received.lock().unwrap().send(()).unwrap();
        end.and(Err(io::ErrorKind::Other.into()))
    });
    let balancer = LoadBalancer::new(pool([&slow]), transport.clone());
    for _ in 0..MANY {
        let mut sending = Box::pin(balancer.send(post().body(AsyncBody::from("{}")).unwrap()));
        assert!(block_on(poll_once(&mut sending)).is_none());
        is_received.recv_timeout(LONG).unwrap();
        drop(sending);
        // The answer to nobody ends the transfer, and its connection.
        answer.send(()).unwrap();
        is_received.recv_timeout(LONG).unwrap();
    }
    let _ = transport.client();
    assert_eq!(made.load(Ordering::SeqCst), 1);
}
