//! A priority load balancer for Azure OpenAI and OpenAI-compatible backends, over [isahc](isahc) 2.

mod address;
mod blocking;
mod drain;
mod fault;
mod headers;
mod original;
mod response_body;
mod stream;
mod synthesize;
mod transport;

#[doc(no_inline)]
pub use isahc;
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BlockingLoadBalancer, BuildError, Error, Exhausted, Fault, LoadBalancer, Pool, Served,
};
pub use original::Original;
pub use transport::IsahcTransport;
