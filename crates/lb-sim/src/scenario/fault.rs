use serde::Deserialize;

use super::{Span, unit};

/// Something that breaks: a backend or a region, once or again and again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The backend that it hits.
    #[serde(default)]
    pub(crate) backend: Option<String>,
    /// The region whose backends it hits.
    #[serde(default)]
    pub(crate) region: Option<String>,
    /// What happens to a request.
    pub(crate) kind: FaultKind,
    /// The status of `kind = "status"`. Default: 503.
    #[serde(default)]
    pub(crate) status: Option<u16>,
    /// How many times slower answers are, of `kind = "slow"`. Default: 10.
    #[serde(default)]
    pub(crate) factor: Option<f64>,
    /// The share of requests that it hits while it lasts. Default: 1.
    #[serde(default = "unit")]
    pub(crate) share: f64,
    /// On a schedule: when it begins.
    #[serde(default)]
    pub(crate) at: Option<Span>,
    /// On a schedule: how long it lasts. Default: until the end.
    #[serde(default, rename = "for")]
    pub(crate) lasts: Option<Span>,
    /// At random: mean time between the end of one and the begin of the next, exponential.
    #[serde(default)]
    pub(crate) mean_between: Option<Span>,
    /// At random: mean length, exponential.
    #[serde(default)]
    pub(crate) mean_duration: Option<Span>,
}

/// What happens to a request that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultKind {
    /// It is answered with a 5xx.
    Status,
    /// No connection.
    Connect,
    /// No answer ever.
    Hang,
    /// It is answered late.
    Slow,
}
