use serde::Deserialize;

use super::{Span, unit};

/// Something that breaks: a backend or a region, once or again and again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The backend that it hits.
    #[serde(default)]
    pub backend: Option<String>,
    /// The region whose backends it hits.
    #[serde(default)]
    pub region: Option<String>,
    /// What happens to a request.
    pub kind: FaultKind,
    /// The status of `kind = "status"`. Default: 503.
    #[serde(default)]
    pub status: Option<u16>,
    /// How many times slower answers are, of `kind = "slow"`. Default: 10.
    #[serde(default)]
    pub factor: Option<f64>,
    /// The share of requests that it hits while it lasts. Default: 1.
    #[serde(default = "unit")]
    pub share: f64,
    /// On a schedule: when it begins.
    #[serde(default)]
    pub at: Option<Span>,
    /// On a schedule: how long it lasts. Default: until the end.
    #[serde(default, rename = "for")]
    pub lasts: Option<Span>,
    /// At random: mean time between the end of one and the begin of the next, exponential.
    #[serde(default)]
    pub mean_between: Option<Span>,
    /// At random: mean length, exponential.
    #[serde(default)]
    pub mean_duration: Option<Span>,
}

/// What happens to a request that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It is answered with a 5xx.
    Status,
    /// No connection.
    Connect,
    /// No answer ever.
    Hang,
    /// It is answered late.
    Slow,
}
