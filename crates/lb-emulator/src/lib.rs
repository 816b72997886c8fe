//! An emulator of Azure OpenAI's API and rate limits, as a library for tests and as the command `lb-emulator`.
//!
//! It speaks HTTP on the loopback interface, with the paths, headers and error bodies of the live service, and
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
//! Paths are below `/openai/v1`. Those of models are also below `/openai/deployments/{deployment}`, and the others
//! below `/openai`; there, `api-version` is required.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /chat/completions` | a completion, or with `"stream": true` server-sent events, each in an HTTP chunk or a DATA frame of its own |
//! | `POST /embeddings` | one vector per input, as numbers or as base64 |
//! | `POST /responses` (no path of a deployment) | a response, or with `"stream": true` its named and numbered events |
//! | `GET`, `DELETE /responses/{id}` | what was made here, unless with `"store": false` |
//! | `POST`, `GET /files`; `GET`, `DELETE /files/{id}`; `GET /files/{id}/content` | files that were uploaded here |
//! | `POST`, `GET /batches`; `GET /batches/{id}`; `POST /batches/{id}/cancel` | batches over files that were uploaded here |
//! | `GET /models`, `GET /models/{name}` | the deployments that were given, as models |
//!
//! | what is refused | how |
//! | --- | --- |
//! | over a limit | 429 with Azure's body, and the hint in the chosen [`HintForm`] |
//! | a prompt larger than the whole quota | 429 with a hint of 86,400 seconds, as seen from the live service |
//! | no accepted key in `api-key` or `Authorization: Bearer` | 401 |
//! | another deployment than those given | 404 `DeploymentNotFound` |
//! | the id of a response, file or batch that was not made here, is deleted or is forgotten | 404 |
//! | `previous_response_id` of such a response | 400 `previous_response_not_found` |
//! | another path, no `api-version` where it is required | 404 `Resource not found` |
//! | another method | 405 |
//! | no JSON, a parameter that is missing, of a wrong type or out of range | 400 with `param` and `code` |
//! | cancelling a batch that is done | 409 |
//!
//! Successes of models carry `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; those of a provisioned deployment
//! `azure-openai-deployment-utilization` instead. Every answer, refusals too, carries `apim-request-id`, `x-request-id`
//! and `x-ms-region`.
//!
//! **What counts against the limits**: chat completions, embeddings and responses, each as a request and by its tokens;
//! a response that goes on from another also by the tokens of the conversation before it. The rest is free: Azure's
//! quota is of tokens and requests per minute of a model's deployments ("Quotas and limits"), and batches have a quota
//! of enqueued tokens ("Get started with batch deployments"), which is not emulated.
//!
//! **What is kept**: 1,000 responses of 64 MiB together, 500 files of 256 MiB, and 1,000 batches, each of up to 100,000
//! requests and 64 MiB of answers; the oldest are forgotten first. Ids follow from the emulator's name, its address and
//! the number of the request: they are the same in each run on the same port, and no two emulators share one. A batch
//! goes from `validating` over `in_progress` to `completed` with each `GET` of it, so that no clock decides.
//!
//! # Versions of HTTP, and TLS
//!
//! One port speaks HTTP/1.1 and, with the feature `http2`, HTTP/2: with prior knowledge, or over TLS as agreed on by ALPN.
//! With the feature `tls`, `EmulatorBuilder::tls` makes a certificate at the start and `Emulator::certificate_pem` gives
//! what a client has to trust. Certificate and keys are for tests only: they last as long as the emulator.
#![cfg_attr(
    all(feature = "http2", feature = "tls"),
    doc = r##"
