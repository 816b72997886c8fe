//! The algorithm of a client-side priority load balancer for Azure OpenAI and OpenAI-compatible backends.
//!
//! A request goes to the best priority that is available now: provisioned capacity first, pay-as-you-go next, other
//! regions after. What fails goes on to the next one at once. A 429 takes a backend out until its own `Retry-After`; one that
//! fails without a word is asked last. When none is left the caller hears why, and when to come back.
//!
//! This crate has no HTTP client, no executor and no I/O. Most applications take an adapter (`lb-reqwest`, `lb-isahc`,
//! `lb-tower`, `lb-async-openai`, `lb-rig`, `lb-azure`) and meet this crate through its re-exports. Here are the parts, in
//! the order in which a request meets them:
//!
//! 1. a [`Backend`] says where a deployment lives, how much it is preferred and which credential it takes;
//! 2. a [`Pool`] holds the backends, their states and their counters, and owns the [`Clock`];
//! 3. a [`Dispatch`] is one request's walk over the pool: `next` gives an [`Attempt`], `settle` takes an [`Outcome`];
//! 4. a [`Target`] is where an attempt goes, and addresses the request to it;
//! 5. a [`Transport`] (or a [`BlockingTransport`]) sends a request to a target: this is what an adapter implements. Over
//!    the types of the `http` crate two methods make one ([`HttpTransport`], [`BlockingHttpTransport`]);
//! 6. [`drive`] is the loop over these, and a [`LoadBalancer`] (or a [`BlockingLoadBalancer`]) what an application holds.
//!
//! The [`guide`] explains the concepts, the reasons and the limitations.
//!
//! # Example
//!
//! The algorithm can be driven by hand, without any transport:
//!
//! ```
//! use lb_core::{Backend, Outcome, Pool, Step, ThreadRng, Verdict};
//!
//! # fn main() -> Result<(), lb_core::BuildError> {
//! let pool = Pool::new([
//!     Backend::new("ptu.openai.azure.com", 1)?,
//!     Backend::new("standard.openai.azure.com", 2)?,
//! ])?;
//!
//! let mut dispatch = pool.dispatch();
//! let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { unreachable!("both are available") };
//! assert_eq!(pool.target(&attempt).backend().name(), "ptu.openai.azure.com");
//!
//! // The backend answered 429 with `Retry-After: 7`: it cools down, and the next one is asked at once.
//! let outcome = Outcome::answered(429, [("retry-after", "7")].as_slice(), || pool.wall());
//! assert_eq!(dispatch.settle(outcome, || pool.now()), Verdict::FailOver);
//! let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { unreachable!("one is available") };
//! assert_eq!(pool.target(&attempt).backend().name(), "standard.openai.azure.com");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `tracing` (default): events with fields for every decision, see [`Event`].
//! - `json`: a backend's name for the model in JSON bodies, see [`Backend`].
//! - `serde`: [`PoolOptions`] from configuration files, and to them.
//! - `test-util`: a scripted transport for your own tests, see `lb_core::test_util`.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guide;

mod attempt;
mod backend;
mod balancer;
mod build_error;
mod call;
mod cause;
mod causes;
mod clock;
mod credential;
mod dispatch;
mod drive;
mod ending;
mod error;
mod exhausted;
mod fault;
mod future;
mod level;
mod not_repeated;
mod observe;
pub mod outcome;
mod peek;
mod pool;
mod pools;
mod replaced;
mod requested_model;
pub mod retry_after;
mod rng;
mod served;
mod state;
mod sync;
mod target;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;
#[cfg(feature = "json")]
mod unmapped;
mod wishes;

pub use attempt::Attempt;
pub use backend::{Backend, BackendBuilder, CALLER_CREDENTIAL_PARAMETERS, CALLER_CREDENTIALS};
pub use balancer::{BlockingLoadBalancer, LoadBalancer};
pub use build_error::{BackendProblem, BuildError};
pub use call::{Call, OnExhaustion};
pub use cause::{Cause, Detail};
pub use causes::causes;
pub use clock::{Clock, Instant, MockClock, SystemClock};
pub use credential::{Credential, CredentialError, CredentialSource, RotatingCredential};
pub use dispatch::{Dispatch, Step};
pub use drive::{drive, drive_blocking};
pub use ending::Ending;
pub use error::{AddressError, Error};
pub use exhausted::{Exhausted, Unavailable};
pub use fault::Fault;
pub use future::BoxFuture;
pub use not_repeated::NotRepeated;
pub use observe::{Event, Observer};
pub use outcome::{Outcome, Reason, Verdict};
pub use peek::{PEEK_FOR, Refusal, announces_refusal};
pub use pool::{BackendSnapshot, Counters, Pool, PoolBuilder, PoolOptions, Snapshot, StatusAction, Wait, Waits};
pub use pools::{NoPool, Pools, PoolsByModel, ReplaceablePool};
pub use replaced::Replaced;
pub use requested_model::requested_model;
pub use retry_after::{Headers, Hint, HintSource, MAX_HINT, hint};
pub use rng::{Rng, SeededRng, ThreadRng};
pub use served::{FailedAttempt, Served};
pub use state::State;
pub use target::Target;
pub use transport::{
    BlockingHttpTransport, BlockingTransport, CONNECT_TIMEOUT, Head, HttpTransport, Transport, sleep_on_a_thread,
};
#[cfg(feature = "json")]
pub use unmapped::Unmapped;
pub use wishes::{ServedBy, WishError, Wishes};

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
