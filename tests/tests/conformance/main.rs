//! The conformance suite: what every transport must do, run once per HTTP stack.
//!
//! `failover` and `wire` run on all stacks, the scripted one included; `faults`, `streaming` and `reuse` on those that
//! have sockets, and `cancel` on the async ones. Servers are emulators on 127.0.0.1; the pools' time is a mock clock's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![expect(unreachable_pub, reason = "a test binary exports nothing: `pub` says that other modules use it")]

/// One `#[test]` per scenario of a module, for one stack.
macro_rules! tests_for {
    ($stack:ty, $module:ident, [$($name:ident),+ $(,)?]) => {
        $(
            #[test]
            fn $name() {
                $crate::$module::$name::<$stack>();
            }
        )+
    };
}

mod cancel;
mod failover;
mod faults;
mod reuse;
mod stack;
mod streaming;
mod upstream;
mod wire;

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