```
use lb_emulator::{Emulator, Reply, h2::Reason};

let emulator = Emulator::builder().tls().start()?;
emulator.script(Reply::go_away_before(Reason::NO_ERROR));
emulator.script(Reply::refuse_stream());

let trusted = reqwest::Certificate::from_pem(emulator.certificate_pem().ok_or("no TLS")?.as_bytes())?;
let client = reqwest::blocking::Client::builder().tls_certs_only([trusted]).build()?;
let path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
let url = format!("{}{path}", emulator.url()); // https
let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
let answer = client.post(url).body(body).send()?;

// reqwest sends again what was never processed.
assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
assert_eq!((emulator.refused_streams(), emulator.request_count()), (2, 1));
# Ok::<(), Box<dyn std::error::Error>>(())
```
"##
)]
//!
//! # Faults
//!
//! All of them are for tests only: no service does these things on request.
//!
//! | fault | how | option of the command |
//! | --- | --- | --- |
//! | any status, headers and body | [`Reply::status`], [`Reply::redirect`] | `--fail-status`, `--fail-header`, `--fail-body` |
//! | a 429 with a hint, or with one of a day | [`Reply::throttled`], [`Reply::oversized`] | `--fail-status 429 --fail-hint`, `--fault oversized` |
//! | a 200 whose stream is a refusal | [`Reply::throttled_stream`], or any with [`Reply::stream`] | `--fault stream-error` |
//! | a late head, a late body | [`Reply::head_delay`], [`Reply::body_delay`] | `--fault late-head`, `late-body` |
//! | no head, ever | [`Reply::no_head`] | `--fault no-head` |
//! | a head whose body stalls, a body or a stream that stalls | [`Reply::stall_body`], [`Reply::stall_after_bytes`], [`Reply::stall_after`] | `--fault stall` |
//! | a reset instead of an answer, a reset within one | [`Reply::reset`], [`Reply::reset_after`] | `--fault reset`, `reset-within` |
//! | a connection that falls silent, all connections that do | [`Reply::silence`], [`Emulator::silence_connections`] | `--fault silence`, `--silence-connections` |
//! | nobody listens | [`Emulator::refuse_connections`] | `--refuse-connections` |
//! | kept connections go away | [`Emulator::close_connections`] | `--close-connections-every` |
//! | every n-th request fails | [`EmulatorBuilder::fail_every`] | `--fail-every` |
//! | a handshake of TLS that stalls; nobody trusts the certificate | [`Emulator::silence_connections`]; no client does that is not told to | `--silence-connections`; `--tls` |
//!
//! Those of HTTP/2, with their names in RFC 9113:
//!
//! | fault | processed? | how | option of the command |
//! | --- | --- | --- | --- |
//! | RST_STREAM with REFUSED_STREAM, before the body is read | never (8.7) | [`Reply::refuse_stream`] | `--fault refuse-stream` |
//! | the same on each stream beyond a number at a time | never | [`Emulator::refuse_streams_beyond`] | `--refuse-streams-beyond` |
//! | `SETTINGS_MAX_CONCURRENT_STREAMS` | never, beyond it | `EmulatorBuilder::max_concurrent_streams` | `--max-concurrent-streams` |
//! | GOAWAY whose last stream is the one before | never (6.8) | [`Reply::go_away_before`] | `--fault go-away-before` |
//! | GOAWAY that includes the stream, and the connection's end | maybe | [`Reply::go_away_including`] | `--fault go-away-including` |
//! | RST_STREAM with any code instead of an answer, within one | maybe | [`Reply::reset_stream`], [`Reply::reset_stream_after`] | `--fault reset-stream`, `reset-stream-within` |
//! | no frame any more, not even for a PING | maybe | [`Reply::silence`] | `--fault silence` |
//!
//! What was never processed is counted by [`Emulator::refused_streams`] and is not among [`Emulator::requests`]. Over
//! HTTP/1.1, which has no streams, RST_STREAM and GOAWAY become the connection's end.
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
//! - A model: a completion is the emulator's name and a number of words. Tools, formats, images and sampling change
//!   nothing; of the parameters, those that decide length, streaming, encoding and state are used, and the common ones
//!   checked.
//! - Exact in tokens: a token is four characters, in the estimate and in the usage. `n` is not counted, nor are images.
//!   Without `max_tokens`, 16 tokens are reserved, as `microsoft/aoai-api-simulator` found.
//! - The whole API: no assistants, vector stores, fine-tuning, images or audio; no background responses, and no list of
//!   a response's input items.
//! - The live service in every header: `remaining` is what its limit has left, as documented; the live values were seen
//!   to mean other things at other times. No noise, no capacity refusals, no server-side spillover, no limit on a
//!   prompt's length. The content filter annotates if [asked to](EmulatorBuilder::content_filter), and finds nothing.
//! - For the open network: keys are compared plainly, and nobody vouches for the certificate.
//!
//! # The command
//!
//! ```text
//! lb-emulator --name ptu --ptus 15 --ptu-model gpt-4.1 --listen 127.0.0.1:8081
//! lb-emulator --name payg --tpm 10000 --rpm 60 --listen 127.0.0.1:8082
//! LB_EMULATOR_KEYS=k1,k2 lb-emulator --deployment gpt-4o --fail-every 10 --fail-status 503
//! lb-emulator --fail-every 3 --fault reset-within --fault-after 2     # each third stream breaks after two events
//! lb-emulator --tls emulator.pem --fault go-away-before               # curl --cacert emulator.pem https://...
//! lb-emulator --refuse-connections --flap 30                          # half a minute away, half a minute there
//! ```
//!
//! It prints the URL it listens on, logs one line per request to standard error, and stops at Ctrl-C; `lb-emulator
//! --help` explains the options. The feature `cli`, on by default, builds it, with `http2` and `tls`; without it the
//! library has fewer dependencies.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod batch;
mod batches;
mod broken;
mod builder;
mod config;
mod emulator;
mod error;
mod fields;
mod files;
mod filter;
mod gate;
#[cfg(feature = "http2")]
mod goaway;
mod headers;
#[cfg(feature = "http2")]
mod http2;
mod log;
mod models;
mod openai;
mod page;
mod play;
mod port;
#[cfg(feature = "http2")]
mod preface;
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
mod switches;
#[cfg(feature = "tls")]
mod tls;
mod upload;
mod wire;

pub use builder::EmulatorBuilder;
pub use emulator::Emulator;
pub use error::StartError;
pub use gate::StreamGate;
pub use quota::Quota;
pub use received::Received;
pub use reply::Reply;

#[cfg(feature = "http2")]
pub use h2;
pub use lb_limits::{self, HintForm};

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
