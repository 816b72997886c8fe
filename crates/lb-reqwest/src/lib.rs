//! A priority load balancer for Azure OpenAI and OpenAI-compatible backends, over [reqwest] 0.13.
//!
//! A [`reqwest::Request`] goes in and a [`reqwest::Response`] comes out, with its URL, its extensions and its body as
//! a stream. What changes in an application: build the request as before, and give it to the balancer instead of the
//! client.
//!
//! ```no_run
//! use lb_reqwest::{Backend, LoadBalancer, Pool, ReqwestTransport};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").api_key(std::env::var("PTU_KEY")?).build()?,
//!     Backend::builder("standard.openai.azure.com").priority(2).api_key(std::env::var("STANDARD_KEY")?).build()?,
//! ])?;
//! let balancer = LoadBalancer::new(pool, ReqwestTransport::new()?);
//!
//! // The origin in the URL does not matter: each attempt goes to its backend's.
//! let url = "https://any.host/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
//! let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
//! let request = balancer.transport().client().post(url).header("content-type", "application/json").body(body);
//!
//! let response = balancer.send(request.build()?).await?;
//! println!("{} {}", response.status(), response.text().await?);
//! # Ok(())
//! # }
//! ```
//!
//! Which backend served is in the response's extensions as [`Served`]; a synthesised refusal has an [`Exhausted`] there:
//!
//! ```
//! use lb_reqwest::{Exhausted, Served};
//!
//! fn explain(response: &reqwest::Response) -> String {
//!     if let Some(served) = response.extensions().get::<Served>() {
//!         return format!("served by {served}");
//!     }
//!     match response.extensions().get::<Exhausted>() {
//!         Some(exhausted) => exhausted.to_string(),
//!         None => "not from a balancer".to_owned(),
//!     }
//! }
//! ```
//!
//! # What counts as which fault
//!
//! | reqwest's error | [`Fault`] | because |
//! | --- | --- | --- |
//! | `is_connect`, `is_dns` | `Connect`; if `is_timeout` too, `ConnectTimeout` | nothing was sent |
//! | HTTP/2 refused the stream, or its `GOAWAY` left it out; the connection closed before the request was written | `Unprocessed` | RFC 9113, 8.7: it was not processed |
//! | the request's own body failed; `is_builder`, `is_body` | `Request` | no backend is to blame |
//! | `is_timeout` otherwise | `Timeout` | the request may have been executed |
//! | anything else | `Reset` | the request may have been executed |
//!
//! On the async client a body tells how much of it was sent, which reqwest's errors do not: a timeout before any of it is a
//! `ConnectTimeout`, and one, or a reset, before all of it is `Unprocessed`. Under reqwest-middleware, and on the blocking
//! client, the table is all there is.
//!
//! # Timeouts
//!
//! | timeout | of reqwest | by [`ReqwestTransport::new`] | when it ends |
//! | --- | --- | --- | --- |
//! | `connect_timeout` | none | 10 s | the request goes to the next backend |
//! | `timeout`: an attempt, from its start to the end of the body, long streams too | none; blocking 30 s | the same | `Timeout`: not sent again unless you [ask for it](lb_core::PoolBuilder::fail_over_after_send) |
//! | `read_timeout`: silence (async) | none | none | as `timeout` |
//! | `http2_keep_alive_interval`, `_timeout` | none | 30 s, 10 s | as `timeout`, for all requests on the connection |
//! | `pool_idle_timeout`: how long a connection is kept | 90 s | 90 s | - |
//!
//! With a builder of yours set `connect_timeout`, below `timeout`. Keep `pool_idle_timeout` below that of the server: a
//! request that goes out while the server closes the connection may have been executed, so it is returned as a `Reset`, and
//! is a strike, which the next success takes back. Azure keeps connections for about four minutes
//! ([Azure Load Balancer](https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset)).
//!
//! # Bodies
//!
//! | body | it fails over |
//! | --- | --- |
//! | bytes, text, JSON | yes |
//! | a stream that is all there, such as a `multipart::Form` of parts in memory | yes: it is [read once](ReqwestTransport::buffer_up_to), up to 32 MiB |
//! | a form on the blocking client | with [`buffer_forms`](BlockingReqwestTransport::buffer_forms) |
//! | any other stream or reader, such as a file | no: it is sent once, and the answer returned whatever it is; [`Event::NotRepeated`] tells |
//!
//! # Refusals inside streams
//!
//! A 200 whose head announces a refusal in its stream is held until the first real event: a refusal fails over before you saw a
//! byte, anything else is yours from its first byte on ([`PoolBuilder::peek`](lb_core::PoolBuilder::peek)). The response is
//! made anew around its body: URL, version, headers and extensions stay, and an error of the body is wrapped in one more. The
//! blocking client cannot read beside a timer: it hands such streams on as they come.
//!
//! # Under reqwest-middleware, and as a tower service
//!
//! `BalanceMiddleware` (feature `middleware`) balances a `ClientWithMiddleware`, and `ReqwestService` (feature `tower`) is a
//! tower service of [`reqwest::Request`]s:
//!
//! ```no_run
//! # #[cfg(feature = "middleware")]
//! # fn run(pool: lb_reqwest::Pool) -> Result<(), reqwest::Error> {
//! use lb_reqwest::{BalanceMiddleware, CONNECT_TIMEOUT};
//! use reqwest::redirect::Policy;
//! use reqwest_middleware::ClientBuilder;
//!
//! let client = reqwest::Client::builder().redirect(Policy::none()).connect_timeout(CONNECT_TIMEOUT).build()?;
//! let client = ClientBuilder::new(client).with(BalanceMiddleware::new(pool)).build();
//! # Ok(())
//! # }
//! ```
//!
//! # Retry layers
//!
//! | layer | what it does | what to do |
//! | --- | --- | --- |
//! | reqwest-retry, above | retries 429 and 5xx by its own backoff, without reading `Retry-After` | leave it out, or add it before the balancer, never after |
//! | tower's `retry`, above | what its policy says | honour the refusal's `Retry-After`, or leave it out |
//! | this balancer | asks the next backend at once, each at most once per request | - |
//! | `ClientBuilder::retry`, below | re-sends to the same host; by default only what the server said it did not process | nothing: the transports of this crate switch it off, so that another backend is asked first |
//!
//! # Limits
//!
//! - What is stored at a resource exists there only: files, batches, stored responses, conversations. [Pin](lb_core::Wishes::pin_resource)
//!   what uses an id to who made it, by `send_with`.
//! - On paths without a deployment (`/openai/v1/..`) a backend's name for the model goes into JSON bodies with the feature
//!   `json`, and into those that are in memory. Streams and multipart forms go out with the caller's, which
//!   `Event::Unmapped` tells; without the feature all bodies do.
//! - A user name or password in the request's URL is never sent: backends have credentials instead.
//! - Credentials do not belong into a client's `default_headers`, nor has it a cookie store: reqwest adds both to every
//!   request, below the balancer, which then cannot take them off.
//! - With reqwest's feature `system-proxy`, a client uses the proxy of the environment: `no_proxy()` on the builder keeps
//!   requests to a backend on this machine off it.
//! - Discarded answers are drained in the background, so that connections are reused: up to 64 KiB, 100 ms and 32 at a
//!   time, else they are dropped. That needs the tokio runtime that reqwest needs. Over `reqwest::blocking` a stalled
//!   body is held by one of at most 8 threads until the client's own timeout.
//!
//! # Features
//!
//! - `http2` (default): HTTP/2 where the server speaks it, and what it says of a stream that failed. If another crate of
//!   yours enables reqwest's `http2`, leave this on: else refused streams are resets.
//! - `json`: a backend's [name for the model](lb_core::Backend#model) in JSON bodies, for Azure's `/openai/v1`.
//! - `blocking`: [`BlockingReqwestTransport`], the same over `reqwest::blocking`.
//! - `middleware`: [`BalanceMiddleware`], a middleware of reqwest-middleware 0.5. It says where reqwest-retry goes.
//! - `tower`: [`ReqwestService`], a tower service of [`reqwest::Request`]s.
//!
//! No feature enables TLS: choose one of reqwest's own, such as `reqwest = { version = "0.13", features = ["rustls"] }`.
//!
//! Minimum Rust version: 1.85.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
#[cfg(feature = "blocking")]
mod blocking;
mod buffer;
mod fault;
mod messages;
#[cfg(feature = "middleware")]
mod middleware;
mod model;
mod peek;
#[cfg(feature = "tower")]
mod service;
mod synthesize;
mod transport;
mod upload;

#[cfg(feature = "blocking")]
pub use blocking::BlockingReqwestTransport;
pub use fault::{fault, remove_query};
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BackendBuilder, BlockingLoadBalancer, BuildError, CONNECT_TIMEOUT, Credential, Error, Event,
    Exhausted, Fault, LoadBalancer, NoPool, Observer, Pool, PoolBuilder, PoolOptions, Pools, PoolsByModel,
    ReplaceablePool, Replaced, RotatingCredential, Served, ServedBy, State, Wait, WishError, Wishes,
};
#[cfg(feature = "middleware")]
pub use middleware::BalanceMiddleware;
#[cfg(feature = "tower")]
pub use service::ReqwestService;
pub use transport::ReqwestTransport;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
