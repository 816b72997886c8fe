//! A deterministic simulator of priority load balancing over Azure OpenAI quotas.

pub mod draw;
pub mod metrics;
pub mod report;
pub mod scenario;
pub mod traffic;

pub use report::Report;
pub use scenario::Scenario;
