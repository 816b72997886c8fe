use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

use crate::{log::Exchange, switches::Switches};

/// What the requests of one connection share with its socket.
#[derive(Debug)]
pub(crate) struct Link {
    number: u64,
    cut: Notify,
    reset: AtomicBool,
    /// Whether the emulator ends it, and no client.
    ended: AtomicBool,
    /// Whether anything was kept back that was to be sent; the rest would make no sense without it.
    silent: AtomicBool,
    switches: Arc<Switches>,
    /// Exchanges whose last byte is in the buffer of the HTTP layer.
    written: Mutex<Vec<Exchange>>,
}

impl Link {
    pub(crate) fn new(number: u64, switches: Arc<Switches>) -> Arc<Self> {
        let [reset, ended, silent] = [(); 3].map(|()| AtomicBool::new(false));
        Arc::new(Self { number, cut: Notify::new(), reset, ended, silent, switches, written: Mutex::default() })
    }

    /// The connection's number, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Ends the connection with a TCP reset, after what is written so far.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
        self.ends();
        self.cut.notify_one();
    }

    /// It is about to be ended, and no client is to be blamed.
    pub(crate) fn ends(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// From now on nothing is sent.
    pub(crate) fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Returns when the connection is to be ended.
    pub(crate) async fn cut(&self) {
        self.cut.notified().await;
    }

    /// The exchange is over as soon as what is written is flushed.
    pub(crate) fn written(&self, exchange: Exchange) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }

    pub(crate) fn is_ended_by_emulator(&self) -> bool {
        self.ended.load(Ordering::Relaxed) || self.switches.is_closing()
    }

    /// Whether what is about to be sent is to be kept back.
    fn keeps_back(&self) -> bool {
        if self.switches.is_silent() {
            self.silence();
        }
        self.silent.load(Ordering::Relaxed)
    }

    fn flushed(&self) {
        if self.silent.load(Ordering::Relaxed) {
            return;
        }
        for exchange in self.take_written() {
            exchange.sent();
        }
    }

    fn take_written(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The socket of one connection. It knows when a flush reached the operating system, and closes with a reset or keeps
/// everything back if its [`Link`] says so.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    link: Arc<Link>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.link.keeps_back() {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.link.keeps_back() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // The HTTP layer flushes the socket only when its own buffer is empty.
        self.link.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.link.reset.load(Ordering::Relaxed) {
            // Zero: closing discards what is unsent and sends RST. If it fails, the close is plain.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
        // Exchanges hold their link: without this they would keep each other alive.
        drop(self.link.take_written());
    }
}
