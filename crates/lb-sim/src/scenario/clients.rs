use serde::Deserialize;

use super::Span;

/// Who sends: how many workers, over which balancer, under which SDK.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clients {
    /// What stands between the application and the backends. Default: the balancer.
    #[serde(default)]
    pub(crate) client: Client,
    /// `direct`: the backend that gets every request. Default: the first of the best priority.
    #[serde(default)]
    pub(crate) direct_to: Option<String>,
    /// Processes that send. Default: 1.
    #[serde(default = "one_worker")]
    pub(crate) workers: u32,
    /// Whether they know of each other's refusals. Default: each has a pool of its own.
    #[serde(default)]
    pub(crate) pools: PoolSharing,
    /// Which worker takes a request. Default: a random one.
    #[serde(default)]
    pub(crate) assignment: Assignment,
    /// What retries above the balancer, or above the backend if there is none. Default: nothing.
    #[serde(default)]
    pub(crate) sdk: Sdk,
    /// How often the SDK tries again. Default: 2.
    #[serde(default = "two")]
    pub(crate) max_retries: u32,
    /// How long an attempt may take until the head of its answer. Default: 600 s, as openai-python.
    #[serde(default = "ten_minutes")]
    pub(crate) timeout: Span,
    /// Time until a connection fails to a backend that is not there. Default: 10 ms.
    #[serde(default = "connect_time")]
    pub(crate) connect_fault_latency: Span,
}

/// What stands between the application and the backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    /// The balancer of lb-core.
    #[default]
    Balancer,
    /// Nothing: every request goes to one backend, and its answer is the application's.
    Direct,
}

/// Whose refusals a worker knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PoolSharing {
    /// Its own.
    #[default]
    Private,
    /// Everybody's: all workers use one pool.
    Shared,
}

/// Which worker takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Assignment {
    /// A random one.
    #[default]
    Random,
    /// The next one.
    RoundRobin,
    /// The one that the request's workload and session belong to: a block of 64 requests of a workload stays with one
    /// worker.
    Sticky,
}

/// What retries above the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum Sdk {
    /// Nothing.
    #[default]
    #[serde(rename = "none")]
    None,
    /// openai-python 3.54: waits for `retry-after-ms` or `retry-after` up to 120 s, gives up above, and backs off from
    /// 0.5 s to 8 s without one.
    #[serde(rename = "openai-python-3.54")]
    OpenaiPython,
    /// Earlier versions of it: believe a hint up to 60 s, and back off above.
    #[serde(rename = "openai-python-60s")]
    OpenaiPython60s,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            client: Client::default(),
            direct_to: None,
            workers: one_worker(),
            pools: PoolSharing::default(),
            assignment: Assignment::default(),
            sdk: Sdk::default(),
            max_retries: two(),
            timeout: ten_minutes(),
            connect_fault_latency: connect_time(),
        }
    }
}

/// The options of every pool; the defaults are lb-core's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pool {
    /// How long a backend cools down without a usable hint. Default: 10 s.
    #[serde(default)]
    pub(crate) default_cooldown: Option<Span>,
    /// The longest hint that is credible. Default: 600 s.
    #[serde(default)]
    pub(crate) max_cooldown: Option<Span>,
    /// More statuses, from 400 to 499, that fail over. Default: none.
    #[serde(default)]
    pub(crate) fail_over_on: Vec<u16>,
    /// Whether a timeout or reset after the request went out fails over. Default: false.
    #[serde(default)]
    pub(crate) fail_over_after_send: bool,
    /// Whether exhaustion is always answered with a synthesised 429. Default: false.
    #[serde(default)]
    pub(crate) always_synthesize: bool,
    /// How many backends one request may try. Default: each once.
    #[serde(default)]
    pub(crate) max_attempts: Option<u32>,
}

const fn one_worker() -> u32 {
    1
}

const fn two() -> u32 {
    2
}

const fn ten_minutes() -> Span {
    Span::from_secs(600)
}

const fn connect_time() -> Span {
    Span::from_millis(10)
}
