use serde::Deserialize;

use super::{Span, unit};

/// Something that breaks: a backend, a region, or the requests of a workload, once or again and again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) backend: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) workload: Option<String>,
    pub(crate) kind: FaultKind,
    pub(crate) status: Option<u16>,
    pub(crate) hint: Option<Span>,
    pub(crate) after: Option<Span>,
    pub(crate) factor: Option<f64>,
    #[serde(default = "unit")]
    pub(crate) share: f64,
    pub(crate) at: Option<Span>,
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Span>,
    pub(crate) mean_between: Option<Span>,
    pub(crate) mean_duration: Option<Span>,
}

/// What happens to a request that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultKind {
    Status,
    Connect,
    ConnectTimeout,
    Reset,
    Hang,
    Slow,
}

impl FaultKind {
    /// Whether no connection comes about.
    pub(crate) const fn is_of_connecting(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout)
    }
}
