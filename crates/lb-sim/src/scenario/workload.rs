use std::path::PathBuf;

use lb_limits::CHARS_PER_TOKEN;
use serde::Deserialize;

use super::{Span, unit};

/// The traffic of one request class: when its requests arrive, and how large they are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workload {
    /// The name.
    pub(crate) name: String,
    /// How arrivals come.
    pub(crate) kind: Kind,
    /// Requests per second on average: `poisson`, `gamma`, `bursts`.
    #[serde(default)]
    pub(crate) rate: Option<f64>,
    /// Coefficient of variation of the gaps: `gamma`, and the burstiness of a rate table or an Azure Monitor export
    /// inside its steps, where 1 is Poisson. Default: 1.
    #[serde(default)]
    pub(crate) cv: Option<f64>,
    /// The two states of `bursts`.
    #[serde(default)]
    pub(crate) bursts: Option<Bursts>,
    /// The points of a `rate_table`; between two the rate is linear. After the last it starts over.
    #[serde(default)]
    pub(crate) rates: Vec<RatePoint>,
    /// Users of a `closed` loop.
    #[serde(default)]
    pub(crate) users: Option<u32>,
    /// Mean time a user of a closed loop thinks between the end of an answer and the next request, exponential.
    #[serde(default)]
    pub(crate) think: Option<Span>,
    /// The file of a `trace`, of an `azure_monitor` export, or of a `rate_table` that is not written out.
    #[serde(default)]
    pub(crate) file: Option<PathBuf>,
    /// How the trace's file is written. Default: by its columns.
    #[serde(default)]
    pub(crate) format: Option<TraceFormat>,
    /// The names of the columns of a CSV trace.
    #[serde(default)]
    pub(crate) columns: Option<Columns>,
    /// Starts the trace over when it has ended, until the run's duration. Default: false.
    #[serde(default, rename = "loop")]
    pub(crate) repeat: bool,
    /// Compresses time: 2 replays the trace twice as fast. Default: 1.
    #[serde(default = "unit")]
    pub(crate) speed: f64,
    /// The share of arrivals that are kept, from 0 to 1, drawn for each. Default: 1.
    #[serde(default = "unit")]
    pub(crate) thin: f64,
    /// How many copies of the trace run at once; each but the first starts at a random place. Default: 1.
    #[serde(default = "one_copy")]
    pub(crate) copies: u32,
    /// Tokens of a prompt, cached ones included. Default: from the trace.
    #[serde(default)]
    pub(crate) input: Option<Length>,
    /// Tokens of a completion. Default: from the trace.
    #[serde(default)]
    pub(crate) output: Option<Length>,
    /// The part of a prompt that is in the service's cache, from 0 to 1. Default: from the trace, else 0.
    #[serde(default)]
    pub(crate) cached_share: Option<f64>,
    /// What requests say as `max_tokens`. Default: nothing.
    #[serde(default)]
    pub(crate) max_tokens: MaxTokens,
    /// Characters of a token in this class's prompts: what a standard deployment's estimate counts. Default: 4.
    #[serde(default = "chars_per_token")]
    pub(crate) chars_per_token: f64,
    /// Whether answers are streamed: their head comes with the first token; without, after the last. Default: true.
    #[serde(default = "yes")]
    pub(crate) stream: bool,
    /// When the caller gives up, from the arrival on. Default: never.
    #[serde(default)]
    pub(crate) deadline: Option<Span>,
}

/// How arrivals come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Independent of each other, at a constant rate.
    Poisson,
    /// At equal distances.
    Constant,
    /// With gaps of a gamma distribution: burstier than Poisson above a `cv` of 1, more regular below.
    Gamma,
    /// Poisson with two rates that take turns (a two-state Markov-modulated Poisson process).
    Bursts,
    /// With a rate that follows a table.
    RateTable,
    /// From users who wait for their answers.
    Closed,
    /// As recorded.
    Trace,
    /// As an Azure Monitor export counts them per minute.
    AzureMonitor,
}

/// Two states that take turns, each for an exponential time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bursts {
    /// The rate in a burst, as a multiple of the rate outside.
    pub(crate) factor: f64,
    /// Mean length of a burst.
    pub(crate) burst: Span,
    /// Mean time between two bursts.
    pub(crate) calm: Span,
}

/// A point of a rate table.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatePoint {
    /// When, from the start.
    pub(crate) at: Span,
    /// Requests per second.
    pub(crate) rate: f64,
}

