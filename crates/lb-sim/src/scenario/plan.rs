use serde::Deserialize;

use super::Span;

/// What `lb-sim plan` varies, and the limits to meet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// The backend whose PTUs are varied, of preset `azure-ptu`.
    pub(crate) backend: String,
    /// The most PTUs to look at. Default: twice what the mean traffic needs, at least ten steps.
    #[serde(default)]
    pub(crate) max_ptus: Option<u64>,
    /// The bucket depths to answer for. Default: 1 s, 10 s and 60 s.
    #[serde(default)]
    pub(crate) bursts: Vec<Span>,
    /// Runs per step and depth, for the intervals. Default: 8.
    #[serde(default = "replications")]
    pub(crate) replications: u32,
    /// What must hold.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// What must hold, with 95 % confidence.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// The share of the successes that another backend than the varied one served.
    #[serde(default)]
    pub(crate) spill_share: Option<f64>,
    /// Of the requests that ended: the share that ended with a 429 at the application.
    #[serde(default)]
    pub(crate) application_429_share: Option<f64>,
    /// Of the requests that ended: the share without success, for whatever reason.
    #[serde(default)]
    pub(crate) failed_share: Option<f64>,
    /// 95th percentile of the added wait.
    #[serde(default)]
    pub(crate) added_wait_p95: Option<Span>,
    /// 99th percentile of the added wait.
    #[serde(default)]
    pub(crate) added_wait_p99: Option<Span>,
    /// 95th percentile of the time from the arrival to the first token.
    #[serde(default)]
    pub(crate) ttft_p95: Option<Span>,
}

const fn replications() -> u32 {
    8
}
