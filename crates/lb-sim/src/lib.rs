//! A deterministic simulator of priority load balancing over Azure OpenAI quotas.

pub mod draw;
pub mod engine;
pub mod journal;
pub mod metrics;
pub mod plan;
pub mod progress;
pub mod report;
pub mod scenario;
pub mod sdk;
pub mod server;
pub mod sweep;
pub mod traffic;

pub use engine::{Simulation, simulate};
pub use report::Report;
pub use scenario::Scenario;
