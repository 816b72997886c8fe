//! A priority load balancer under clients of the Azure SDK for Rust, over [azure_core] 1.1, and Entra ID tokens as the
//! credential of a backend.
//!
//! Two parts, of use together and each alone:
//!
//! - [`BalancedHttpClient`] is an [`HttpClient`](azure_core::http::HttpClient): it goes into
//!   [`ClientOptions::transport`](azure_core::http::ClientOptions::transport) of any client that is built on azure_core's
//!   pipeline;
//! - [`TokenSource`] makes a backend's bearer token of any [`TokenCredential`](azure_core::credentials::TokenCredential),
//!   such as those of azure_identity, under this client or any other transport of lb-core.
//!
//! # Use it
//!
//! What changes in a program is how its client is made:
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use azure_core::{credentials::TokenCredential, http::{ClientOptions, RetryOptions, Transport}};
//! use lb_azure::{Backend, BalancedHttpClient, Pool, TokenSource};
//!
//! # fn options(credential: Arc<dyn TokenCredential>) -> Result<ClientOptions, Box<dyn std::error::Error>> {
//! let tokens = TokenSource::new(credential); // azure_identity's ManagedIdentityCredential::new(None)?, say
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").credential_source(tokens.clone()).build()?,
//!     Backend::builder("eu.openai.azure.com").priority(2).credential_source(tokens).build()?,
//!     Backend::builder("us.openai.azure.com").priority(2).api_key(std::env::var("US_KEY")?).build()?,
//! ])?;
//! let transport = Transport::new(Arc::new(BalancedHttpClient::new(pool)));
//! let options = ClientOptions { transport: Some(transport), retry: RetryOptions::none(), ..Default::default() };
//! # Ok(options)
//! # }
//! ```
//!
//! The client's own endpoint does not matter any more: each attempt is addressed to its backend. Nor does the credential
//! that it puts on its requests, where the backends have their own. Keep the endpoint `https`: azure_core's bearer
//! policy refuses another one.
//!
//! # Retry layers
//!
//! | layer | what it does | what to do |
//! | --- | --- | --- |
//! | azure_core's retry policy, above | by default 8 retries in up to 60 s of 408, 429, 500, 502, 503, 504, and of connection and I/O errors | switch it off, or down |
//! | this balancer | asks the next backend at once, each at most once per request | - |
//! | the HTTP client, below | `reqwest` as azure_core builds it re-sends only what was surely not processed, to the same host | - |
//!
//! One layer should retry. [`RetryOptions::none()`](azure_core::http::RetryOptions::none) leaves that to the balancer,
//! and an error says when to come back. With azure_core's retries on, a request that found all backends cooling waits
//! as the synthesised answer says (the policy reads `retry-after-ms`) and tries again: right for a batch job, with a small
//! number of retries. But the policy also repeats what the balancer leaves alone because it may have been executed and
//! billed: a timeout or reset after the request went out.
//!
//! # Who served
//!
//! azure_core's response has no extensions. Who served is in the response headers [`SERVED_BY`] and [`ATTEMPTS`]; a
//! synthesised answer has neither. [`BalancedHttpClient::send`], without a pipeline, gives typed values.
//!
//! # Tokens
//!
//! See [`TokenSource`] for what a request may rely on, and [`RotatingCredential`] for replacing an identity while requests
//! run. A token that cannot be had is a fault of its backend: the request fails over, and the backend is suspect.
//!
//! # What counts as which fault
//!
//! | azure_core's error | [`Fault`] | because |
//! | --- | --- | --- |
//! | kind `Connection` | `Connect`; if caused by one that says timeout, `ConnectTimeout` | nothing was sent |
//! | caused by a reqwest error | see [`lb_reqwest`](lb_reqwest#what-counts-as-which-fault) | |
//! | caused by an I/O error | see [`Fault::of_io`] | |
//! | anything else | `Reset` | the request may have been executed |
//!
//! # Timeouts
//!
//! [`BalancedHttpClient::new`] waits 10 s for a connection, which fails over, and has azure_core's read timeout of 60 s, which
//! does not: a model that thinks for longer before its first byte needs a client of yours. With azure_core's feature `reqwest`, a
//! `reqwest::Client` is an `HttpClient`; build it without redirects and give it to
//! [`with_client_that_follows_no_redirects`](BalancedHttpClient::with_client_that_follows_no_redirects). Proxies are that
//! client's too: with reqwest's feature `system-proxy`, `no_proxy()` keeps backends on this machine off the environment's.
//!
//! # Limits
//!
//! - A 200 whose head announces a refusal in its stream is held until the first real event, so that the refusal fails over
//!   before the SDK saw a byte: for at most two seconds, and no other stream is
//!   ([`PoolBuilder::peek`](lb_core::PoolBuilder::peek)).
//! - On paths without a deployment (`/openai/v1/..`) a backend's [name for the model](lb_core::Backend#model) goes into JSON
//!   bodies with the feature `json`, and into those that are bytes. Streams go out with the caller's, which
//!   `Event::Unmapped` tells; without the feature all bodies do.
//! - azure_core keeps one value per header name, as text: of repeated lines of an answer the last one counts, and one
//!   that is not ASCII is not seen.
//! - A body that is a stream is rewound for each attempt, by its `reset`; one that cannot be gets one attempt, and its real
//!   answer.
//! - Of errors, only those of reqwest lose the query of their URL. azure_core's logs are its own; it redacts
//!   credentials there.
//! - Discarded answers are drained in the background, so that connections are reused: up to 64 KiB, 100 ms and 32 at a
//!   time, else they are dropped, as they are outside of a tokio runtime and for bodies that are streams.
//! - Other services than inference keep state: the resources of one endpoint are not on another. Give this transport to
//!   clients of model endpoints only.
//!
//! # Features
//!
//! - `json`: a backend's name for the model in JSON bodies, for Azure's `/openai/v1`.
//! - `reqwest` (default): `BalancedHttpClient::new`, and the last word on reqwest's errors. It enables no TLS; azure_core's
//!   default features do (`reqwest_rustls`).
//!
//! The crate needs Rust 1.88, as azure_core does. Tokens and drains run on tokio; a source of tokens also on [another
//! runtime](TokenSourceBuilder::runtime).
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod error;
mod fault;
mod http_client;
mod model;
mod response;
mod token_source;
mod transport;

pub use fault::fault;
pub use http_client::BalancedHttpClient;
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BackendBuilder, BuildError, Credential, Error, Event, Exhausted, Fault, NoPool, Observer, Pool,
    PoolBuilder, PoolOptions, Pools, PoolsByModel, ReplaceablePool, Replaced, RotatingCredential, Served, ServedBy,
    State, Wait, WishError, Wishes,
};
pub use response::{ATTEMPTS, BalancedResponse, SERVED_BY};
pub use token_source::{COGNITIVE_SERVICES_SCOPE, TokenSource, TokenSourceBuilder};

/// The example of README, compiled and run.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
