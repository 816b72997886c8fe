//! What the thread of a test logs.

use std::{cell::RefCell, io, sync::LazyLock};

thread_local!(static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });

/// The subscriber is global and there before the first event: `tracing` remembers of each event whether anybody was
/// interested when it first came up, on whichever thread that was.
pub(crate) fn install() {
    static INSTALLED: LazyLock<()> = LazyLock::new(|| {
        let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(|| ThisThread).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    LazyLock::force(&INSTALLED);
}

/// The lines that this thread has logged so far.
pub(crate) fn lines() -> Vec<String> {
    let log = LINES.with_borrow(Clone::clone);
    String::from_utf8(log).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
