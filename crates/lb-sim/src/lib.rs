//! A deterministic simulator of priority load balancing over Azure OpenAI quotas.
//!
//! It answers, in virtual time, what teams ask before they buy: how many PTUs does this traffic take, how much spills
//! over and what does that cost, what do worker processes that know nothing of each other do to each other, what does a
//! careless `max_tokens` cost. The balancer in it is not a model: every request walks over an [`lb_core::Pool`] with an
//! [`lb_core::Dispatch`] of its own. The deployments are the limits of `lb-limits`, with latency, faults and headers.
//!
//! The command `lb-sim` runs, sweeps, plans and calibrates; [`scenario`] is the file that it reads. The same can be done
//! from a test:
//!
//! ```
//! # fn main() -> Result<(), lb_sim::scenario::ScenarioError> {
//! let scenario = lb_sim::Scenario::parse(r#"
//!     run = { duration = "10m", replications = 5 }
//!     clients = { workers = 4 }
//!     backend = [
//!         { name = "ptu", priority = 1, model = "gpt-4.1", preset = "azure-ptu", ptus = 50 },
//!         { name = "standard", priority = 2, model = "gpt-4.1", preset = "azure-standard", tpm = 1_000_000 },
//!     ]
//!     workload = [{ name = "chat", kind = "poisson", rate = 4, input = 900, output = 150, max_tokens = 600 }]
//! "#)?;
//! let report = lb_sim::run(&scenario)?;
//! // Our tiers keep 429s at the application under 0.1 % on this traffic.
//! assert!(report.application_429_share().mean() < 0.001);
//! # Ok(())
//! # }
//! ```
//!
//! Such a test needs none of the features: `default-features = false` leaves out the command (`cli`), and the results as
//! text for a terminal and as pages (`render`).
//!
//! # What it rests on
//!
//! - **Determinism.** Time is integer nanoseconds, events are ordered by (time, sequence), every random draw is keyed by
//!   what it is for ([`random`]), mathematics is `libm`'s. The same seed gives the same hash over every event on every
//!   machine and for any number of threads.
//! - **Common random numbers.** Two runs that differ in one value meet the same requests, and the same noise.
//! - **Conservation.** Offered = succeeded + given up + in flight, and Little's law as an identity of integers, are
//!   asserted in every run.
//! - **Validation.** Queues, windows and buckets are compared with closed forms: `cargo run --release -p lb-sim --example
//!   validate` prints the table.
//! - **Candour.** What Azure does not document (the depth of a PTU's bucket, whether refused requests count) is a
//!   parameter; every report lists what it assumes, and where that comes from.
//!
//! # How a request goes
//!
//! It arrives at a worker, walks over the worker's pool, and each attempt is offered to a deployment: faults, then
//! places, then the chain of limits. A refusal's headers are written as a backend writes them and read by lb-core's
//! parser. The head of an answer settles the attempt; the last token frees the place and corrects the PTU's estimate.
//! Above the balancer an SDK may retry, and a caller may lose patience. [`Simulation`] runs it, [`metrics`] has what is
//! counted.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod scenario;
mod simulation;

pub mod report;
// What reports are made of, and what they are compared by.
mod limit;
mod metric;
pub mod metrics;
mod number;
mod stats;

pub mod calibrate;
pub mod log;
pub mod plan;
#[cfg(any(feature = "cli", test))]
mod profile;
pub mod progress;
pub mod sweep;

// What a run is made of.
mod deployment;
mod engine;
mod journal;
pub mod random;
mod time;
pub mod traffic;

// What is said is apart from how it is shown: nothing above imports what follows.
#[cfg(any(feature = "cli", test))]
mod backtest;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod render;

#[cfg(test)]
mod equivalence;

pub use metric::Metric;
pub use report::Report;
pub use scenario::Scenario;
pub use simulation::{Simulation, run, simulate};

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
