//! The token source, on a mock clock: nothing here waits for time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod blocking;
mod expiry;
mod failing;
mod flight;
mod issuer;
mod log;
mod runtimes;
mod secrets;
