use lb_limits::{Increment, Ptu, PtuModel};
use serde::Deserialize;

use super::{DeploymentType, Span};

/// A model: what a PTU of it is worth, how fast it answers, what its tokens cost.
///
/// A model of the built-in table ([`lb_limits::PTU_MODELS`]) needs no entry; an entry with its name overrides what it
/// names.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) input_tpm_per_ptu: Option<u64>,
    pub(crate) output_ratio: Option<u64>,
    pub(crate) ptu_minimum: Option<u64>,
    pub(crate) ptu_step: Option<u64>,
    pub(crate) regional_ptu_minimum: Option<u64>,
    pub(crate) regional_ptu_step: Option<u64>,
    #[serde(default)]
    pub(crate) ttft: FirstToken,
    #[serde(default)]
    pub(crate) tpot: PerToken,
    pub(crate) price_input: Option<f64>,
    pub(crate) price_cached_input: Option<f64>,
    pub(crate) price_output: Option<f64>,
}

/// Time to the first token: `(base + per_1k_input * uncached input tokens / 1000)`, times a lognormal noise of mean 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FirstToken {
    pub(crate) base: Span,
    pub(crate) per_1k_input: Span,
    pub(crate) sigma: f64,
}

/// Time per output token after the first, times a lognormal noise of mean 1 that is drawn once per attempt.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PerToken {
    pub(crate) mean: Span,
    pub(crate) sigma: f64,
}

impl Default for FirstToken {
    fn default() -> Self {
        Self { base: Span::from_millis(250), per_1k_input: Span::from_millis(60), sigma: 0.35 }
    }
}

impl Default for PerToken {
    fn default() -> Self {
        Self { mean: Span::from_millis(13), sigma: 0.25 }
    }
}

impl Model {
    /// The model of this name, without an entry of its own: everything is the built-in table's or the default.
    pub(crate) fn built_in(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
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
