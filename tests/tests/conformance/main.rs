//! The conformance suite: what every transport must do, run once per HTTP stack and protocol.
//!
//! `failover`, `wire`, `wishes`, `models` and `apart` run on all stacks, the scripted one included; `protocol`, `deployments`, `waits`,
//! `faults`, `streaming`, `peeking` and `reuse` on those that have sockets, `cancel` on the async ones, and `streams` over
//! HTTP/2. Servers are
//! emulators on 127.0.0.1; the pools' time is a mock clock's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![expect(unreachable_pub, reason = "a test binary exports nothing: `pub` says that other modules use it")]

/// One `#[test]` per scenario of a module, for one stack over one protocol.
macro_rules! tests_for {
    ($stack:ty, $protocol:expr, $module:ident, [$($name:ident),+ $(,)?]) => {
        $(
            #[test]
            fn $name() {
                $crate::$module::$name::<$stack>($protocol);
            }
        )+
    };
}

/// A module per protocol, with the tests of these modules for one stack over one protocol.
macro_rules! tests_over {
    ($stack:ident, $modules:tt) => {
        mod http1 {
            tests_of!(super::$stack, $crate::protocol::Protocol::Http1, $modules);
            // Time passes alike over all of them.
            tests_of!(super::$stack, $crate::protocol::Protocol::Http1, [waits]);
        }
        mod http2 {
            tests_of!(super::$stack, $crate::protocol::Protocol::Http2, $modules);
            tests_of!(super::$stack, $crate::protocol::Protocol::Http2, [streams]);
        }
        mod tls {
            tests_of!(super::$stack, $crate::protocol::Protocol::Tls, $modules);
            tests_of!(super::$stack, $crate::protocol::Protocol::Tls, [streams]);
        }
    };
}

macro_rules! tests_of {
    ($stack:ty, $protocol:expr, [$($module:ident),+]) => {
        $(
            $crate::$module::$module!($stack, $protocol);
        )+
    };
}

mod apart;
mod cancel;
mod deployments;
mod failover;
mod faults;
mod models;
mod peeking;
mod protocol;
mod reuse;
mod stack;
mod streaming;
mod streams;
mod upstream;
mod waits;
mod wire;
mod wishes;

mod async_openai;
mod azure;
mod isahc;
mod isahc_blocking;
mod reqwest;
mod reqwest_blocking;
mod reqwest_middleware;
mod reqwest_tower;
mod rig;
mod scripted;
mod tower;
mod tower_layer;
