//! Draining discarded answers, so that their connections are reused.
//!
//! HTTP/1.1 can reuse a connection only after the body was read. A refusal's body is small, but often comes a little
//! after the head: dropping it there costs a new connection, with its TLS handshake, on the next visit.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use futures_lite::AsyncRead;
use isahc::AsyncBody;

/// A larger body costs more than a new connection.
const MAX_BYTES: usize = 64 * 1024;

/// A slower body is not worth waiting for, even in the background.
const MAX_TIME: Duration = Duration::from_millis(100);

/// More are dropped: an outage must not pile up work.
const MAX_DRAINS: usize = 32;

/// One thread for the whole process, started by the first discard. It sleeps while there is nothing to drain.
static DRAIN: OnceLock<Option<Drain>> = OnceLock::new();

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Reads `body` to its end in the background; drops it where that is not worth it.
pub(crate) fn drain(body: AsyncBody) {
    if body.len().is_some_and(|length| length > MAX_BYTES as u64) {
        return;
    }
    let Some(permit) = Permit::acquire() else { return };
    if let Some(drain) = DRAIN.get_or_init(Drain::start) {
        let open = Open { body, left: MAX_BYTES, deadline: Instant::now() + MAX_TIME, _permit: permit };
        // If the thread is gone, the body is dropped with the error.
        if drain.inbox.send(open).is_ok() {
            drain.thread.unpark();
        }
    }
}

struct Drain {
    inbox: Sender<Open>,
    thread: Thread,
}

impl Drain {
    /// `None` if the system has no thread to give: bodies are dropped then.
    fn start() -> Option<Self> {
        let (inbox, arrivals) = channel();
        let thread = thread::Builder::new().name("lb-isahc-drain".to_owned()).spawn(move || run(&arrivals)).ok()?;
        Some(Self { inbox, thread: thread.thread().clone() })
    }
}

/// Polls what is open whenever anything wakes it; there are never more than [`MAX_DRAINS`].
fn run(arrivals: &Receiver<Open>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut buffer = vec![0; 16 * 1024];
    let mut all: Vec<Open> = Vec::new();
    loop {
        all.extend(arrivals.try_iter());
        all.retain_mut(|open| open.poll(&mut context, &mut buffer).is_pending());
        // A wake-up between the poll and here is not lost: `unpark` lets the next `park` return at once.
        match all.iter().map(|open| open.deadline).min() {
            Some(deadline) => thread::park_timeout(deadline.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }
}

/// A body that is being drained.
struct Open {
    body: AsyncBody,
    left: usize,
    deadline: Instant,
    _permit: Permit,
}

impl Open {
    /// Reads what has come; ready when the body is at its end or not worth more.
    fn poll(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()> {
        loop {
            match Pin::new(&mut self.body).poll_read(context, buffer) {
                Poll::Ready(Ok(read)) if 0 < read && read <= self.left => self.left -= read,
                Poll::Pending if Instant::now() < self.deadline => return Poll::Pending,
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// One of [`MAX_DRAINS`].
struct Permit;

impl Permit {
    fn acquire() -> Option<Self> {
        // Relaxed: a bound, which orders nothing else. One too many is given back at once, by its drop.
        let (open, permit) = (OPEN.fetch_add(1, Ordering::Relaxed), Self);
        (open < MAX_DRAINS).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Gives what it is told to, and tells when it is dropped.
    struct Reader {
        read: fn() -> Poll<io::Result<usize>>,
        dropped: Sender<()>,
    }

    impl AsyncRead for Reader {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            (self.read)()
        }
    }

    impl Drop for Reader {
        fn drop(&mut self) {
            let _ = self.dropped.send(());
        }
    }

    #[test]
    fn neither_stalled_nor_endless_bodies_pile_up() {
        let (dropped, is_dropped) = channel();
        let body = |read| AsyncBody::from_reader(Reader { read, dropped: dropped.clone() });

        for _ in 0..MAX_DRAINS + 8 {
            drain(body(|| Poll::Pending));
            assert!(OPEN.load(Ordering::Relaxed) <= MAX_DRAINS);
        }
        for _ in 0..MAX_DRAINS + 8 {
            is_dropped.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        drain(body(|| Poll::Ready(Ok(16 * 1024))));
        is_dropped.recv_timeout(Duration::from_secs(20)).unwrap();

        drain(AsyncBody::from_reader_sized(
            Reader { read: || unreachable!("too large to be read"), dropped: dropped.clone() },
            MAX_BYTES as u64 + 1,
        ));
        is_dropped.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
