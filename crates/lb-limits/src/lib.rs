//! Sans-IO models of the rate limits of Azure OpenAI deployments.
//!
//! A limit here is a small state machine without a clock: the time is an argument, in nanoseconds since any moment the
//! caller likes. The same limits therefore run in virtual time in a simulator and in wall time behind an HTTP emulator,
//! and give the same answers in both.
//!
//! ```
//! use lb_limits::{Chain, Demand, SECOND, azure_standard};
//!
//! // 1,000 tokens and 60 requests a minute; the requests are counted per 10 s.
//! let mut chain: Chain = azure_standard(1_000, 60, 0);
//! let demand = Demand::standard(2_000, 400, 1); // 2,000 characters: 500 tokens, and up to 400 back
//!
//! assert!(chain.admit(5 * SECOND, &demand).is_ok());
//! let refusal = chain.admit(6 * SECOND, &demand).unwrap_err();
//! assert_eq!(refusal.hint_ns(), Some(54 * SECOND)); // the counter is reset at 60 s
//! assert!(chain.admit(60 * SECOND, &demand).is_ok());
//! ```
//!
//! # What is modelled
//!
//! | model | behaviour | source |
//! | --- | --- | --- |
//! | [`Window`], fixed | a count that is reset at fixed moments | Microsoft Learn, "Manage Azure OpenAI quota": tokens "reset each minute", requests "evaluated over a small period of time, typically 1 or 10 seconds" |
//! | [`Window`], sliding | an exact log of the charges of the last `length_ns` | `microsoft/aoai-api-simulator` |
//! | [`Window`], GCRA | a continuous refill with a burst of `limit` | ITU-T I.371; OpenAI-style limits |
//! | [`Ptu`] | a leaky bucket that may be overfilled by one request | Microsoft Learn, "Provisioned throughput", "Utilization enforcement" |
//!
//! # How it is told
//!
//! [`Hint`] and [`Counter`] are what headers tell of a refusal and of a window, and how each is written. They know no
//! HTTP: a name is a string, and a [`HeaderValue`] writes itself.
//!
//! # What the caller may rely on
//!
//! - **Integer arithmetic.** Nothing here rounds, except where its documentation says so, and no input makes it panic
//!   or overflow.
//! - **Exact hints.** With nothing charged in between, a refused request that comes again at `now + hint` is admitted,
//!   and one nanosecond earlier it is not. A request for which no such moment exists has the hint `None` (see
//!   [`Refusal::hint_ns`]).
//! - **All or none.** A [`Chain`] checks all of its limits before it charges any.
//! - **Time only goes forward.** A `now` before one that was already charged is read as the later one.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bucket;
mod chain;
mod counter;
mod demand;
mod header;
mod hint;
mod limit;
mod meter;
mod presets;
mod ptu;
mod quotas;
mod window;

pub use chain::{Chain, Refusal};
pub use counter::{Counter, utilisation_header};
pub use demand::{CHARS_PER_TOKEN, Demand, STANDARD_MAX_TOKENS, Usage, standard_estimate};
pub use header::HeaderValue;
pub use hint::{Hint, HintForm, NEVER_NS, whole_seconds};
pub use limit::Limit;
pub use presets::{
    Increment, PTU_MODELS, PtuModel, RPM_PER_1000_TPM, RequestPeriod, azure_ptu, azure_standard,
    azure_standard_windows, azure_standard_with_period,
};
pub use ptu::Ptu;
pub use quotas::{QuotaId, Quotas};
pub use window::{Admit, Kind, Unit, Window};

/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000 * MILLISECOND;

/// Nanoseconds in a minute.
pub const MINUTE: u64 = 60 * SECOND;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
