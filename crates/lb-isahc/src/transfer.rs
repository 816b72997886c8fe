//! Transfers whose caller left: isahc ends them when the backend sends something, and until then each has a connection.

use std::{
    io::{self, Read},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_lite::AsyncRead;
use isahc::{AsyncBody, Body, ResponseExt, Trailer, http::Response};

use crate::request_body::Progress;

/// As many may be open and abandoned over one client: few beside the 1,024 files that a process may have open by default,
/// and enough that a new client, which connects anew, costs little for each of them.
pub(crate) const MAX_ABANDONED: usize = 64;

/// What was abandoned over one client, and may still be open.
#[derive(Default)]
pub(crate) struct Abandoned {
    transfers: Mutex<Vec<Transfer>>,
    is_full: AtomicBool,
}

/// A transfer that nobody waits for, and by what its end is seen.
enum Transfer {
    /// It has no head yet: isahc keeps its body.
    Sending(Weak<Progress>),
    /// It has neither a head nor a body. Its end is not seen.
    WithoutBody,
    /// It has a head: isahc sets the trailer, if only to none, at its end.
    Receiving(Trailer),
}

impl Abandoned {
    /// Whether there are [`MAX_ABANDONED`], or were once.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    fn add(&self, transfer: Transfer) {
        if self.is_full() {
            return;
        }
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        transfers.push(transfer);
        if transfers.len() >= MAX_ABANDONED {
            transfers.retain(Transfer::is_open);
            self.is_full.store(transfers.len() >= MAX_ABANDONED, Ordering::Relaxed);
        }
    }
}

impl Transfer {
    fn is_open(&self) -> bool {
        match self {
            Self::Sending(progress) => progress.strong_count() > 0,
            Self::WithoutBody => true,
            Self::Receiving(trailer) => !trailer.is_ready(),
        }
    }
}

/// A request without a head yet. Dropped, it is abandoned.
pub(crate) struct Sending<'a> {
    abandoned: Option<&'a Abandoned>,
    progress: Option<Weak<Progress>>,
}

impl<'a> Sending<'a> {
    pub(crate) fn new(abandoned: &'a Abandoned, progress: Option<&Arc<Progress>>) -> Self {
        Self { abandoned: Some(abandoned), progress: progress.map(Arc::downgrade) }
    }

    /// It has its answer, or its error.
    pub(crate) fn end(mut self) {
        self.abandoned = None;
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(abandoned) = self.abandoned {
            abandoned.add(self.progress.take().map_or(Transfer::WithoutBody, Transfer::Sending));
        }
    }
}

/// The body of a response. Dropped before its end, it is abandoned.
struct Receiving<B> {
    body: B,
    trailer: Trailer,
    abandoned: Arc<Abandoned>,
}

/// The same response, with a body that knows when it is abandoned.
pub(crate) fn receiving(response: Response<AsyncBody>, abandoned: &Arc<Abandoned>) -> Response<AsyncBody> {
    let (trailer, abandoned) = (response.trailer().clone(), Arc::clone(abandoned));
    response.map(|body| match (body.is_empty(), body.len()) {
        (true, _) => body,
        (_, Some(length)) => AsyncBody::from_reader_sized(Receiving { body, trailer, abandoned }, length),
        (_, None) => AsyncBody::from_reader(Receiving { body, trailer, abandoned }),
    })
}

/// The same for a blocking response.
pub(crate) fn receiving_blocking(response: Response<Body>, abandoned: &Arc<Abandoned>) -> Response<Body> {
    let (trailer, abandoned) = (response.trailer().clone(), Arc::clone(abandoned));
    response.map(|body| match (body.is_empty(), body.len()) {
        (true, _) => body,
        (_, Some(length)) => Body::from_reader_sized(Receiving { body, trailer, abandoned }, length),
        (_, None) => Body::from_reader(Receiving { body, trailer, abandoned }),
    })
}

impl<B: Read> Read for Receiving<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer)
    }
}

impl<B: AsyncRead + Unpin> AsyncRead for Receiving<B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.body).poll_read(cx, buffer)
    }
}

impl<B> Drop for Receiving<B> {
    fn drop(&mut self) {
        if !self.trailer.is_ready() {
            self.abandoned.add(Transfer::Receiving(self.trailer.clone()));
        }
    }
}
