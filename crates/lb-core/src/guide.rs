//! Concepts, reasons and limitations.
//!
//! # Concepts
//!
//! - A **backend** is one deployment with an origin, a **priority** (lower is preferred) and a **weight**. Backends of
//!   the same priority are a **tier**.
//! - A **pool** holds backends. Each is available or **cooling** down until a deadline.
//! - A **dispatch** is one request's walk over the pool: the best tier that has an available backend, at random by
//!   weight inside it, each backend at most once.
//! - An **outcome** is what one attempt came to; the [table](crate::outcome) says what it means.
//! - A **hint** is what a backend said about when to come back; [`retry_after`](crate::retry_after) lists the forms.
//! - **Failover** sends the same request on to the next backend at once. **Exhausted** says that none is left, and when
//!   one is back.
//!
//! # Why is there no waiting and no backoff?
//!
//! Because the caller knows whether it can wait. A refusal comes at once, with the exact time after which a retry
//! makes sense, in the form that the SDKs' own retry layers read. Set their number of retries with the balancer in
//! mind: one layer should retry, not two.
//!
//! # Why does a timeout not fail over?
//!
//! Because the first backend may have executed the request, and billed it. A fault before anything was sent fails
//! over always; [`fail_over_after_send`](crate::PoolBuilder::fail_over_after_send) opts in to the rest.
//!
//! # Why is a very long hint ignored?
//!
//! Azure answers `Retry-After: 86400` to one prompt that is larger than the deployment's quota per minute. The
//! deployment is healthy; believing the hint would take it out for a day, for everybody. Above
//! [`max_cooldown`](crate::PoolBuilder::max_cooldown) the default cooldown applies.
//!
//! # Why does a cooldown only get longer?
//!
//! Answers overtake each other. A 429 that was sent earlier, but arrives later, knows less; so a shorter deadline never
//! replaces a longer one, and a late success ends no cooldown.
//!
//! # Why are 5xx answers handed through at the end?
//!
//! Because "the service is broken" and "come back later" are different news. If no 429 was among the answers of a
//! request, the final attempt's answer is returned as it came. The Python package
//! `openai_priority_loadbalancer` answers with an empty 429 in both cases;
//! [`always_synthesize`](crate::PoolBuilder::always_synthesize) does so with a full one.
//!
//! # Why is the last possible attempt a copy too?
//!
//! It could be moved, since nothing follows it. But then a transport has to know beforehand whether a body can be copied,
//! and to leave something in the place of what was moved: two more methods for everybody who writes one, and a loop that
//! is no straight line, to save some hundred nanoseconds of a request that takes milliseconds.
//!
//! # Whose credential goes where?
//!
//! A backend's own credential goes to that backend and to no other, and the caller's does not go with it. If no
//! backend has one, all get the caller's: one Entra ID token for all resources is the usual set-up. If some have and
//! some have not, the pool does not build until each of the others says
//! [`forward_caller_credential`](crate::BackendBuilder::forward_caller_credential).
//!
//! # How is a key rotated while requests run?
//!
//! Give the backend a [`RotatingCredential`](crate::RotatingCredential), and keep a clone of it. A call of `rotate` replaces
//! the key for every attempt that begins after it; attempts under way finish with the key they have, so keep the old key
//! valid for as long as your longest request. Nothing is rebuilt: cooldowns and counters stay.
//!
//! ```
//! use lb_core::{Backend, Credential, Pool, RotatingCredential};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = RotatingCredential::new(Credential::api_key("the key of today")?);
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").credential_source(key.clone()).build()?,
//!     Backend::builder("standard.openai.azure.com").priority(2).api_key("a fixed key").build()?,
//! ])?;
//! // Later, in whatever watches the vault:
//! key.rotate(Credential::api_key("the key of tomorrow")?);
//! # Ok(())
//! # }
//! ```
//!
//! It is a handle and no method of the pool, so that what watches a vault needs to know nothing but the handle, one key
//! can serve several backends, and backends with fixed keys pay for no lock.
//!
//! # Testing your own set-up
//!
//! Give the pool a [`MockClock`](crate::MockClock), the balancer a [`SeededRng`](crate::SeededRng) and a scripted
//! transport (feature `test-util`), and time passes only when you say so:
//!
#![cfg_attr(feature = "test-util", doc = "```")]
#![cfg_attr(not(feature = "test-util"), doc = "```text")]
//! use bytes::Bytes;
//! use http::Request;
//! use lb_core::{
//!     Backend, BlockingLoadBalancer, Error, MockClock, Pool, SeededRng,
//!     test_util::{Reply, ScriptedTransport},
//! };
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = MockClock::new();
//! let transport = ScriptedTransport::new();
//! transport.reply("only.example", Reply::status(429).header("retry-after", "4"));
//! let pool = Pool::builder().backend(Backend::new("only.example", 1)?).clock(clock.clone()).build()?;
//! let balancer = BlockingLoadBalancer::with_parts(pool, transport, SeededRng::new(1));
//! let request = || Request::new(Bytes::new());
//!
//! match balancer.try_send(request()) {
//!     Err(Error::Exhausted(exhausted)) => assert_eq!(exhausted.retry_after(), Duration::from_secs(4)),
//!     other => panic!("expected exhaustion, got {other:?}"),
//! }
//! clock.advance(Duration::from_secs(4));
//! assert_eq!(balancer.send(request())?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # Limitations
//!
//! - State is per process: workers do not know of each other's cooldowns.
//! - Quota is not predicted. A backend is asked until it refuses; a refusal costs one round trip.
//! - Backends cannot be added to or removed from a running pool; build a new one and swap the balancer.
//! - A refusal inside a 200 (Azure's `/responses` can send a rate limit as the first event of a stream) is not seen:
//!   bodies are never read.
//! - All callers see a cooldown end at the same moment; there is no jitter and no single probe.
//! - Time is the monotonic clock's. On machines that stop it while they sleep, a cooldown lasts through the sleep.
