use crate::{
    MINUTE, SECOND,
    chain::Chain,
    limit::Limit,
    ptu::Ptu,
    window::{Unit, Window},
};

/// Requests per minute that come with 1,000 tokens per minute (Microsoft Learn, "Manage Azure OpenAI quota", for the chat
/// models before o1).
pub const RPM_PER_1000_TPM: u32 = 6;

/// The period over which a standard deployment evaluates its requests.
///
/// Microsoft Learn: "a small period of time, typically 1 or 10 seconds". Ten is what the headers of live deployments
/// show (`x-ratelimit-limit-requests: 20` at 120 RPM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the two periods that Microsoft names")]
pub enum RequestPeriod {
    /// `rpm / 60` requests per second.
    #[cfg_attr(feature = "serde", serde(rename = "1s"))]
    OneSecond,
    /// `rpm / 6` requests per ten seconds.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "10s"))]
    TenSeconds,
}

/// A standard (pay-as-you-go) Azure OpenAI deployment: `tpm` tokens in fixed minutes, and `rpm / 6` requests in fixed
/// ten seconds.
///
/// `phase_ns` is a moment at which the counters are reset; deployments differ in it. `rpm / 6` is rounded **up**, so
/// that a small RPM is not none. Limit 0 of the chain is the tokens, limit 1 the requests.
pub fn azure_standard(tpm: u64, rpm: u64, phase_ns: u64) -> Chain {
    azure_standard_with_period(tpm, rpm, phase_ns, RequestPeriod::default())
}

/// [`azure_standard`] with the period of the request limit.
pub fn azure_standard_with_period(tpm: u64, rpm: u64, phase_ns: u64, period: RequestPeriod) -> Chain {
    Chain::new(azure_standard_windows(tpm, rpm, phase_ns, period).map(Limit::from))
}

/// The rules behind [`azure_standard_with_period`]: the window of the tokens, and that of the requests.
pub fn azure_standard_windows(tpm: u64, rpm: u64, phase_ns: u64, period: RequestPeriod) -> [Window; 2] {
    let (per_minute, length_ns) = match period {
        RequestPeriod::OneSecond => (60, SECOND),
        RequestPeriod::TenSeconds => (6, 10 * SECOND),
    };
    [
        Window::new(Unit::Tokens, tpm, MINUTE).phase_ns(phase_ns),
        Window::new(Unit::Requests, rpm.div_ceil(per_minute), length_ns).phase_ns(phase_ns),
    ]
}

/// A provisioned deployment: one [`Ptu`] bucket.
pub fn azure_ptu(ptu: Ptu) -> Chain {
    Chain::new([ptu.into()])
}

/// The PTU counts that can be bought: `minimum`, and from there in steps of `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Increment {
    /// The fewest.
    pub minimum: u64,
    /// The step.
    pub step: u64,
}

impl Increment {
    /// An increment; a step of 0 reads as 1.
    pub const fn new(minimum: u64, step: u64) -> Self {
        Self { minimum, step: if step == 0 { 1 } else { step } }
    }

    /// The smallest count for sale that is at least `ptus`. Saturates.
    ///
    /// ```
    /// use lb_limits::Increment;
    ///
    /// assert_eq!(Increment::new(15, 5).round_up(106), 110);
    /// assert_eq!(Increment::new(15, 5).round_up(3), 15);
    /// ```
    pub const fn round_up(&self, ptus: u64) -> u64 {
        let above = ptus.saturating_sub(self.minimum);
        self.minimum.saturating_add(above.div_ceil(self.step).saturating_mul(self.step))
    }
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
    /// What can be bought for a global or data-zone deployment.
    pub global: Increment,
    /// What can be bought for a regional deployment.
    pub regional: Increment,
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

/// Throughput per PTU and the counts for sale, from Microsoft Learn, "Provisioned throughput sizing" (page of
/// 2026-05-21).
///
/// Data of a day: check the page for the model you buy. Models that are not sold regionally have the global increment
/// in both places.
pub const PTU_MODELS: &[PtuModel] = &[
    model("gpt-5.5", 1_200, 6, (15, 5), (50, 50)),
    model("gpt-5.4", 2_400, 6, (15, 5), (50, 50)),
    model("gpt-5.3-codex", 3_400, 8, (15, 5), (50, 50)),
    model("gpt-5.2", 3_400, 8, (15, 5), (50, 50)),
    model("gpt-5.2-codex", 3_400, 8, (15, 5), (50, 50)),
    model("gpt-5.1", 4_750, 8, (15, 5), (50, 50)),
    model("gpt-5.1-codex", 4_750, 8, (15, 5), (50, 50)),
    model("gpt-5", 4_750, 8, (15, 5), (50, 50)),
    model("gpt-5-mini", 23_750, 8, (15, 5), (25, 25)),
    model("gpt-4.1", 3_000, 4, (15, 5), (50, 50)),
    model("gpt-4.1-mini", 14_900, 4, (15, 5), (25, 25)),
    model("gpt-4.1-nano", 59_400, 4, (15, 5), (25, 25)),
    model("o3", 3_000, 4, (15, 5), (50, 50)),
    model("o4-mini", 5_400, 4, (15, 5), (25, 25)),
    model("gpt-4o", 2_500, 4, (15, 5), (50, 50)),
    model("gpt-4o-mini", 37_000, 4, (15, 5), (25, 25)),
    model("o3-mini", 2_500, 4, (15, 5), (25, 25)),
    model("o1", 230, 4, (15, 5), (25, 50)),
    model("Llama-3.3-70B-Instruct", 8_450, 4, (100, 100), (100, 100)),
    model("DeepSeek-R1", 4_000, 4, (100, 100), (100, 100)),
    model("DeepSeek-V3-0324", 4_000, 4, (100, 100), (100, 100)),
];

const fn model(
    name: &'static str,
    input_tpm_per_ptu: u64,
    output_ratio: u64,
    (global_minimum, global_step): (u64, u64),
    (regional_minimum, regional_step): (u64, u64),
) -> PtuModel {
    PtuModel {
        name,
        input_tpm_per_ptu,
        output_ratio,
        global: Increment::new(global_minimum, global_step),
        regional: Increment::new(regional_minimum, regional_step),
    }
}
