//! Programs over SDKs, unchanged but for how their client is made.
//!
//! Each is a function that takes the SDK's client. It runs with the plain client at one healthy deployment, and with a
//! balanced client over three, of which the first throttles and the second refuses connections. It must not see the
//! difference.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![expect(unreachable_pub, reason = "a test binary exports nothing: `pub` says that other modules use it")]

mod deployments;
mod operating;

mod async_openai;
mod azure_core;
mod rig;
