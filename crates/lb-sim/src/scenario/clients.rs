use serde::Deserialize;

use super::Span;

/// Who sends: how many workers, over which balancer, under which SDK.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Clients {
    pub(crate) client: Client,
    pub(crate) direct_to: Option<String>,
    pub(crate) workers: u32,
    pub(crate) pools: PoolSharing,
    pub(crate) gossip_delay: Span,
    pub(crate) assignment: Assignment,
    pub(crate) sdk: Sdk,
    pub(crate) max_retries: u32,
    pub(crate) timeout: Span,
    pub(crate) connect_timeout: Span,
    pub(crate) connect_fault_latency: Span,
    pub(crate) refusal_latency: Option<Span>,
}

/// What stands between the application and the backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    #[default]
    Balancer,
    Direct,
}

/// Whose refusals a worker knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PoolSharing {
    #[default]
    Private,
    Gossip,
    Shared,
}

/// Which worker takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Assignment {
    #[default]
    Random,
    RoundRobin,
    Sticky,
}

/// What retries above the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum Sdk {
    #[default]
    #[serde(rename = "none")]
    None,
    #[serde(rename = "openai-python-3.54")]
    OpenaiPython,
    #[serde(rename = "openai-python-60s")]
    OpenaiPython60s,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            client: Client::default(),
            direct_to: None,
            workers: 1,
            pools: PoolSharing::default(),
            gossip_delay: Span::from_millis(5),
            assignment: Assignment::default(),
            sdk: Sdk::default(),
            max_retries: 2,
            timeout: Span::from_secs(600),
            connect_timeout: Span::from_secs(10),
            connect_fault_latency: Span::from_millis(10),
            refusal_latency: None,
        }
    }
}
