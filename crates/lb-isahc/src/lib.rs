//! A priority load balancer for Azure OpenAI and OpenAI-compatible backends, over [isahc] 2, async and blocking.
//!
//! isahc's own requests go in and its own responses come out, with their options, their extensions and their body as a
//! stream. What changes in an application: build the request as before, and give it to the balancer instead of the
//! client. It runs under any executor.
//!
//! ```no_run
//! use isahc::{AsyncReadResponseExt, Request};
//! use lb_isahc::{Backend, IsahcTransport, LoadBalancer, Pool};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").api_key(std::env::var("PTU_KEY")?).build()?,
//!     Backend::builder("standard.openai.azure.com").priority(2).api_key(std::env::var("STANDARD_KEY")?).build()?,
//! ])?;
//! let balancer = LoadBalancer::new(pool, IsahcTransport::new()?);
//!
//! // A path is enough: each attempt goes to its backend's origin.
//! let request = Request::post("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21")
//!     .header("content-type", "application/json")
//!     .body(r#"{"messages":[{"role":"user","content":"Hello"}]}"#.into())?;
//!
//! let mut response = balancer.send(request).await?;
//! println!("{} {}", response.status(), String::from_utf8(response.bytes().await?)?);
//! # Ok(())
//! # }
//! ```
//!
//! The same transport, pool and requests serve without async:
//!
//! ```no_run
//! use isahc::Request;
//! use lb_isahc::{Backend, BlockingLoadBalancer, Exhausted, IsahcTransport, Pool, Served};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
//! let balancer = BlockingLoadBalancer::new(pool, IsahcTransport::new()?);
//! let response = balancer.send(Request::post("/openai/v1/embeddings").body("{}".into())?)?;
//!
//! // Which backend served is an extension of the response. A synthesised refusal has another instead.
//! if let Some(served) = response.extensions().get::<Served>() {
//!     println!("{} from {served}", response.status());
//! } else if let Some(exhausted) = response.extensions().get::<Exhausted>() {
//!     println!("{exhausted}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Wishes`] are an extension of the request, `.extension(Wishes::new().pin_resource(made_by))`, or an argument of `send_with`.
//! Async waits share one thread, async-io's.
//!
//! # What counts as which fault
//!
//! | isahc's error | [`Fault`] | because |
//! | --- | --- | --- |
//! | `ConnectionFailed`, `NameResolution`, `BadServerCertificate` | `Connect` | nothing was sent |
//! | `Timeout` before the body was sent whole, or without a `remote_addr` | `ConnectTimeout` | DNS, TCP, TLS or the sending did not get through: it cannot have been executed |
//! | `Timeout` otherwise, or of a body that streams and was begun | `Timeout` | the request may have been executed, or its caller was slow |
//! | `Io`, `ProtocolViolation` before the body was sent whole | `Unprocessed`; `Connect` without a `remote_addr` | it cannot have been executed |
//! | a request body's own error, of any kind, or one that ends before its length | `Request` | the caller's body failed, not the backend |
//! | `InvalidRequest`, `ClientInitialization`, `InvalidTlsConfiguration`, `BadClientCertificate`, `TlsEngine` | `Request` | the request or the client is at fault: no backend would do better |
//! | anything else (`Io`, `ProtocolViolation`, a body that libcurl would send again, ...) | `Reset` | the request may have been executed |
//!
//! What libcurl took of a body may still be in a buffer, so that a small body always counts as sent. Where the body says
//! more than isahc, the error is an `Io` or a `Timeout` around isahc's own.
//!
//! # TLS, and building
//!
//! This crate enables no feature of isahc, so no TLS either: `isahc = "2"` in the application brings isahc's defaults
//! (rustls, HTTP/2, a bundled libcurl). Without a TLS backend `https` fails as a `ProtocolViolation`. Without isahc's
//! `static-curl` feature, the system's libcurl is linked if its development package is there; otherwise the bundled
//! one is compiled, which takes a C compiler.
//!
//! # Versions of `http`
//!
//! isahc 2 takes `http` 1 or 0.2, whichever the lock file had first. If the compiler expects `http::Request` and finds
//! `http::Request`, `cargo update isahc` moves it to 1. This crate only uses `isahc::http`, and works with both: its
//! tests pass with isahc on `http` 1.5.0 and 0.2.12, over libcurl 8.22 and 7.88.
//!
//! # What isahc does to requests
//!
//! The caller's headers are sent as they are, without `host` and credentials that a backend replaces. libcurl and isahc
//! add what is missing: `accept`, `user-agent`, `accept-encoding` (and decompress, unless `automatic_decompression` is
//! off), to a POST without a content type `application/x-www-form-urlencoded`, and over HTTP/1.1 to a body above 1 MiB or
//! of unknown length `expect: 100-continue`, which costs a second if the server ignores it (`expect_continue` turns it
//! off).
//!
//! Where a kept connection ends before any byte of an answer, libcurl alone sends the request again, although it may have
//! been executed. Here a request with a body is sent once: the transport gives libcurl a body that cannot be rewound, and
//! the second try becomes an error, a [`Fault::Reset`]. A request without a body is sent again: a GET or a DELETE may be;
//! a POST without one, such as the cancelling of a batch, can be received twice. Over HTTP/2 the same holds for a refused
//! stream, which libcurl tells from a broken connection in its log only.
//!
//! # Timeouts
//!
//! isahc's `timeout` covers one attempt, from its start to the end of the body, so it also ends long streams. It fails over
//! where it fires before the request was sent whole. Prefer `connect_timeout`, which always does and which
//! [`IsahcTransport::new`] sets to 10 s, and `low_speed_timeout`.
//!
//! # Refusals inside streams
//!
//! A 200 whose head announces a refusal in its stream is held until the first real event, async and blocking: a refusal fails
//! over before you saw a byte, anything else is yours from its first byte on
//! ([`PoolBuilder::peek`](lb_core::PoolBuilder::peek)). While it is held, a blocking call has one thread more, for the two
//! seconds that this may take. The answer to a blocking request whose body streams is handed on as it comes.
//!
//! # What it costs, and limits
//!
//! - On paths without a deployment (`/openai/v1/..`) a backend's [name for the model](lb_core::Backend#model) goes into JSON
//!   bodies with the crate's only feature, `json`, and into those that are in memory, which are copied once more for it.
//!   Bodies that stream go out with the caller's, which `Event::Unmapped` tells; without the feature all do.
//! - A body in memory is copied for each attempt. A body that streams cannot be sent twice: such a request gets one
//!   attempt, and its real answer.
//! - Options of isahc go with every attempt. Extensions of another crate go only with a body that streams: `http` 0.2
//!   cannot copy them.
//! - isahc gives a response when the first byte of its body is here, or its end: a refusal whose body never starts
//!   delays failover until a timeout, and a stream's head comes with its first event.
//! - Where a backend resets a connection while the request is written, libcurl may keep that connection for the next request,
//!   which then fails as a `Reset` although the backend is well: one more request, or one more probe.
//! - Over TLS, what a backend sends right before a reset can be lost with it: libcurl may meet the reset while it still
//!   decrypts, and gives the error alone.
//! - isahc abandons a dropped request, or the rest of a dropped answer, when the backend sends something, or at its timeout,
//!   and keeps its connection until then. Behind a backend that stalls these would pile up: where 64 are open, the transport
//!   goes on over a new client, and the old one ends with all of them once the last of its requests and answers that are in
//!   use is over. A client that you [gave](IsahcTransport::with_client) cannot be replaced.
//! - With a `Dialer` to a Unix socket isahc knows no `remote_addr`, so that every timeout of a request without a body counts
//!   as one of the connect and fails over, although the request may have been executed.
//! - A header value outside ASCII is an [`Error::Address`], where isahc alone would panic.
//! - Credentials do not belong into a client's `default_headers`: isahc adds them below the balancer, which then cannot
//!   take them off. Its own `authentication` is not used on a backend with a credential.
//! - isahc's logs are not safe to keep below info. At debug level its spans `send` and `send_async` have the URL with its
//!   query, and `isahc::handler` logs what libcurl says: over HTTP/2 every header that is sent, keys included. At trace
//!   level `isahc::wire` logs every byte. A filter of `isahc=info` keeps all of it out.
//! - Discarded answers are drained by one background thread, so that connections are reused: up to 64 KiB, 100 ms and
//!   32 at a time, else they are dropped. The thread starts with the first of them, and sleeps while there are none.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod blocking;
mod clients;
mod contents;
mod drain;
mod fault;
mod headers;
mod mark;
mod model;
mod peek;
mod request_body;
mod response_body;
mod synthesize;
mod transfer;
mod transport;

#[doc(no_inline)]
pub use isahc;
#[doc(no_inline)]
pub use lb_core::{
    self, Backend, BackendBuilder, BlockingLoadBalancer, BuildError, Credential, Error, Event, Exhausted, Fault,
    LoadBalancer, NoPool, Observer, Pool, PoolBuilder, PoolOptions, Pools, PoolsByModel, ReplaceablePool, Replaced,
    RotatingCredential, Served, ServedBy, State, Wait, WishError, Wishes,
};
pub use transport::IsahcTransport;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
