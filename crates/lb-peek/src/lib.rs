//! A refusal at the beginning of a 200 stream, told from a real answer: for the adapters of the load balancer.
//!
//! Azure OpenAI answers some streaming requests that it refuses with a 200, and says so in the events
//! ([pi#7983](https://github.com/earendil-works/pi/issues/7983),
//! [vekil#266](https://github.com/sozercan/vekil/pull/266)). The head announces it:
//! [`announces_refusal`](lb_core::announces_refusal). A transport then gives the body to [`peek`], which holds what it
//! reads back until the first event that says something, and hands it on first.
//!
//! [`Classifier`] is the part without I/O: bytes go in, and a [`Verdict`] comes out.
//!
//! # What is held, and what decides
//!
//! | event | verdict |
//! | --- | --- |
//! | a comment; an event without data | undecided |
//! | `response.created`, `response.queued`, `response.in_progress` | undecided |
//! | a chunk whose `choices` are empty, as Azure's first with its `prompt_filter_results`; one that only says the role | undecided |
//! | `error`, `response.failed` or any other event with an `error`, and a [code that refuses](#which-codes-refuse) | refused |
//! | the same with another code | the caller's |
//! | the same without any code | undecided: the next event says it, as Azure's does; at the end of the stream refused, as the head announced |
//! | `[DONE]`, the end of the stream | the caller's, but after a failure without a code |
//! | anything else | the caller's |
//!
//! No more than 64 events and 64 KiB are held, and no longer than [`PEEK_FOR`](lb_core::PEEK_FOR): beyond that the stream is
//! the caller's. So is one that breaks while it is held, with its error.
//!
//! # Which codes refuse
//!
//! Looked for in `code`, `type`, `status` and `status_code`, as text or number, of the event's `error`, of its
//! `response.error`, and of the event itself if it is an `error`:
//!
//! | code | as status | source |
//! | --- | --- | --- |
//! | `rate_limit_exceeded` | 429 | OpenAI's [Responses API](https://platform.openai.com/docs/api-reference/responses/object), `error.code`; Azure ([pi#1458](https://github.com/earendil-works/pi/pull/1458)); before a failure ([ai#6534](https://github.com/vercel/ai/issues/6534)) |
//! | `too_many_requests` | 429 | Azure's `error.type` (pi#7983) |
//! | `429` | 429 | Azure's `error.code` ([dify#12709](https://github.com/langgenius/dify/issues/12709)) |
//! | `insufficient_quota` | 429 | OpenAI's [error codes](https://platform.openai.com/docs/guides/error-codes): a status of 429 |
//! | `slow_down` | 429 | the same page: a 429, and before that a 503 |
//! | `server_is_overloaded`, `503` | 503 | the same page; in a 200 stream ([codex#43337](https://github.com/openai/codex/issues/43337)) |
//!
//! All others are the caller's, because another backend would say the same or because the request may have been executed:
//! `content_filter`, `invalid_prompt`, `context_length_exceeded`, every code about an image, `server_error`,
//! `vector_store_timeout`, and whatever is not known.
//!
//! When to come back is the event's `retry_after` (seconds) or `retry_after_ms`, beside the code; gateways write them.
//! Azure's events have neither: then the head says it.

mod body;
mod classifier;
mod event;

pub use body::{Held, peek};
pub use classifier::{Classifier, MAX_BYTES, MAX_EVENTS, Verdict};

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
