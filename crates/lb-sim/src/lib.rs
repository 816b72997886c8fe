//! A deterministic simulator of priority load balancing over Azure OpenAI quotas.

pub mod draw;
pub mod metrics;
pub mod scenario;
pub mod traffic;

pub use scenario::Scenario;
