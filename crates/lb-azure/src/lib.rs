//! A priority load balancer under the Azure SDK for Rust, over [azure_core] 1.1.

mod address;
mod call;
mod drain;
mod error;
mod fault;
mod http_client;
mod response;
mod token_source;

pub use fault::fault;
pub use http_client::BalancedHttpClient;
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BackendBuilder, BuildError, Error, Event, Exhausted, Fault, Observer, Pool, RotatingCredential,
    Served, State,
};
pub use response::{ATTEMPTS, BalancedResponse, SERVED_BY};
pub use token_source::{COGNITIVE_SERVICES_SCOPE, TokenSource, TokenSourceBuilder};
