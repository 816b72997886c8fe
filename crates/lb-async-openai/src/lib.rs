//! A priority load balancer under [async-openai]'s client.
//!
//! What changes in an application is how the client is made. Every call of the SDK stays as it is: chats, streams,
//! embeddings, and uploads, which fail over too.
//!
//! ```no_run
//! use async_openai::{Client, config::AzureConfig};
//! use lb_async_openai::{Backend, BalancedService, Pool, ReqwestTransport};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").deployment("gpt-4.1-ptu").api_key(std::env::var("PTU_KEY")?).build()?,
//!     Backend::builder("eu.openai.azure.com").priority(2).api_key(std::env::var("EU_KEY")?).build()?,
//! ])?;
//! let service = BalancedService::new(pool, ReqwestTransport::new()?);
//!
//! // The host does not matter: each attempt goes to its backend's, with that backend's key.
//! let config = AzureConfig::new().with_api_base("https://any.host").with_deployment_id("gpt-4.1");
//! let client = Client::with_config(config.with_api_version("2024-10-21")).with_http_service(service);
//! # Ok(())
//! # }
//! ```
//!
//! It needs async-openai's feature `middleware`, which this crate enables. `with_http_client` puts the SDK's own
//! transport back: call it before `with_http_service`, or not at all. The client that sends is the one in
//! [`ReqwestTransport`].
//!
//! # Which configuration
//!
//! The SDK's configuration decides the path, and the backend the rest:
//!
//! | your backends | the SDK's configuration | the backend |
//! | --- | --- | --- |
//! | Azure OpenAI, a deployment each | `AzureConfig`, with any deployment id and an API version | `deployment(..)` replaces the id in the path |
//! | Azure OpenAI, `/openai/v1` | `OpenAIConfig` with the base `https://any.host/openai/v1` | the request's `model` names the deployment; `model(..)` and `model_for(..)` replace it, with the feature `json` |
//! | OpenAI, and services like it | `OpenAIConfig` with the base `https://any.host/v1` | a path prefix in the endpoint if it has one |
//!
//! A request in Azure's form goes to Azure only, and one in OpenAI's form also to Azure's `/openai/v1` if that is the
//! backend's path prefix and the base is the bare host: `with_api_base("https://any.host")` and endpoints such as
//! `https://eu.openai.azure.com/openai/v1` and `https://api.openai.com/v1`.
//!
//! The configuration's key goes to backends without a credential only. If all have their own, it is never sent.
//!
//! # Retry layers
//!
//! A client without a service of its own retries three times, on 429, 5xx and connect faults. `with_http_service`
//! replaces that, so the balancer is the only layer: it asks every backend once, and does not wait. Below it is
//! reqwest, which does not retry under a [`ReqwestTransport`]. Either leave it at that, or put the SDK's
//! retry layer *around* the balancer, for callers who would rather wait than see a refusal. It honours the `Retry-After` of
//! the synthesised answer, the soonest of the whole pool.
//!
//! ```
//! use async_openai::{Client, config::OpenAIConfig, middleware::retry::OpenAIRetryLayer};
//! use lb_async_openai::BalancedService;
//! use tower::ServiceBuilder;
//!
//! /// The balancer alone: when no backend is left, the call fails at once.
//! fn impatient(balanced: BalancedService) -> Client<OpenAIConfig> {
//!     Client::new().with_http_service(balanced)
//! }
//!
//! /// When no backend is left, the call waits until one is back, at most twice.
//! fn patient(balanced: BalancedService) -> Client<OpenAIConfig> {
//!     let service = ServiceBuilder::new().layer(OpenAIRetryLayer::new(2)).service(balanced);
//!     Client::new().with_http_service(service)
//! }
//! # let _ = (impatient, patient);
//! ```
//!
//! Never put it below the balancer: it would wait at a backend that refuses while another is free.
//!
//! When no backend is left and nobody waits, the call fails with status 429, or with 503 where nobody is throttled, and says
//! why and when to come back. The SDK keeps the body's `code` of a 4xx and drops it of a 5xx, so the message tells:
//!
//! ```
//! use async_openai::error::OpenAIError;
//!
//! fn is_exhausted(error: &OpenAIError) -> bool {
//!     match error {
//!         // `no backend available for 7 s: cooling after status 429 (ptu, standard)`
//!         OpenAIError::ApiError(answer) => answer.api_error.message.starts_with("no backend available"),
//!         _ => false,
//!     }
//! }
//! # let _ = is_exhausted;
//! ```
//!
//! # Timeouts and proxies
//!
//! | of the SDK | with this service |
//! | --- | --- |
//! | retries | none; see above |
//! | timeouts, of the client in `with_http_client` | those of the [`ReqwestTransport`]: 10 s for a connection, and see [`lb_reqwest`]. A tower timeout around the service bounds a whole call up to the response's head, failovers included |
//! | proxies | those of the [`ReqwestTransport`]'s client: build it with `from_builder`; `no_proxy()` keeps backends on this machine off the environment's |
//!
//! # Limits
//!
//! - A 200 whose head announces a refusal in its stream is held until the first real event, so that the refusal fails over
//!   before the SDK saw a byte: for at most two seconds, and no other stream is
//!   ([`PoolBuilder::peek`](lb_reqwest::lb_core::PoolBuilder::peek)).
//! - The SDK returns bodies, not responses: which backend served is told by [`Observer`], by `tracing` events and by
//!   `pool.snapshot()`.
//! - What is stored at a resource exists there only: files, batches, stored responses, conversations. [Pin](lb_core::Wishes::pin_resource)
//!   what uses an id to who made it, by [`with`](BalancedService::with); [`ServedBy`] tells who made it.
//! - An upload has the model in a part of its form, where no backend's name is put: deployments for audio and image edits
//!   need the same name on every resource. `Event::Unmapped` tells of each.
//! - A file given by its path is read anew for each attempt.
//! - WebSockets (the realtime API) do not go through the client's HTTP service.
//! - The runtime is tokio, which reqwest needs.
//!
//! # Features and versions
//!
//! `json` puts a backend's [name for the model](lb_core::Backend#model) into JSON bodies; without it all of `/openai/v1`
//! needs the same names on every resource. No feature enables TLS: take async-openai's `rustls` (on by default) or `native-tls`, or one
//! of reqwest's. It goes with async-openai 0.43, whose minor versions come about monthly. The minimum supported Rust
//! version is 1.85.
//!
//! [async-openai]: async_openai
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt_error;
mod service;
mod transport;

pub use attempt_error::AttemptError;
#[doc(no_inline)]
pub use lb_reqwest::{
    Backend, BackendBuilder, BuildError, Credential, Error, Event, Exhausted, Fault, LoadBalancer, NoPool, Observer,
    Pool, PoolBuilder, PoolOptions, Pools, PoolsByModel, ReplaceablePool, Replaced, ReqwestTransport,
    RotatingCredential, Served, ServedBy, State, Wait, WishError, Wishes, lb_core,
};
pub use service::BalancedService;
pub use transport::FactoryTransport;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
