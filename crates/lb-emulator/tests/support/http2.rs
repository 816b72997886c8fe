//! A client of HTTP/2 that sees its streams.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::{Future, poll_fn};

use bytes::Bytes;
use h2::{RecvStream, client::SendRequest};
use http::{Request, Response};
use lb_emulator::Emulator;
use tokio::{task::JoinHandle, time::timeout};

use crate::support::{CHAT, HELLO, PATIENCE};

/// One connection: what requests are sent with, and its end.
pub(crate) struct Connection {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) end: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    pub(crate) async fn open(emulator: &Emulator) -> Self {
        let stream = tokio::net::TcpStream::connect(emulator.addr()).await.unwrap();
        let mut builder = h2::client::Builder::new();
        // One stream's window is 65,535 bytes; that of all together is not to matter.
        let (send, connection) = builder.initial_connection_window_size(1 << 20).handshake(stream).await.unwrap();
        Self { send, end: tokio::spawn(connection) }
    }

    /// Opens a stream and sends a request on it; gives what its answer will be.
    pub(crate) async fn post(
        &self,
        body: &'static str,
    ) -> impl Future<Output = Result<Response<RecvStream>, h2::Error>> + use<> {
        let mut send = self.send.clone().ready().await.unwrap();
        let request = Request::post(format!("http://emulator{CHAT}")).body(()).unwrap();
        let (response, mut stream) = send.send_request(request, false).unwrap();
        stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
        async { patient(response).await }
    }

    pub(crate) async fn ask(&self) -> Result<Response<RecvStream>, h2::Error> {
        self.post(HELLO).await.await
    }
}

pub(crate) async fn patient<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes for ever")
}

/// The next DATA frame that is not empty.
pub(crate) async fn data(response: &mut Response<RecvStream>) -> Option<Result<String, h2::Error>> {
    let body = response.body_mut();
    loop {
        match patient(poll_fn(|cx| body.poll_data(cx))).await? {
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                body.flow_control().release_capacity(data.len()).unwrap();
                return Some(Ok(String::from_utf8(data.to_vec()).unwrap()));
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

pub(crate) async fn text(mut response: Response<RecvStream>) -> String {
    let mut text = String::new();
    while let Some(part) = data(&mut response).await {
        text.push_str(&part.unwrap());
    }
    text
}
