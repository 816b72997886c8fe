//! An answer whose every part can be told, also what no server should send.

use std::time::Duration;

/// An answer, as far as it comes.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// An informational one that comes before, and how often.
    pub before: (u16, usize),
    pub status: u16,
    /// The words after the status, in HTTP/1.1.
    pub reason: &'static [u8],
    pub headers: &'static [(&'static str, &'static [u8])],
    /// How often each of the headers comes.
    pub times: usize,
    /// What the body is made of, and how often.
    pub body: (&'static [u8], usize),
    /// What passes after each piece of it.
    pub pause: Duration,
    pub framing: Framing,
    pub end: End,
}

/// What tells the client where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `content-length`, with the body's length.
    Length,
    /// `content-length`, with another.
    WrongLength(usize),
    /// Chunks in HTTP/1.1; the end of the stream in HTTP/2.
    Chunks,
    /// A chunk whose length is no number in HTTP/1.1; a `content-length` that is too small in HTTP/2.
    Broken,
    /// Chunks, and a `content-length` that contradicts them. In HTTP/2 as [`Broken`](Self::Broken).
    Both,
}

/// What comes after the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its end, and the next request.
    Keeps,
    /// The end of the connection.
    Closes,
    /// A reset: of the stream in HTTP/2.
    Resets,
}

impl Answer {
    /// A 200 without a body.
    pub const OK: Self = Self {
        before: (100, 0),
        status: 200,
        reason: b"Told",
        headers: &[],
        times: 1,
        body: (b"", 0),
        pause: Duration::ZERO,
        framing: Framing::Length,
        end: End::Keeps,
    };

    pub const fn content_length(&self) -> Option<usize> {
        let length = self.body.0.len() * self.body.1;
        match self.framing {
            Framing::Length => Some(length),
            Framing::WrongLength(wrong) => Some(wrong),
            Framing::Chunks => None,
            Framing::Broken | Framing::Both => Some(length / 2),
        }
    }
}
