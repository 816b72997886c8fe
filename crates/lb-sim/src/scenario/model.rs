use lb_limits::{Increment, Ptu, PtuModel};
use serde::Deserialize;

use super::{DeploymentType, Span};

/// A model: what a PTU of it is worth, how fast it answers, what its tokens cost.
///
/// A model of the built-in table ([`lb_limits::PTU_MODELS`]) needs no entry; an entry with its name overrides what it
/// names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// The name.
    pub(crate) name: String,
    /// Input tokens per minute that one PTU works off.
    #[serde(default)]
    pub(crate) input_tpm_per_ptu: Option<u64>,
    /// Input tokens that one output token counts as.
    #[serde(default)]
    pub(crate) output_ratio: Option<u64>,
    /// The fewest PTUs that a global or data-zone deployment can have.
    #[serde(default)]
    pub(crate) ptu_minimum: Option<u64>,
    /// The step in which their PTUs are sold.
    #[serde(default)]
    pub(crate) ptu_step: Option<u64>,
    /// The fewest PTUs that a regional deployment can have.
    #[serde(default)]
    pub(crate) regional_ptu_minimum: Option<u64>,
    /// The step in which their PTUs are sold.
    #[serde(default)]
    pub(crate) regional_ptu_step: Option<u64>,
    /// Time to the first token.
    #[serde(default)]
    pub(crate) ttft: FirstToken,
    /// Time per output token after it.
    #[serde(default)]
    pub(crate) tpot: PerToken,
    /// Dollars per million uncached input tokens, pay as you go.
    #[serde(default)]
    pub(crate) price_input: Option<f64>,
    /// Dollars per million cached input tokens. Default: as uncached ones.
    #[serde(default)]
    pub(crate) price_cached_input: Option<f64>,
    /// Dollars per million output tokens.
    #[serde(default)]
    pub(crate) price_output: Option<f64>,
}

/// Time to the first token: `(base + per_1k_input * uncached input tokens / 1000)`, times a lognormal noise of mean 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstToken {
    /// Without any input. Default: 250 ms.
    #[serde(default = "ttft_base")]
    pub(crate) base: Span,
    /// Per 1,000 uncached input tokens. Default: 60 ms.
    #[serde(default = "ttft_per_1k_input")]
    pub(crate) per_1k_input: Span,
    /// Standard deviation of the noise's logarithm. Default: 0.35.
    #[serde(default = "ttft_sigma")]
    pub(crate) sigma: f64,
}

/// Time per output token after the first, times a lognormal noise of mean 1 that is drawn once per attempt.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerToken {
    /// The mean. Default: 13 ms, about the 80 tokens a second that Azure names as a target for gpt-4.1.
    #[serde(default = "tpot_mean")]
    pub(crate) mean: Span,
    /// Standard deviation of the noise's logarithm. Default: 0.25.
    #[serde(default = "tpot_sigma")]
    pub(crate) sigma: f64,
}

const fn ttft_base() -> Span {
    Span::from_millis(250)
}

const fn ttft_per_1k_input() -> Span {
    Span::from_millis(60)
}

const fn ttft_sigma() -> f64 {
    0.35
}

const fn tpot_mean() -> Span {
    Span::from_millis(13)
}

const fn tpot_sigma() -> f64 {
    0.25
}

impl Default for FirstToken {
    fn default() -> Self {
        Self { base: ttft_base(), per_1k_input: ttft_per_1k_input(), sigma: ttft_sigma() }
    }
}

impl Default for PerToken {
    fn default() -> Self {
        Self { mean: tpot_mean(), sigma: tpot_sigma() }
    }
}

impl Model {
    /// The model of this name, without an entry of its own: everything is the built-in table's or the default.
    pub(crate) fn built_in(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            input_tpm_per_ptu: None,
            output_ratio: None,
            ptu_minimum: None,
            ptu_step: None,
            regional_ptu_minimum: None,
            regional_ptu_step: None,
            ttft: FirstToken::default(),
            tpot: PerToken::default(),
            price_input: None,
            price_cached_input: None,
            price_output: None,
        }
    }

    /// Input tokens per minute and PTU, if the entry or the table says.
    pub(crate) fn input_tpm_per_ptu(&self) -> Option<u64> {
        self.input_tpm_per_ptu.or_else(|| Some(PtuModel::named(&self.name)?.input_tpm_per_ptu))
    }

    /// Input tokens that an output token counts as; 4 if neither the entry nor the table says.
    pub(crate) fn output_ratio(&self) -> u64 {
        self.output_ratio
            .or_else(|| Some(PtuModel::named(&self.name)?.output_ratio))
            .unwrap_or(Ptu::DEFAULT_OUTPUT_RATIO)
    }

    /// The PTU counts that can be bought.
    pub(crate) fn increment(&self, deployment: DeploymentType) -> Increment {
        let table = PtuModel::named(&self.name);
        let (own_minimum, own_step, table) = match deployment {
            DeploymentType::Global | DeploymentType::DataZone => {
                (self.ptu_minimum, self.ptu_step, table.map(|model| model.global))
            }
            DeploymentType::Regional => {
                (self.regional_ptu_minimum, self.regional_ptu_step, table.map(|model| model.regional))
            }
        };
        let table = table.unwrap_or(Increment::new(1, 1));
        Increment::new(own_minimum.unwrap_or(table.minimum), own_step.unwrap_or(table.step))
    }
}
