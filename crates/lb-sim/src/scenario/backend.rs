use lb_limits::{Admit, HintForm, Kind, RequestPeriod, Unit};
use serde::{Deserialize, Serialize};

use super::{Span, unit};

/// A deployment: its place in the balancer's pool, its limits, its speed, its headers, its price.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backend {
    /// The name.
    pub(crate) name: String,
    /// Lower goes first. Default: 1.
    #[serde(default = "one")]
    pub(crate) priority: u32,
    /// From 1 to 100, among equals in priority. Default: 1.
    #[serde(default = "one")]
    pub(crate) weight: u32,
    /// The model, of the built-in table or of a `[[model]]` entry. Default: a model without a name.
    #[serde(default)]
    pub(crate) model: String,
    /// The region: faults can hit all backends of one.
    #[serde(default)]
    pub(crate) region: Option<String>,
    /// The limits to start from. Default: none.
    #[serde(default)]
    pub(crate) preset: Preset,
    /// The quota this deployment draws on, if others share it: the limits are then those of the first backend that
    /// names the quota, and the others give none.
    #[serde(default)]
    pub(crate) quota: Option<String>,

    /// `azure-ptu`: provisioned throughput units. Zero: the deployment is not there, and the pool goes without it.
    #[serde(default)]
    pub(crate) ptus: Option<u64>,
    /// `azure-ptu`: where the PTUs may serve; says which counts are for sale. Default: global.
    #[serde(default)]
    pub(crate) deployment_type: DeploymentType,
    /// `azure-ptu`: depth of the bucket, as the time in which it drains. Not documented: sweep it. Default: 10 s.
    #[serde(default)]
    pub(crate) burst: Option<Span>,
    /// Output tokens that the service assumes of a request without `max_tokens`. Default: 1,000 on a PTU, 16 on a
    /// standard deployment.
    #[serde(default)]
    pub(crate) default_max_tokens: Option<u64>,
    /// `azure-ptu`: cached prompt tokens are deducted from this many on. Default: 1,024.
    #[serde(default)]
    pub(crate) cache_min: Option<u64>,
    /// `azure-ptu`: dollars per PTU and hour.
    #[serde(default)]
    pub(crate) price_ptu_hour: Option<f64>,
    /// `azure-ptu`: dollars per PTU and month, reserved.
    #[serde(default)]
    pub(crate) price_ptu_month: Option<f64>,

    /// `azure-standard`: tokens per minute.
    #[serde(default)]
    pub(crate) tpm: Option<u64>,
    /// `azure-standard`: requests per minute. Default: `rpm_per_1k_tpm` of the tokens.
    #[serde(default)]
    pub(crate) rpm: Option<u64>,
    /// `azure-standard`: requests per minute for each 1,000 tokens per minute. Default: 6.
    #[serde(default)]
    pub(crate) rpm_per_1k_tpm: Option<f64>,
    /// `azure-standard`: over what the requests are counted. Default: 10 s.
    #[serde(default)]
    pub(crate) request_period: RequestPeriod,
    /// `azure-standard`: when its windows reset. Default: at random, drawn per deployment.
    #[serde(default)]
    pub(crate) phase: Phase,
    /// `azure-standard`: whether refused requests are charged too. Default: false.
    #[serde(default)]
    pub(crate) counts_refused: bool,

    /// More limits, after those of the preset.
    #[serde(default, rename = "window")]
    pub(crate) windows: Vec<Window>,
    /// How many requests are served at once.
    #[serde(default)]
    pub(crate) concurrency: Option<Concurrency>,
    /// Somebody else's traffic on the same quota.
    #[serde(default)]
    pub(crate) foreign: Option<Foreign>,
    /// What refusals, and answers, say in their headers.
    #[serde(default)]
    pub(crate) hints: Hints,
    /// Time until the head of a refusal or of a failure is back. Default: 30 ms.
    #[serde(default = "refusal_latency")]
    pub(crate) refusal_latency: Span,
    /// Multiplies the latency of every answer: 1.2 for a far region. Default: 1.
    #[serde(default = "unit")]
    pub(crate) latency_factor: f64,
}

