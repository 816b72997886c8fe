use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What holds for all connections of an emulator, until it is switched again.
#[derive(Debug)]
pub(crate) struct Switches {
    closing: AtomicBool,
    silent: AtomicBool,
    streams: AtomicUsize,
}

impl Default for Switches {
    fn default() -> Self {
        let (closing, silent) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { closing, silent, streams: AtomicUsize::new(usize::MAX) }
    }
}

impl Switches {
    /// Whether the emulator is closing all connections.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_closing(&self, closing: bool) {
        self.closing.store(closing, Ordering::Relaxed);
    }

    /// Whether nothing may be sent.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// How many streams of a connection are served at a time.
    #[cfg(feature = "http2")]
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(crate) fn set_streams(&self, streams: usize) {
        self.streams.store(streams, Ordering::Relaxed);
    }
}
