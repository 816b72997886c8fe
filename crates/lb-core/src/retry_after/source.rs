use std::fmt;

/// Where a hint came from: which header, or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HintSource {
    /// `retry-after-ms`.
    RetryAfterMs,
    /// `x-ms-retry-after-ms`.
    XMsRetryAfterMs,
    /// `Retry-After`.
    RetryAfter,
    /// `x-ratelimit-reset-requests` or `x-ratelimit-reset-tokens`, in either spelling.
    RateLimitReset,
    /// `retry_after` or `retry_after_ms` of an event in a stream that refused, see [`Refusal`](crate::Refusal).
    Event,
}

impl HintSource {
    /// What says most exactly how long to wait comes first.
    pub(super) const PRECEDENCE: [Self; 4] =
        [Self::RetryAfterMs, Self::XMsRetryAfterMs, Self::RetryAfter, Self::RateLimitReset];

    /// The header's name in lower case; `x-ratelimit-reset-*` stands for that whole family, `retry_after` for an event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfterMs => "retry-after-ms",
            Self::XMsRetryAfterMs => "x-ms-retry-after-ms",
            Self::RetryAfter => "retry-after",
            Self::RateLimitReset => "x-ratelimit-reset-*",
            Self::Event => "retry_after",
        }
    }
}

impl fmt::Display for HintSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
