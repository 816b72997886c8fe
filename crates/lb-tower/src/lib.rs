//! A priority load balancer for Azure OpenAI and OpenAI-compatible backends, as a [tower] layer over any HTTP client
//! that is a [`Service`](tower_service::Service).
//!
//! A layer is all that changes: [`BalanceLayer`] goes around the client, and every request to the service that it makes
//! is balanced. Here over hyper-util's client:
//!
//! ```no_run
//! use bytes::Bytes;
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use lb_tower::{Backend, BalanceLayer, CONNECT_TIMEOUT, Pool};
//! use tower::{ServiceBuilder, ServiceExt, timeout::Timeout, util::BoxCloneSyncService};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").api_key(std::env::var("PTU_KEY")?).build()?,
//!     Backend::builder("standard.openai.azure.com").priority(2).api_key(std::env::var("STANDARD_KEY")?).build()?,
//! ])?;
//! # let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
//! // Else each request over HTTP/2 waits, often 40 ms, for an acknowledgement between its head and its body.
//! connector.set_nodelay(true);
//! // With a TLS connector of your choice, such as hyper-rustls's. A backend that is not there fails over after 10 s, whether
//! // TCP or TLS is what hangs.
//! let connector = BoxCloneSyncService::new(Timeout::new(connector, CONNECT_TIMEOUT));
//! let client = Client::builder(TokioExecutor::new()).build(connector);
//! let service = ServiceBuilder::new().layer(BalanceLayer::new(pool)).service(client);
//!
//! // The origin in the URL does not matter: each attempt goes to its backend's.
//! let url = "https://any.host/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
//! let body = Full::new(Bytes::from(r#"{"messages":[{"role":"user","content":"Hello"}]}"#));
//! let request = http::Request::post(url).header("content-type", "application/json").body(body)?;
//!
//! let response = service.oneshot(request).await?;
//! println!("{} {:?}", response.status(), response.into_body().collect().await?.to_bytes());
//! # Ok(())
//! # }
//! ```
//!
//! Those who would rather call a balancer than a service, and have exhaustion as a typed value, put the client into a
//! [`TowerTransport`] and that into a [`LoadBalancer`].
//!
//! Which backend served is in the response's extensions as [`Served`]; a synthesised refusal has an [`Exhausted`] there.
//!
//! # Where it goes among other layers
//!
//! | layer | place | because |
//! | --- | --- | --- |
//! | tower's `Timeout` | inside: one attempt; outside: all of them | its error inside counts as `Timeout`: returned, since the request may have been executed |
//! | tower-http's `TimeoutLayer` | inside with a 4xx such as 408 | it makes a *response*: one with a 5xx such as 504 fails over like a backend's own, and the request may be executed twice |
//! | tower-http's `TraceLayer` | either | inside it sees each attempt, with its backend's URL; outside the request as a whole |
//! | tower-http's `DecompressionLayer` | outside | refused answers need no decompression |
//! | tower-http's `FollowRedirectLayer` | nowhere | it takes a backend's key to another host; a redirect is the caller's to see |
//! | tower's `Retry` | outside, and patient | the balancer has asked every backend: honour the refusal's `Retry-After`, or do not retry |
//! | tower's `ConcurrencyLimit`, `Buffer` | either | inside an attempt waits for its turn, below |
//! | tower's `LoadShed` | outside | inside, its refusal is returned as an error: it says nothing about a backend |
//! | layers that set credentials | nowhere | backends have their own |
//!
//! tower-http's `TimeoutLayer` needs a response body that is `Default`, which hyper's `Incoming` is not: put
//! `.map_response(|response| response.map(BodyExt::boxed))` below it.
//!
//! **Readiness.** The service that [`BalanceLayer`] makes is always ready. Each attempt clones the service underneath, and
//! drives that clone to readiness before it calls it: a clone is not ready because the original was. So limits below the
//! balancer hold for attempts, not for requests.
//!
//! # Bodies
//!
//! A request can fail over if its body can be sent again. [`BalanceLayer::new`] takes any body that is `Clone`, such as
//! `Full<Bytes>`: copies share the bytes. [`one_attempt`](BalanceLayer::one_attempt) takes any other body: each request
//! is routed to the best backend, sent once, and its answer returned whatever it is. Where the body decides,
//! [`replay_with`](BalanceLayer::replay_with) takes a function that copies what can be copied.
//!
//! A response's body is the service's own, as a stream, inside a [`ResponseBody`], which can also be the synthesised answer.
//!
//! Of a stream whose head announces a refusal the beginning is read, and held until its first real event: a refusal fails over
//! before you saw a byte, anything else is yours from its first byte on
//! ([`PoolBuilder::peek`](lb_core::PoolBuilder::peek)). Layers below the balancer see the stream as it is.
//!
//! # What a request wishes
//!
//! [`Wishes`] are an extension of the request: `request.extensions_mut().insert(Wishes::new().within(..))`. Waits sleep by
//! tokio's timer; without a runtime a thread sleeps, one for each request that waits.
//!
//! # What counts as which fault
//!
//! The error and its causes are looked through, outermost first ([`fault`]):
//!
//! | error | [`Fault`] | because |
//! | --- | --- | --- |
//! | hyper-util's client: `is_connect` (DNS, TCP and TLS) | `Connect`; if a cause is a `Timeout`, `ConnectTimeout` | nothing was sent |
//! | HTTP/2 refused the stream, or its `GOAWAY` left it out; hyper: `is_canceled` | `Unprocessed` | RFC 9113, 8.7: it was not processed |
//! | hyper: `is_user`, such as a body that failed; tower's `Overloaded` | `Request` | the request's own fault: no backend is to blame |
//! | tower's `Elapsed` | `Timeout` | the request may have been executed |
//! | an `io::Error` | [`Fault::of_io`] | - |
//! | anything else | `Reset` | the request may have been executed |
//!
//! Services with errors of their own say better: [`BalanceLayer::faults_by`], [`TowerTransport::faults_by`].
//!
//! # What to switch on and off in the client
//!
//! - Set a connect timeout around the connector, as above: a backend that is not there then fails over soon. One around the
//!   client covers the whole attempt, and does not tell whether the request was sent: it is a `Timeout`.
//! - Keep `pool_idle_timeout` below the server's: a request that goes out while it closes the connection is a `Reset`.
//! - Over HTTP/2 set `http2_keep_alive_interval`: else a connection that falls silent takes requests for ever.
//! - Retries below the balancer: off. hyper-util's `retry_canceled_requests` may stay on: it re-sends only what never
//!   left, after a pooled connection was found closed.
//! - Redirects: not followed, as hyper-util's client does not.
//! - Credentials belong to backends, not to default headers of a layer underneath.
//!
//! # Limits
//!
//! - What is stored at a resource exists there only: files, batches, stored responses, conversations.
//!   [Pin](lb_core::Wishes::pin_resource) what uses an id to who made it ([`Served`]), by an extension of the request.
//! - On paths without a deployment (`/openai/v1/..`) a backend's [name for the model](lb_core::Backend#model) goes into JSON
//!   bodies with the feature `json` and `replay_with(InMemory)`, or a [`Replay`] of yours that gives their bytes. By default
//!   nothing is known of a service's bodies, and they go out with the caller's, which `Event::Unmapped` tells.
//! - hyper's bare connections (`client::conn`) set no `host`, and addressing takes the caller's off: a service over one sets it
//!   from the URI. hyper-util's client does.
//! - Discarded answers are drained in the background, so that connections are reused: up to 64 KiB, 100 ms and 32 at a
//!   time, else they are dropped. That needs a tokio runtime; without one they are dropped.
//! - A layer's future is boxed, once per request.
//!
//! # Features
//!
//! On by default are those that only tell what errors mean: `hyper-util` for its client's, `http2` for those of hyper's
//! HTTP/2, `tower` for its middleware's. `json` puts a backend's name for the model into JSON bodies, see Limits.
//!
//! Minimum Rust version: 1.85.
//!
//! [tower]: https://docs.rs/tower
#![cfg_attr(docsrs, feature(doc_cfg))]

mod balance;
mod box_errors;
mod fault;
#[cfg(feature = "json")]
mod in_memory;
mod model;
mod replay;
mod response_body;
mod transport;

pub use balance::{Balance, BalanceLayer};
pub use box_errors::{BoxErrors, BoxErrorsFuture, ServiceError};
pub use fault::fault;
#[cfg(feature = "json")]
pub use in_memory::InMemory;
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BackendBuilder, BuildError, CONNECT_TIMEOUT, Credential, Error, Event, Exhausted, Fault,
    LoadBalancer, NoPool, Observer, Pool, PoolBuilder, PoolOptions, Pools, PoolsByModel, ReplaceablePool, Replaced,
    RotatingCredential, Served, ServedBy, State, Wait, WishError, Wishes,
};
#[cfg(feature = "json")]
pub use replay::MakeBody;
pub use replay::{ByClone, OneAttempt, Replay};
pub use response_body::ResponseBody;
pub use transport::TowerTransport;

/// Any error, as tower's middleware passes it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
