use crate::chain::Chain;
use crate::ptu::Ptu;
use crate::window::{Kind, Unit, Window};
use crate::{MINUTE, SECOND};

/// The period over which a standard deployment evaluates its requests.
///
/// Microsoft Learn: "a small period of time, typically 1 or 10 seconds". Ten is what the headers of
/// live deployments show (`x-ratelimit-limit-requests: 20` at 120 RPM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequestPeriod {
    /// `rpm / 60` requests per second.
    OneSecond,
    /// `rpm / 6` requests per ten seconds.
    #[default]
    TenSeconds,
}

/// A standard (pay-as-you-go) Azure OpenAI deployment: `tpm` tokens in fixed minutes, and `rpm / 6`
/// requests in fixed ten seconds.
///
/// `phase_ns` is a moment at which the counters are reset; deployments differ in it. `rpm / 6` is
/// rounded **up**, so that a small RPM is not none. Limit 0 of the chain is the tokens, limit 1 the
/// requests.
pub fn azure_standard(tpm: u64, rpm: u64, phase_ns: u64) -> Chain {
    azure_standard_with_period(tpm, rpm, phase_ns, RequestPeriod::default())
}

/// [`azure_standard`] with the period of the request limit.
pub fn azure_standard_with_period(tpm: u64, rpm: u64, phase_ns: u64, period: RequestPeriod) -> Chain {
    let kind = Kind::Fixed { phase_ns };
    let (per_minute, length_ns) = match period {
        RequestPeriod::OneSecond => (60, SECOND),
        RequestPeriod::TenSeconds => (6, 10 * SECOND),
    };
    Chain::new([
        Window::new(Unit::Tokens, tpm, MINUTE).kind(kind).into(),
        Window::new(Unit::Requests, rpm.div_ceil(per_minute), length_ns).kind(kind).into(),
    ])
}

/// A provisioned deployment: one [`Ptu`] bucket.
pub fn azure_ptu(ptu: Ptu) -> Chain {
    Chain::new([ptu.into()])
}

/// What one PTU of a model is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PtuModel {
    /// The model's name, as in the table of the vendor.
    pub name: &'static str,
    /// Input tokens per minute that one PTU works off.
    pub input_tpm_per_ptu: u64,
    /// Input tokens that one output token counts as.
    pub output_ratio: u64,
}

impl PtuModel {
    /// The row of [`PTU_MODELS`] with this name.
    pub fn named(name: &str) -> Option<Self> {
        PTU_MODELS.iter().find(|model| model.name == name).copied()
    }

    /// The rules of a deployment of `ptus` units.
    pub fn ptu(&self, ptus: u64) -> Ptu {
        Ptu::new(ptus, self.input_tpm_per_ptu).output_ratio(self.output_ratio)
    }
}

/// Throughput per PTU, from Microsoft Learn, "Provisioned throughput sizing" (page of 2026-05-21).
///
/// Data of a day: check the page for the model you buy.
pub const PTU_MODELS: &[PtuModel] = &[
    model("gpt-5.5", 1_200, 6),
    model("gpt-5.4", 2_400, 6),
    model("gpt-5.3-codex", 3_400, 8),
    model("gpt-5.2", 3_400, 8),
    model("gpt-5.2-codex", 3_400, 8),
    model("gpt-5.1", 4_750, 8),
    model("gpt-5.1-codex", 4_750, 8),
    model("gpt-5", 4_750, 8),
    model("gpt-5-mini", 23_750, 8),
    model("gpt-4.1", 3_000, 4),
    model("gpt-4.1-mini", 14_900, 4),
    model("gpt-4.1-nano", 59_400, 4),
    model("o3", 3_000, 4),
    model("o4-mini", 5_400, 4),
    model("gpt-4o", 2_500, 4),
    model("gpt-4o-mini", 37_000, 4),
    model("o3-mini", 2_500, 4),
    model("o1", 230, 4),
];

const fn model(name: &'static str, input_tpm_per_ptu: u64, output_ratio: u64) -> PtuModel {
    PtuModel { name, input_tpm_per_ptu, output_ratio }
}