/// How a trace's file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TraceFormat {
    /// The Azure LLM inference traces of 2023 and 2024: `TIMESTAMP,ContextTokens,GeneratedTokens`.
    Azure,
    /// Mooncake's JSON lines: `timestamp` (ms), `input_length`, `output_length`, `hash_ids` of 512-token blocks.
    Mooncake,
    /// BurstGPT's CSV.
    Burstgpt,
    /// A CSV with a header line; [`Columns`] names its columns.
    Csv,
}

/// The columns of a CSV trace. Times are seconds, or dates in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    /// The time of arrival, in seconds, or as a date; see `time_unit`.
    pub(crate) time: String,
    /// What a number in the time column counts. Default: 1 s.
    #[serde(default)]
    pub(crate) time_unit: Option<Span>,
    /// Prompt tokens, cached ones included.
    #[serde(default)]
    pub(crate) input: Option<String>,
    /// Completion tokens.
    #[serde(default)]
    pub(crate) output: Option<String>,
    /// Cached prompt tokens.
    #[serde(default)]
    pub(crate) cached: Option<String>,
    /// What the request said as `max_tokens`; empty: nothing.
    #[serde(default)]
    pub(crate) max_tokens: Option<String>,
    /// Requests of the minute, in an Azure Monitor export.
    #[serde(default)]
    pub(crate) requests: Option<String>,
    /// Requests per second, in the file of a rate table.
    #[serde(default)]
    pub(crate) rate: Option<String>,
}

/// A number of tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "a number of tokens, { mean, sigma }, { mean, law = \"exponential\" }, { quantiles = [..] }, or { from = \"trace.csv\" }"
)]
pub(crate) enum Length {
    /// Always the same.
    Constant(u64),
    /// Lognormal: the mean, and the standard deviation of the logarithm.
    Lognormal(Lognormal),
    /// Another law, by its name and its mean.
    Named(NamedLength),
    /// Quantiles at equal distances, from the smallest to the largest; between two it is linear.
    Quantiles(LengthQuantiles),
    /// Drawn from the lengths in a trace. Input and output with the same file are drawn together, from one line.
    Resampled(Resampled),
}

/// See [`Length::Lognormal`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lognormal {
    /// The mean.
    pub(crate) mean: f64,
    /// The standard deviation of the logarithm.
    pub(crate) sigma: f64,
    /// The largest value. Default: none.
    #[serde(default)]
    pub(crate) max: Option<u64>,
}

/// See [`Length::Named`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedLength {
    /// The mean.
    pub(crate) mean: f64,
    /// The law.
    pub(crate) law: Law,
}

/// A law of lengths that its mean alone determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Law {
    /// Exponential, rounded to whole tokens: what the closed forms of queueing theory assume of a cost or a service.
    Exponential,
}

/// See [`Length::Quantiles`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LengthQuantiles {
    /// At least two, not falling.
    pub(crate) quantiles: Vec<f64>,
}

/// See [`Length::Resampled`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resampled {
    /// The trace's file.
    pub(crate) from: PathBuf,
    /// How it is written. Default: by its columns.
    #[serde(default)]
    pub(crate) format: Option<TraceFormat>,
    /// The names of the columns of a CSV.
    #[serde(default)]
    pub(crate) columns: Option<Columns>,
}

/// What requests say as `max_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(
    untagged,
    expecting = "\"none\", \"exact\", \"trace\", a number of tokens, or { factor = 2.0, min = 256, max = 4096 }"
)]
pub(crate) enum MaxTokens {
    /// By a word.
    Named(NamedMaxTokens),
    /// The same for all.
    Constant(u64),
    /// A multiple of what the completion will have: what a caller does who knows the answers' lengths roughly.
    Factor(Factor),
    /// Nothing is said.
    #[default]
    #[serde(skip)]
    Absent,
}

/// A word for a policy on `max_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NamedMaxTokens {
    /// Nothing is said; the service assumes its default.
    None,
    /// Exactly what the completion will have.
    Exact,
    /// What the trace says.
    Trace,
}

/// See [`MaxTokens::Factor`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Factor {
    /// The multiple.
    pub(crate) factor: f64,
    /// At least this. Default: 1.
    #[serde(default = "super::one")]
    pub(crate) min: u64,
    /// At most this. Default: no limit.
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
