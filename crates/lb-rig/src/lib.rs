//! A priority load balancer as the HTTP client of [rig].
//!
//! What changes in an application is how the provider is connected. Models, agents and tools stay as they are, streams
//! and transcriptions included.
//!
//! ```no_run
//! use lb_rig::{Backend, BalancedClient, Pool, ReqwestTransport};
//! use rig_core::{completion::CompletionRequest, providers::openai::{OpenAIConfig, wire::AZURE}};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").deployment("gpt-4.1-ptu").api_key(std::env::var("PTU_KEY")?).build()?,
//!     Backend::builder("eu.openai.azure.com").priority(2).api_key(std::env::var("EU_KEY")?).build()?,
//! ])?;
//! let http = BalancedClient::new(pool, ReqwestTransport::new()?);
//!
//! // The host does not matter: each attempt goes to its backend's, with that backend's key.
//! let config = OpenAIConfig::with_key(&AZURE, "").with_base_url("https://any.host");
//! let model = config.connect(http).chat("gpt-4.1");
//! println!("{}", model.call(CompletionRequest::new("Hello")).await?.text());
//! # Ok(())
//! # }
//! ```
//!
//! The crate depends on `rig-http` only, the contract between rig and its HTTP clients; any of rig's providers takes
//! its client, with `connect(..)` or `with_http(..)`.
//!
//! # Which configuration
//!
//! rig's configuration decides the path and the body, and the backend the rest:
//!
//! | your backends | rig's configuration | the backend |
//! | --- | --- | --- |
//! | Azure OpenAI, a deployment each | `OpenAIConfig::with_key(&AZURE, ..)` with the base `https://any.host` | `deployment(..)` replaces the model's name in the path |
//! | Azure OpenAI, `/openai/v1` | `OpenAIConfig::new(..)` with the base `https://any.host/openai/v1` | the request's `model` names the deployment; `model(..)` and `model_for(..)` replace it, with the feature `json` |
//! | OpenAI, and services like it | `OpenAIConfig::new(..)` with the base `https://any.host/v1` | a path prefix in the endpoint if it has one |
//!
//! The configuration's key goes to backends without a credential only. If all have their own, it is never sent. With
//! `OpenAIConfig::new`, `completion(..)` asks for `/responses`, and `chat(..)` for `/chat/completions`.
//!
//! # Answers and errors
//!
//! A success is rig's response with a lazy body, or with a stream whose chunks pass through as they come; [`Served`] is
//! in its extensions. Anything else is rig's error with status, headers and body, which `rig-core` shows as a
//! `ProviderResponse`. When no backend is left that is the synthesised 429 or 503, whose headers and message say when to come
//! back:
//!
//! ```
//! use std::time::Duration;
//! use rig_core::error::ProviderError;
//!
//! /// How long to wait before the next try; `None` if that would not help.
//! fn retry_after(error: &ProviderError) -> Option<Duration> {
//!     let ProviderError::ProviderResponse(answer) = error else { return None };
//!     let millis = answer.headers.as_ref()?.get("retry-after-ms")?.to_str().ok()?.parse().ok()?;
//!     Some(Duration::from_millis(millis))
//! }
//! # let _ = retry_after;
//! ```
//!
//! # Retry layers
//!
//! `rig-core` sends each request once; its errors say whether a retry may help, and the retrying is yours. So is any
//! waiting: the balancer asks every backend once, and does not wait. Below it is reqwest, which does not retry under a
//! [`ReqwestTransport`] that this crate's page shows. rig's `HttpMiddleware` goes around the balancer (`DynHttpClient::new(http)
//! .with_middleware(..)`), and sees each request once, with the caller's host and headers.
//!
//! # Retries, timeouts and proxies
//!
//! | of rig | with this client |
//! | --- | --- |
//! | retries | none in `rig-core`; yours go around the call, and wait for the refusal's `retry-after-ms` |
//! | timeouts | none per request; those of the [`ReqwestTransport`]: 10 s for a connection, and see [`lb_reqwest`] |
//! | proxies | those of the [`ReqwestTransport`]'s client: build it with `from_builder`; `no_proxy()` keeps backends on this machine off the environment's |
//!
//! # Limits
//!
//! - A 200 whose head announces a refusal in its stream is held until the first real event, so that the refusal fails over
//!   before the SDK saw a byte: for at most two seconds, and no other stream is
//!   ([`PoolBuilder::peek`](lb_reqwest::lb_core::PoolBuilder::peek)).
//! - An error has no extensions: which backend refused is told by [`Observer`], by `tracing` events and by
//!   `pool.snapshot()`. Its body is text: bytes that are not UTF-8 are replaced.
//! - A multipart form is sent from one buffer, so that it can be sent again. Quotes and line breaks in the names of
//!   parts and files are percent-encoded, as browsers do.
//! - What is stored at a resource exists there only: files, batches, stored responses, conversations. [Pin](lb_core::Wishes::pin_resource)
//!   what uses an id to who made it, by [`with`](BalancedClient::with); [`ServedBy`] tells who made it.
//! - A multipart form has the model in a part, where no backend's name is put: deployments for audio need the same name on
//!   every resource. `Event::Unmapped` tells of each.
//! - The runtime is tokio, which reqwest needs. rig's own client starts one if there is none; this one does not.
//! - WebSocket sessions are another contract, `WebSocketClientExt`.
//!
//! # Features and versions
//!
//! `json` puts a backend's [name for the model](lb_core::Backend#model) into JSON bodies; without it all of `/openai/v1`
//! needs the same names on every resource. No feature enables TLS: take one of reqwest's, such as
//! `reqwest = { version = "0.13", features = ["rustls"] }`. It goes with `rig-http` 0.44 to 0.46, whose contract is the
//! same. The minimum supported Rust version is rig's: 1.95 with `rig-http` 0.44, 1.97.1 with the later ones.
//!
//! [rig]: rig_http
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod multipart;

pub use client::BalancedClient;
#[doc(no_inline)]
pub use lb_reqwest::{
    Backend, BackendBuilder, BuildError, Credential, Error, Event, Exhausted, Fault, LoadBalancer, NoPool, Observer,
    Pool, PoolBuilder, PoolOptions, Pools, PoolsByModel, ReplaceablePool, Replaced, ReqwestTransport,
    RotatingCredential, Served, ServedBy, State, Wait, WishError, Wishes, lb_core,
};

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
