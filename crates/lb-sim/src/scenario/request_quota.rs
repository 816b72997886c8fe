//! How many requests per minute come with a quota of tokens per minute, by model.

use crate::report::Source;

/// Requests per minute for each 1,000 tokens per minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RequestQuota {
    /// The model.
    model: &'static str,
    /// Requests per minute for each 1,000 tokens per minute.
    pub(crate) per_1k_tpm: f64,
    /// How far that can be trusted.
    pub(crate) source: Source,
    /// Where it stands.
    pub(crate) reference: &'static str,
}

const QUOTA: &str = "Microsoft Learn, Azure OpenAI quota, 2026-09-16";
const TIER: &str = "Microsoft Learn, quota tier 1, 2026-08-20";

const fn documented(model: &'static str, per_1k_tpm: f64, reference: &'static str) -> RequestQuota {
    RequestQuota { model, per_1k_tpm, source: Source::Documented, reference }
}

/// What is known, of models by their names.
const KNOWN: [RequestQuota; 19] = [
    documented("gpt-35-turbo", 6.0, QUOTA),
    documented("gpt-4", 6.0, QUOTA),
    documented("gpt-4-32k", 6.0, QUOTA),
    documented("o1", 1.0 / 6.0, QUOTA),
    documented("o1-preview", 1.0 / 6.0, QUOTA),
    documented("o1-mini", 0.1, QUOTA),
    documented("o3", 1.0, QUOTA),
    documented("o3-mini", 0.1, QUOTA),
    documented("o3-pro", 0.1, QUOTA),
    documented("o4-mini", 1.0, QUOTA),
    documented("gpt-4o-mini", 10.0, TIER),
    documented("gpt-4.1", 1.0, TIER),
    documented("gpt-5", 10.0, TIER),
    documented("gpt-5.1", 10.0, TIER),
    documented("gpt-5.2", 10.0, TIER),
    documented("gpt-5.4", 10.0, TIER),
    documented("gpt-5.5", 1.0, TIER),
    documented("gpt-5.6", 1.0, TIER),
    RequestQuota {
        model: "gpt-4.1-mini",
        per_1k_tpm: 1.0,
        source: Source::Observed,
        reference: "2,000 requests beside 2 million tokens per minute, on a live deployment, 2026-08-20",
    },
];

/// Of any other model: what older ones have.
const OTHERWISE: RequestQuota = RequestQuota {
    model: "",
    per_1k_tpm: 6.0,
    source: Source::Assumed,
    reference: "as older chat models have it; others have 10, 1 or less: see your quota page",
};

impl RequestQuota {
    /// The model's.
    pub(crate) fn of(model: &str) -> Self {
        KNOWN.into_iter().find(|known| known.model == model).unwrap_or(OTHERWISE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_their_own_ratio_and_others_an_assumed_one() {
        let of = |model: &str| (RequestQuota::of(model).per_1k_tpm, RequestQuota::of(model).source);
        assert_eq!(of("gpt-4.1"), (1.0, Source::Documented));
        assert_eq!(of("gpt-5.2"), (10.0, Source::Documented));
        assert_eq!(of("gpt-4.1-mini"), (1.0, Source::Observed));
        assert_eq!(of("mine"), (6.0, Source::Assumed));
        let mut names = KNOWN.map(|known| known.model);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a model stands there twice");
    }
}
