//! A raw HTTP/1.1 client that sees what is on the wire, and shortcuts for one that does not.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[cfg(feature = "http2")]
pub(crate) mod http2;

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use lb_emulator::Emulator;
use reqwest::blocking::{Client, Response};

/// Far more than anything here takes; a test that gets there has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const CHAT: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

pub(crate) const HELLO: &str = r#"{"messages":[{"role":"user","content":"Hello there"}]}"#;

pub(crate) const STREAM: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#;

pub(crate) fn client() -> Client {
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.timeout(PATIENCE).no_proxy().build().unwrap()
}

pub(crate) fn ask(emulator: &Emulator) -> Response {
    post(emulator, CHAT, HELLO)
}

pub(crate) fn post(emulator: &Emulator, path: &str, body: &str) -> Response {
    let url = format!("{}{path}", emulator.url());
    client().post(url).body(body.to_owned()).send().unwrap()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// One connection on which bytes are written and read as they are.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) fn connect(emulator: &Emulator) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&emulator.addr(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// Connects and posts a body.
    pub(crate) fn post(emulator: &Emulator, body: &str) -> Self {
        let mut raw = Self::connect(emulator).unwrap();
        raw.send(body);
        raw
    }

    pub(crate) fn send(&mut self, body: &str) {
        let length = body.len();
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
        self.write(&head);
        self.write(body);
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Reads up to and with `end`.
    pub(crate) fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.0
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error} after {}", String::from_utf8_lossy(&read)));
            read.push(byte[0]);
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads to the end of the connection.
    pub(crate) fn all(&mut self) -> String {
        let mut read = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut read);
        String::from_utf8_lossy(&read).into_owned()
    }

    /// The head of an answer.
    pub(crate) fn head(&mut self) -> String {
        self.until("\r\n\r\n")
    }

    /// One HTTP chunk.
    pub(crate) fn chunk(&mut self) -> String {
        let length = self.until("\r\n");
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        let mut data = vec![0; length + 2];
        self.0.read_exact(&mut data).unwrap();
        data.truncate(length);
        String::from_utf8(data).unwrap()
    }

    /// What the next read gives; `Ok(0)` is the end.
    pub(crate) fn read(&mut self) -> io::Result<usize> {
        self.0.read(&mut [0; 64])
    }

    /// Whether there is nothing to read now.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let silent = matches!(self.0.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.0.set_nonblocking(false).unwrap();
        silent
    }
}
