use lb_limits::{Admit, HintForm, Kind, RequestPeriod, Unit};
use serde::{Deserialize, Serialize};

use super::{Span, unit};

/// A deployment: its place in the balancer's pool, its limits, its speed, its headers, its price.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backend {
    pub(crate) name: String,
    #[serde(default = "one")]
    pub(crate) priority: u32,
    #[serde(default = "one")]
    pub(crate) weight: u32,
    #[serde(default)]
    pub(crate) model: String,
    pub(crate) region: Option<String>,
    #[serde(default)]
    pub(crate) preset: Preset,
    pub(crate) quota: Option<String>,
    pub(crate) ptus: Option<u64>,
    #[serde(default)]
    pub(crate) deployment_type: DeploymentType,
    pub(crate) burst: Option<Span>,
    pub(crate) default_max_tokens: Option<u64>,
    pub(crate) cache_min: Option<u64>,
    pub(crate) price_ptu_hour: Option<f64>,
    pub(crate) price_ptu_month: Option<f64>,
    pub(crate) price_ptu_year: Option<f64>,
    pub(crate) tpm: Option<u64>,
    pub(crate) rpm: Option<u64>,
    pub(crate) rpm_per_1k_tpm: Option<f64>,
    #[serde(default)]
    pub(crate) request_period: RequestPeriod,
    #[serde(default)]
    pub(crate) phase: Phase,
    #[serde(default)]
    pub(crate) counts_refused: bool,
    #[serde(default, rename = "window")]
    pub(crate) windows: Vec<Window>,
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) foreign: Option<Foreign>,
    #[serde(default)]
    pub(crate) hints: Hints,
    pub(crate) refusal_latency: Option<Span>,
    #[serde(default = "unit")]
    pub(crate) latency_factor: f64,
}

/// The limits of a kind of deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preset {
    #[default]
    None,
    AzureStandard,
    AzurePtu,
}

/// Where a provisioned deployment may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeploymentType {
    #[default]
    Global,
    DataZone,
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
    pub(crate) unit: Unit,
    pub(crate) limit: u64,
    pub(crate) length: Span,
    #[serde(default)]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) phase: Phase,
    #[serde(default)]
    pub(crate) admit: Admit,
    #[serde(default)]
    pub(crate) counts_refused: bool,
}

/// How many requests are served at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Concurrency {
    pub(crate) max_inflight: u64,
    #[serde(default)]
    pub(crate) queue: u64,
}

/// Somebody else's traffic on the same quota: Poisson arrivals of equal requests.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Foreign {
    pub(crate) tpm: f64,
    #[serde(default = "foreign_tokens")]
    pub(crate) tokens: u64,
}

/// What a backend's headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hints {
    pub(crate) policy: HintPolicy,
    pub(crate) form: HintForm,
    pub(crate) constant: Option<Span>,
    pub(crate) remaining: Remaining,
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
    #[default]
    Exact,
    Ceiling,
    Constant,
    Optimistic,
    Zero,
    None,
}

/// What `x-ratelimit-remaining-*` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remaining {
    #[default]
    None,
    Documented,
    Observed,
}

const fn one() -> u32 {
    1
}

const fn foreign_tokens() -> u64 {
    1_000
}
