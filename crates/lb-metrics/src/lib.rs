//! What a priority load balancer decides, as metrics.
//!
//! Two observers of an [`lb_core::Pool`], each behind a feature; both may be on:
//!
//! - `otel`: [`otel::Metrics`], over OpenTelemetry's API. The application brings the SDK and the exporter.
//! - `metrics`: [`facade::Metrics`], over the `metrics` facade. The application brings the recorder, such as
//!   metrics-exporter-prometheus.
//!
//! What the HTTP client or the SDK measures is not measured again (`http.client.*`, `gen_ai.client.*`). These are the decisions:
//!
//! | metric | kind, unit | attributes besides `lb.pool` |
//! | --- | --- | --- |
//! | `lb.requests` | counter | `lb.outcome`: served, returned, exhausted, cancelled, refused |
//! | `lb.request.attempts` | histogram | `lb.outcome` |
//! | `lb.request.duration` | histogram, s | `lb.outcome` |
//! | `lb.attempts` | counter, read | of the backend; `lb.result`: success, throttle, server_error, fault, rejected, cancelled |
//! | `lb.attempts.in_flight` | gauge, read | of the backend |
//! | `lb.attempt.duration` | histogram, s | of the backend; `http.response.status_code`, `error.type` |
//! | `lb.failovers` | counter | `lb.from`, `lb.to`, `lb.reason` |
//! | `lb.cooldowns` | counter | `lb.backend`, `lb.reason`, `lb.hint`: the header that said how long, or `default` |
//! | `lb.cooldown.duration` | histogram, s | the same |
//! | `lb.suspicions` | counter | `lb.backend`, `lb.reason` |
//! | `lb.backend.available` | gauge, read: 1 or 0 | of the backend |
//! | `lb.backend.state` | gauge, read: 1 or 0 | of the backend; `lb.state`: available, cooling, suspect, drained |
//! | `lb.waiting` | gauge, read | none |
//! | `lb.wait.duration` | histogram, s | none |
//!
//! The attributes of a backend are `lb.backend` (its name), `lb.priority`, `server.address` and `server.port`. What is *read*
//! comes from the pool's snapshot when somebody collects. There are as many series as backends times statuses: no model, path
//! or key of a request is in any.
//!
//! In Prometheus the names are `lb_requests_total`, `lb_attempt_duration_seconds_bucket` and so on, by both ways. A dashboard
//! for Grafana is `grafana.json` beside this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "metrics")]
pub mod facade;
#[cfg(any(feature = "metrics", feature = "otel"))]
mod instrument;
#[cfg(any(feature = "metrics", feature = "otel"))]
mod labels;
#[cfg(feature = "otel")]
pub mod otel;
#[cfg(any(feature = "metrics", feature = "otel"))]
mod reading;
#[cfg(any(feature = "metrics", feature = "otel"))]
mod recorder;

#[cfg(any(feature = "metrics", feature = "otel"))]
pub use instrument::{ATTEMPTS, SECONDS};

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
