use std::path::PathBuf;

use lb_core::PoolOptions;
use lb_limits::CHARS_PER_TOKEN;
use serde::Deserialize;

use super::{Clients, Keys, Offset, Span, Wishes, unit};

/// The traffic of one request class: when its requests arrive, and how large they are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) rate: Option<f64>,
    pub(crate) cv: Option<f64>,
    pub(crate) bursts: Option<Bursts>,
    #[serde(default)]
    pub(crate) rates: Vec<RatePoint>,
    #[serde(default)]
    pub(crate) interpolate: Interpolate,
    pub(crate) users: Option<u32>,
    pub(crate) think: Option<Span>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) format: Option<TraceFormat>,
    pub(crate) columns: Option<Columns>,
    #[serde(default)]
    pub(crate) offset: Offset,
    #[serde(default, deserialize_with = "Offset::of_zone")]
    pub(crate) time_zone: Option<Offset>,
    #[serde(default, rename = "loop")]
    pub(crate) repeat: bool,
    #[serde(default = "unit")]
    pub(crate) speed: f64,
    #[serde(default = "unit")]
    pub(crate) thin: f64,
    #[serde(default = "one_copy")]
    pub(crate) copies: u32,
    pub(crate) input: Option<Length>,
    pub(crate) output: Option<Length>,
    pub(crate) cached_share: Option<f64>,
    #[serde(default)]
    pub(crate) max_tokens: MaxTokens,
    #[serde(default = "chars_per_token")]
    pub(crate) chars_per_token: f64,
    #[serde(default = "yes")]
    pub(crate) stream: bool,
    pub(crate) deadline: Option<Span>,
    pub(crate) retry: Option<Retry>,
    pub(crate) backends: Option<Vec<String>>,
    pub(crate) clients: Option<Clients>,
    pub(crate) pool: Option<PoolOptions>,
    pub(crate) keys: Option<Keys>,
    pub(crate) wishes: Option<Wishes>,
}

/// How arrivals come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Poisson,
    Constant,
    Gamma,
    Bursts,
    RateTable,
    Closed,
    Trace,
    AzureMonitor,
}

/// What a workload's application does itself after a failure; without `times` until the request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    pub(crate) times: Option<u32>,
    pub(crate) wait: Span,
}

/// Two states that take turns, each for an exponential time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bursts {
    pub(crate) factor: f64,
    pub(crate) burst: Span,
    pub(crate) calm: Span,
}

/// A point of a rate table.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatePoint {
    pub(crate) at: Span,
    pub(crate) rate: f64,
}

/// What the rate is between two points of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Interpolate {
    #[default]
    Linear,
    Steps,
}

/// How a trace's file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TraceFormat {
    Azure,
    Mooncake,
    Burstgpt,
    Otel,
    Litellm,
    Csv,
}

/// The columns of a CSV trace. Times are seconds, or dates in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    pub(crate) time: String,
    pub(crate) time_unit: Option<Span>,
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) cached: Option<String>,
    pub(crate) max_tokens: Option<String>,
    pub(crate) requests: Option<String>,
    pub(crate) rate: Option<String>,
}

/// A number of tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "a number of tokens, { mean, sigma }, { mean, law = \"exponential\" }, { quantiles = [..] }, or { from = \"trace.csv\" }"
)]
pub(crate) enum Length {
    Constant(u64),
    Lognormal(Lognormal),
    Named(NamedLength),
    Quantiles(LengthQuantiles),
    Resampled(Resampled),
}

/// See [`Length::Lognormal`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lognormal {
    pub(crate) mean: f64,
    pub(crate) sigma: f64,
    pub(crate) max: Option<u64>,
}

/// See [`Length::Named`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedLength {
    pub(crate) mean: f64,
    pub(crate) law: Law,
}

/// A law of lengths that its mean alone determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Law {
    Exponential,
}

/// See [`Length::Quantiles`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LengthQuantiles {
    pub(crate) quantiles: Vec<f64>,
}

/// See [`Length::Resampled`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resampled {
    pub(crate) from: PathBuf,
    pub(crate) format: Option<TraceFormat>,
    pub(crate) columns: Option<Columns>,
}

/// What requests say as `max_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(
    untagged,
    expecting = "\"none\", \"exact\", \"trace\", a number of tokens, or { factor = 2.0, min = 256, max = 4096 }"
)]
pub(crate) enum MaxTokens {
    Named(NamedMaxTokens),
    Constant(u64),
    Factor(Factor),
    #[default]
    #[serde(skip)]
    Absent,
}

/// A word for a policy on `max_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NamedMaxTokens {
    None,
    Exact,
    Trace,
}

/// See [`MaxTokens::Factor`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Factor {
    pub(crate) factor: f64,
    #[serde(default = "super::one")]
    pub(crate) min: u64,
    #[serde(default = "no_limit")]
    pub(crate) max: u64,
}

const fn no_limit() -> u64 {
    u64::MAX
}

const fn one_copy() -> u32 {
    1
}

const fn chars_per_token() -> f64 {
    CHARS_PER_TOKEN as f64
}

const fn yes() -> bool {
    true
}
