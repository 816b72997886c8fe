//! An emulator of Azure OpenAI's rate limits, as a library for tests and as the command `lb-emulator`.
//!
//! It speaks HTTP/1.1 on the loopback interface, with the paths, headers and error bodies of the live service, and
//! applies the limits of [`lb_limits`] in wall time: tokens and requests per minute, or the leaky bucket of a
//! provisioned deployment. Every fault that a client has to survive can be scripted, and everything that arrived is
//! recorded.
//!
//! ```
//! use std::time::Duration;
//! use lb_emulator::{Emulator, Reply};
//!
//! // A provisioned deployment that is throttled once, and a standard one with 10,000 TPM.
//! let ptu = Emulator::builder().name("ptu").key("k1").start()?;
//! let payg = Emulator::builder().name("payg").key("k2").standard(10_000, 60).start()?;
//! ptu.script(Reply::throttled(Duration::from_secs(6)));
//!
//! let client = reqwest::blocking::Client::new();
//! let ask = |emulator: &Emulator, key: &str| {
//!     let url = format!("{}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", emulator.url());
//!     let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
//!     client.post(url).header("api-key", key).body(body).send()
//! };
//!
//! let refused = ask(&ptu, "k1")?;
//! assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"6".parse()?));
//! assert!(ask(&payg, "k2")?.text()?.contains("payg"));
//!
//! assert_eq!(ptu.requests()[0].status(), Some(429));
//! assert_eq!(payg.requests()[0].header("api-key"), Some("k2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`Emulator`] runs on a thread of its own. It needs no runtime and disturbs none, so that one value serves tests
//! of blocking and of async clients. It stops when it is dropped.
//!
//! # What it answers
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /openai/deployments/{d}/chat/completions`, `POST /openai/v1/chat/completions` | a completion, or with `"stream": true` server-sent events, each in an HTTP chunk of its own |
//! | `POST /openai/deployments/{d}/embeddings`, `POST /openai/v1/embeddings` | one vector per input, as numbers or as base64 |
//! | `POST /openai/v1/responses` | a response, or with `"stream": true` its named and numbered events |
//! | `GET`, `DELETE /openai/v1/responses/{id}` | a response that was made here, unless with `"store": false`; 404 for others |
//! | `previous_response_id` of a response that was not made here | 400 `previous_response_not_found` |
//! | `POST`, `GET /openai/v1/files`, `GET`, `DELETE .../files/{id}`, `GET .../files/{id}/content` | files that were uploaded here |
//! | `POST`, `GET /openai/v1/batches`, `GET .../batches/{id}`, `POST .../batches/{id}/cancel` | batches over files that were uploaded here; each look at one takes it a step further |
//! | `GET /openai/v1/models`, `GET /openai/v1/models/{name}` | the deployments that were given, as models |
//! | over a limit | 429 with Azure's body, and the hint in the chosen [`HintForm`] |
//! | a prompt larger than the whole quota | 429 with a hint of 86,400 seconds, as seen from the live service |
//! | no accepted key in `api-key` or `Authorization: Bearer` | 401 |
//! | another deployment than those given | 404 `DeploymentNotFound` |
//! | another path, or `/openai/deployments/...` without `api-version` | 404 |
//! | another method | 405 |
//! | a body that is no such request; parameters of a wrong type or out of range | 400 with `param` and `code` |
//!
//! Successes carry `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; those of a provisioned deployment
//! `azure-openai-deployment-utilization` instead. Every answer, refusals too, carries
//! `apim-request-id`, `x-request-id` and `x-ms-region`.
//!
//! # Faults
//!
//! | fault | how |
//! | --- | --- |
//! | any status, headers and body | [`Reply::status`], [`Reply::throttled`], [`Reply::oversized`], [`Reply::redirect`] |
//! | a 200 whose stream is a refusal | [`Reply::throttled_stream`], or any with [`Reply::stream`] |
//! | a late head, a late body | [`Reply::head_delay`], [`Reply::body_delay`] |
//! | no head, ever | [`Reply::no_head`] |
//! | a head whose body stalls, a body or a stream that stalls | [`Reply::stall_body`], [`Reply::stall_after_bytes`], [`Reply::stall_after`] |
//! | a reset instead of an answer, a reset within one | [`Reply::reset`], [`Reply::reset_after`] |
//! | nobody listens | [`Emulator::refuse_connections`] |
//! | kept connections go away | [`Emulator::close_connections`] |
//! | every n-th request fails | [`EmulatorBuilder::fail_every`] |
//!
//! # Tests that do not depend on speed
//!
//! Nothing needs to be slept for. [`Emulator::wait_for_requests`] returns when they have arrived,
//! [`Emulator::wait_until_bodies_sent`] when the last byte is out, and [`Emulator::wait_until_clients_left`] when
//! callers have given up. A [`StreamGate`] holds each event of a stream until the test has seen the one before:
//!
//! ```
//! use std::io::{BufRead, BufReader};
//! use lb_emulator::Emulator;
//!
//! let emulator = Emulator::builder().completion_tokens(2).start()?;
//! let gate = emulator.hold_streams();
//! let response = reqwest::blocking::Client::new()
//!     .post(format!("{}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", emulator.url()))
//!     .body(r#"{"messages":[{"role":"user","content":"Hello"}],"stream":true}"#)
//!     .send()?; // the head is here, and no event
//!
//! let mut lines = BufReader::new(response).lines();
//! for _ in 0..4 {
//!     // Two tokens, the finish reason, [DONE]: none is sent before its release.
//!     gate.release_one();
//!     assert!(lines.next().ok_or("no event")??.starts_with("data: "));
//!     assert_eq!(lines.next().ok_or("no end of the event")??, "");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it is not
//!
//! - A model: a completion is the emulator's name and a number of words.
//! - Exact in tokens: a token is four characters, in the estimate and in the usage. `n` is not counted, nor are images.
//!   Without `max_tokens`, 16 tokens are reserved, as `microsoft/aoai-api-simulator` found.
//! - The live service in every header: `remaining` is what its limit has left, as documented; the live values were seen
//!   to mean other things at other times. No noise, no capacity refusals, no server-side spillover, no content filter,
//!   no limit on a prompt's length.
//! - For the open network: there is no TLS, and keys are compared plainly.
//!
//! # The command
//!
//! ```text
//! lb-emulator --name ptu --ptus 15 --ptu-model gpt-4.1 --listen 127.0.0.1:8081
//! lb-emulator --name payg --tpm 10000 --rpm 60 --listen 127.0.0.1:8082
//! LB_EMULATOR_KEYS=k1,k2 lb-emulator --deployment gpt-4o --fail-every 10 --fail-status 503
//! ```
//!
//! It prints the URL it listens on, logs one line per request to standard error, and stops at Ctrl-C; `lb-emulator
//! --help` explains the options. The feature `cli`, on by default, builds it; without it the library has fewer
//! dependencies.

mod answer;
mod batch;
mod batches;
mod builder;
mod config;
mod emulator;
mod error;
mod fields;
mod files;
mod filter;
mod gate;
mod headers;
mod log;
mod models;
mod openai;
mod page;
mod play;
mod port;
mod problem;
mod prompt;
mod quota;
mod received;
mod reply;
mod responses;
mod route;
mod script;
mod server;
mod service;
mod shared;
mod store;
mod upload;
mod wire;

pub use builder::EmulatorBuilder;
pub use emulator::Emulator;
pub use error::StartError;
pub use gate::StreamGate;
pub use quota::Quota;
pub use received::Received;
pub use reply::Reply;

pub use lb_limits::{self, HintForm};
