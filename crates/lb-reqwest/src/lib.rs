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
//! | `is_timeout` otherwise | `Timeout` | the request may have been executed |
//! | `is_builder`, `is_body` | `Request` | the request's own fault |
//! | anything else | `Reset` | the request may have been executed |
//!
//! # Timeouts
//!
//! reqwest's `timeout` covers one attempt, from its start to the end of the body, so it also ends long streams. Prefer
//! `connect_timeout` (which fails over) and, on the async client, `read_timeout`. The async client has no timeout unless
//! you set one; the blocking one has 30 s.
//!
//! # Under reqwest-middleware, and as a tower service
//!
//! `BalanceMiddleware` (feature `middleware`) balances a `ClientWithMiddleware`, and `ReqwestService` (feature `tower`) is a
//! tower service of [`reqwest::Request`]s:
//!
//! ```no_run
//! # #[cfg(feature = "middleware")]
//! # fn run(pool: lb_reqwest::Pool) -> Result<(), reqwest::Error> {
//! use lb_reqwest::BalanceMiddleware;
//! use reqwest::redirect::Policy;
//! use reqwest_middleware::ClientBuilder;
//!
//! let client = reqwest::Client::builder().redirect(Policy::none()).build()?;
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
//! | `ClientBuilder::retry`, below | re-sends to the same host; by default only what the server said it did not process | leave the default |
//!
//! # Limits
//!
//! - A body that streams cannot be sent twice: such a request gets one attempt, and its real answer.
//! - A user name or password in the request's URL is never sent: backends have credentials instead.
//! - Credentials do not belong into a client's `default_headers`: reqwest adds them to every request, below the
//!   balancer, which then cannot take them off.
//! - With reqwest's feature `system-proxy`, a client uses the proxy of the environment: `no_proxy()` on the builder keeps
//!   requests to a backend on this machine off it.
//! - Discarded answers are drained in the background, so that connections are reused: up to 64 KiB, 100 ms and 32 at a
//!   time, else they are dropped. That needs the tokio runtime that reqwest needs. Over `reqwest::blocking` a stalled
//!   body is held by one of at most 8 threads until the client's own timeout.
//!
//! # Features
//!
//! - `blocking`: [`BlockingReqwestTransport`], the same over `reqwest::blocking`.
//! - `middleware`: [`BalanceMiddleware`], a middleware of reqwest-middleware 0.5. It says where reqwest-retry goes.
//! - `tower`: [`ReqwestService`], a tower service of [`reqwest::Request`]s.
//!
//! No feature enables TLS: choose one of reqwest's own, such as `reqwest = { version = "0.13", features = ["rustls"] }`.
//!
//! Minimum Rust version: 1.85.

mod address;
#[cfg(feature = "blocking")]
mod blocking;
mod fault;
mod messages;
#[cfg(feature = "middleware")]
mod middleware;
#[cfg(feature = "tower")]
mod service;
mod synthesize;
mod transport;

#[cfg(feature = "blocking")]
pub use blocking::BlockingReqwestTransport;
pub use fault::{fault, remove_query};
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BlockingLoadBalancer, BuildError, Error, Event, Exhausted, Fault, LoadBalancer, Observer, Pool,
    Served, State,
};
#[cfg(feature = "middleware")]
pub use middleware::BalanceMiddleware;
#[cfg(feature = "tower")]
pub use service::ReqwestService;
pub use transport::ReqwestTransport;
