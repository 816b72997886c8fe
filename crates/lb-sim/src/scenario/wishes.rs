use serde::Deserialize;

use super::Span;

/// What requests of a workload wish beside what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wishes {
    pub(crate) within: Option<Span>,
    pub(crate) affinity: bool,
    pub(crate) pin: f64,
    pub(crate) wait: bool,
    pub(crate) head_timeout: Option<Span>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { within: None, affinity: false, pin: 0.0, wait: true, head_timeout: None }
    }
}

/// The conversations that requests of a workload are of.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) count: u32,
    #[serde(default)]
    pub(crate) zipf: f64,
    #[serde(default)]
    pub(crate) cached: f64,
    #[serde(default = "five_minutes")]
    pub(crate) ttl: Span,
}

/// Azure clears a prompt cache after 5 to 10 minutes without use.
const fn five_minutes() -> Span {
    Span::from_nanos(300 * lb_limits::SECOND)
}
