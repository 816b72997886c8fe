use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A GOAWAY that names the stream it is told to (RFC 9113, section 6.8). h2 sends its own only, which name the last
/// stream that it has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoAway(Arc<Mutex<Bytes>>);

impl GoAway {
    /// Goes out as soon as the connection is driven again. `last_stream`: the highest that may have been processed.
    pub(crate) fn send(&self, last_stream: u32, code: u32) {
        const TYPE: u8 = 0x7;
        let mut frame = BytesMut::with_capacity(17);
        // The length of what follows the nine bytes of the header; no flags; a frame of the connection, stream 0.
        frame.put_slice(&[0, 0, 8, TYPE, 0]);
        frame.put_u32(0);
        frame.put_u32(last_stream);
        frame.put_u32(code);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = frame.freeze();
    }

    /// Writes what is left of the frame.
    fn poll_write<S: AsyncWrite + Unpin>(&self, mut io: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut frame = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !frame.is_empty() {
            let written = ready!(io.as_mut().poll_write(cx, &frame))?;
            frame.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

/// A connection under h2 that puts in a [`GoAway`] between its frames.
#[derive(Debug)]
pub(crate) struct WithGoAway<S> {
    io: S,
    go_away: GoAway,
}

impl<S> WithGoAway<S> {
    pub(crate) fn new(io: S, go_away: GoAway) -> Self {
        Self { io, go_away }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithGoAway<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithGoAway<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // h2 flushes when all its frames are written to their end, so that another fits in here.
        let Self { io, go_away } = &mut *self;
        ready!(go_away.poll_write(Pin::new(&mut *io), cx))?;
        Pin::new(io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
