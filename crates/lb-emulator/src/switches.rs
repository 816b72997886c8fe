use std::sync::atomic::{AtomicBool, Ordering};

/// What holds for all connections of an emulator, until it is switched again.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    closing: AtomicBool,
    silent: AtomicBool,
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
}
