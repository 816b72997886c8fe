//! The quickstart, as a library: the examples beside it use parts of it.
//!
//! In reading order:
//!
//! 1. a [`Config`] is what a file says: a pool, and the [`Prompt`] to send;
//! 2. a [`Stage`] is several deployments, emulated or configured;
//! 3. an [`Approach`] sends the same requests in one way: without a balancer, or over one HTTP stack;
//! 4. [`Decisions`] prints what the pool decides, as it happens;
//! 5. a [`RequestLog`] writes a line per attempt, for `lb-sim` to read;
//! 6. a [`Report`] counts what came of it;
//! 7. a [`Quickstart`] runs all of that;
//! 8. a [`Watcher`] wants to know every pool, such as metrics that are scraped meanwhile;
//! 9. [`examine`] asks each deployment alone, and says what is wrong with it.
//!
//! What takes a C compiler is behind a [`Feature`].

#![expect(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "not published: only the examples use it")]

mod answer;
mod approach;
mod config;
mod decisions;
mod doctor;
mod events;
mod feature;
mod log;
#[cfg(any(feature = "metrics", feature = "otel"))]
mod metrics;
mod prompt;
mod quickstart;
mod report;
mod stage;
mod watcher;
mod workload;

pub use answer::Answer;
pub use approach::Approach;
pub use config::Config;
pub use decisions::Decisions;
pub use doctor::{Finding, examine};
pub use events::Events;
pub use feature::Feature;
pub use log::{RequestLog, Usage};
#[cfg(any(feature = "metrics", feature = "otel"))]
pub use metrics::Exposition;
pub use prompt::Prompt;
pub use quickstart::Quickstart;
pub use report::{Report, Row, Share};
pub use stage::{Setup, Stage};
pub use watcher::{Watcher, Watching};
pub use workload::Workload;

/// Any error, as the examples hand it to `main`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
