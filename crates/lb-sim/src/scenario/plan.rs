use serde::Deserialize;

use super::Span;

/// What `lb-sim plan` varies, and the limits to meet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) backend: String,
    pub(crate) max_ptus: Option<u64>,
    #[serde(default)]
    pub(crate) bursts: Vec<Span>,
    #[serde(default = "replications")]
    pub(crate) replications: u32,
    #[serde(default)]
    pub(crate) every_step: bool,
    pub(crate) quotas: Option<Quotas>,
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// The pay-as-you-go quotas to plan at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quotas {
    pub(crate) backend: String,
    pub(crate) tpm: Vec<u64>,
}

/// What must hold, with 95 % confidence.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) spill_share: Option<f64>,
    pub(crate) application_429_share: Option<f64>,
    pub(crate) failed_share: Option<f64>,
    pub(crate) added_wait_p95: Option<Span>,
    pub(crate) added_wait_p99: Option<Span>,
    pub(crate) ttft_p95: Option<Span>,
}

const fn replications() -> u32 {
    8
}