/// The limits of a kind of deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preset {
    /// No limits but those that the entry gives.
    #[default]
    None,
    /// Pay as you go: tokens per fixed minute, requests per 10 s or 1 s.
    AzureStandard,
    /// Provisioned: a leaky bucket.
    AzurePtu,
}

/// Where a provisioned deployment may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeploymentType {
    /// Anywhere.
    #[default]
    Global,
    /// Anywhere in a data zone.
    DataZone,
    /// In one region.
    Regional,
}

/// When fixed windows reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// At a moment that is drawn per deployment.
    #[default]
    Random,
    /// At this moment, and at whole lengths from it.
    At(Span),
}

impl<'de> Deserialize<'de> for Phase {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "random" {
            return Ok(Self::Random);
        }
        Span::deserialize(serde::de::IntoDeserializer::<serde::de::value::Error>::into_deserializer(text))
            .map(Self::At)
            .map_err(|error| serde::de::Error::custom(format!("{error}, or \"random\"")))
    }
}

/// A limit of `limit` units in `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// What is counted.
    pub(crate) unit: Unit,
    /// Units in one length.
    pub(crate) limit: u64,
    /// The length.
    pub(crate) length: Span,
    /// How the count is forgotten. Default: fixed.
    #[serde(default)]
    pub(crate) kind: Kind,
    /// When a fixed window resets. Default: at random.
    #[serde(default)]
    pub(crate) phase: Phase,
    /// When a request is let in. Default: if it fits.
    #[serde(default)]
    pub(crate) admit: Admit,
    /// Whether refused requests are charged too. Default: false.
    #[serde(default)]
    pub(crate) counts_refused: bool,
}

/// How many requests are served at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Concurrency {
    /// At once, from the admission to the last token.
    pub(crate) max_inflight: u64,
    /// How many more may wait for a place, first come first served. Default: 0.
    #[serde(default)]
    pub(crate) queue: u64,
}

/// Somebody else's traffic on the same quota: Poisson arrivals of equal requests.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Foreign {
    /// Tokens per minute that they ask for.
    pub(crate) tpm: f64,
    /// Tokens of each of their requests. Default: 1,000.
    #[serde(default = "foreign_tokens")]
    pub(crate) tokens: u64,
}

/// What a backend's headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hints {
    /// How the time to wait is told. Default: exact.
    pub(crate) policy: HintPolicy,
    /// In which headers. Default: both.
    pub(crate) form: HintForm,
    /// What `constant` and `optimistic` say. Default: 1 s.
    pub(crate) constant: Option<Span>,
    /// What `x-ratelimit-remaining-*` and `x-ratelimit-reset-*` of a refusal mean. The balancer reads them if there is no
    /// `retry-after`. Default: nothing is sent.
    pub(crate) remaining: Remaining,
    /// A refusal comes as a 200 whose stream holds the error; its `retry-after` is all that tells. Default: false.
    pub(crate) refuse_with_200: bool,
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            policy: HintPolicy::default(),
            form: HintForm::Millis,
            constant: None,
            remaining: Remaining::default(),
            refuse_with_200: false,
        }
    }
}

/// How the time to wait is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HintPolicy {
    /// The first moment at which the refused request would be let in.
    #[default]
    Exact,
    /// The same, rounded up to whole seconds in every form.
    Ceiling,
    /// Always the same.
    Constant,
    /// At most `constant`, however long it really takes: what `retry-after: 1` beside an empty minute does.
    Optimistic,
    /// Zero: the refusal takes the backend out of this request only.
    Zero,
    /// Nothing: the client's default applies.
    None,
}

/// What `x-ratelimit-remaining-*` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remaining {
    /// Nothing is sent.
    #[default]
    None,
    /// What is left of the window, and when all of it is back, as documented.
    Documented,
    /// A bucket of less than a second, quoted against the minute and full again, and a reset of 0: as measured on a live
    /// deployment. It says nothing about the wait.
    Observed,
}

const fn one() -> u32 {
    1
}

const fn refusal_latency() -> Span {
    Span::from_millis(30)
}

const fn foreign_tokens() -> u64 {
    1_000
}
