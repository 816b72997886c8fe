//! What the benchmarks share: pools in given states, what the balancer is compared with, and the cases themselves.
//!
//! The cases are the same for criterion (`cargo bench -p lb-benches`), which explores, and for the ratio runner
//! (`cargo run --release -p lb-benches --bin ratios`), which gives the numbers to publish: it runs the cases that are
//! compared in turn, so that a slow moment of the machine hits all of them.

#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a benchmark that cannot be set up should stop")]
#![expect(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "not published: only its programs use it")]

pub mod state;

pub mod floor;
#[cfg(feature = "peers")]
pub mod peers;
pub mod seed;

pub mod case;
pub mod explore;
pub mod groups;
pub mod overlap;
pub mod rounds;
pub mod server;
#[cfg(feature = "stacks")]
pub mod stub;
