//! How loud events are.

/// The target of all `tracing` events.
#[cfg(feature = "tracing")]
pub(crate) const TARGET: &str = "lb_core";

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
}

/// Whether a `tracing` subscriber wants events of this level.
#[cfg(not(feature = "tracing"))]
pub(crate) const fn is_traced(_level: Level) -> bool {
    false
}

/// Whether a `tracing` subscriber wants events of this level.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn is_traced(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(target: TARGET, tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
    }
}
