/// What one request asks for, as far as a limit can see before it is served.
///
/// Token windows charge `tokens`; request windows charge 1; [`Ptu`](crate::Ptu) charges its own estimate from the other
/// fields. They are separate because the service counts them separately: the admission estimate is not the usage that
/// is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data that callers build by literal, per request")]
pub struct Demand {
    /// Tokens that a token window is charged with.
    pub tokens: u64,
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Tokens of the prompt that the service has in its cache.
    pub cached_tokens: u64,
    /// The request's `max_tokens`; `None` if the request does not say.
    pub max_tokens: Option<u64>,
}

impl Demand {
    /// A demand of `tokens` in token windows, and the same number of uncached prompt tokens.
    pub fn tokens(tokens: u64) -> Self {
        Self { tokens, input_tokens: tokens, cached_tokens: 0, max_tokens: Some(0) }
    }

    /// The demand of a prompt of `prompt_chars` characters, by [`standard_estimate`].
    ///
    /// The prompt's tokens are taken to be a quarter of its characters, rounded up; none is cached.
    pub fn standard(prompt_chars: u64, max_tokens: u64, best_of: u64) -> Self {
        Self {
            tokens: standard_estimate(prompt_chars, max_tokens, best_of),
            input_tokens: prompt_chars.div_ceil(CHARS_PER_TOKEN),
            cached_tokens: 0,
            max_tokens: Some(max_tokens),
        }
    }
}

/// What a request turned out to need, known when its answer is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data that callers build by literal, per request")]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Tokens of the prompt that came from the cache.
    pub cached_tokens: u64,
    /// Tokens of the completion.
    pub output_tokens: u64,
}

/// OpenAI's rule of thumb for English text: one token is about four characters.
pub const CHARS_PER_TOKEN: u64 = 4;

/// Completion tokens that a standard deployment reserves for a request without `max_tokens`: what
/// `microsoft/aoai-api-simulator` does, "based on experimentation".
pub const STANDARD_MAX_TOKENS: u64 = 16;

/// Tokens that a standard deployment reserves when a request arrives: `prompt_chars / 4`, rounded **up**, plus
/// `max_tokens * best_of`.
///
/// Microsoft Learn ("Manage Azure OpenAI quota", "Understanding rate limits") names the inputs (prompt text and count,
/// `max_tokens`, `best_of`) and says that the estimate is "based in part on the character count". It does not publish
/// the divisor; four characters per token is OpenAI's rule of thumb. A `best_of` of 0 reads as 1. Saturates at
/// `u64::MAX`.
#[inline]
pub fn standard_estimate(prompt_chars: u64, max_tokens: u64, best_of: u64) -> u64 {
    let completion = max_tokens.saturating_mul(best_of.max(1));
    prompt_chars.div_ceil(CHARS_PER_TOKEN).saturating_add(completion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_a_quarter_of_the_characters_rounded_up_plus_every_candidate() {
        assert_eq!(standard_estimate(0, 0, 1), 0);
        assert_eq!(standard_estimate(1, 0, 1), 1);
        assert_eq!(standard_estimate(8, 100, 1), 102);
        assert_eq!(standard_estimate(9, 100, 3), 303);
        assert_eq!(standard_estimate(9, 100, 0), 103);
        assert_eq!(standard_estimate(u64::MAX, u64::MAX, u64::MAX), u64::MAX);
    }
}
