//! What a sick backend costs, and whom: over real sockets, on each HTTP stack.
//!
//! The servers are on 127.0.0.1 and misbehave as told; the pools' time is a mock clock's, so that a probe comes due
//! when a test says so. Timeouts of clients are the only time that passes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![expect(unreachable_pub, reason = "a test binary exports nothing: `pub` says that other modules use it")]

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// What the servers and the async clients run on.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

mod answer;
mod bodies;
mod certificates;
mod dropped;
mod framing;
mod heads;
mod http1;
mod http2;
mod kinds;
mod pool;
mod reply;
mod scene;
mod server;
mod short;
mod sick;
mod stack;
mod stacks;
mod streams;
mod tls;
mod unreachable;
