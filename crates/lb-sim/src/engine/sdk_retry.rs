//! The retry layer of an SDK, above the balancer.

use lb_limits::{Hint, MILLISECOND, SECOND};

use crate::scenario::Sdk;

/// How long the SDK waits before it sends a request again; `None`: it gives up.
///
/// `retry` counts from 0, `jitter` is uniform above 0 and below 1.
///
/// The rule is openai-python's (`_base_client.py`, `_calculate_retry_timeout`): `retry-after-ms`, else `retry-after`, is
/// believed if it is above zero and at most 120 s; a longer one ends the retries. Without one it waits
/// `0.5 s * 2^retry`, at most 8 s, less up to a quarter. Versions before 3.54 believe up to 60 s and back off above.
pub(super) fn wait(sdk: Sdk, max_retries: u32, retry: u32, hint: Hint, jitter: f64) -> Option<u64> {
    if sdk == Sdk::None || retry >= max_retries {
        return None;
    }
    let told = hint.millis.map(|ms| ms.saturating_mul(MILLISECOND));
    let told = told.or_else(|| hint.seconds.map(|seconds| seconds.saturating_mul(SECOND))).filter(|&wait| wait > 0);
    match (sdk, told) {
        (Sdk::OpenaiPython, Some(wait)) if wait > 120 * SECOND => None,
        (Sdk::OpenaiPython, Some(wait)) => Some(wait),
        (Sdk::OpenaiPython60s, Some(wait)) if wait <= 60 * SECOND => Some(wait),
        _ => Some(backoff(retry, jitter)),
    }
}

fn backoff(retry: u32, jitter: f64) -> u64 {
    let whole = (SECOND / 2).saturating_mul(1_u64.checked_shl(retry).unwrap_or(u64::MAX)).min(8 * SECOND);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 8 s, and not negative")]
    let less = (0.25 * jitter * whole as f64) as u64;
    whole - less
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Hint {
        Hint { millis: Some(millis), seconds: None, date: None }
    }

    #[test]
    fn a_hint_is_believed_up_to_120_s_and_ends_the_retries_above() {
        let wait = |hint| wait(Sdk::OpenaiPython, 2, 0, hint, 0.5);
        assert_eq!(wait(millis(1_500)), Some(1_500 * MILLISECOND));
        assert_eq!(wait(millis(120_000)), Some(120 * SECOND));
        assert_eq!(wait(millis(120_001)), None);
        assert_eq!(wait(Hint { seconds: Some(1), ..millis(250) }), Some(250 * MILLISECOND));
        assert_eq!(wait(Hint { seconds: Some(7), ..Hint::default() }), Some(7 * SECOND));
    }

    #[test]
    fn earlier_versions_back_off_above_60_s() {
        let wait = |hint| wait(Sdk::OpenaiPython60s, 2, 0, hint, 0.5);
        assert_eq!(wait(millis(60_000)), Some(60 * SECOND));
        assert_eq!(wait(millis(60_001)), Some(437_500_000));
    }

    #[test]
    fn without_a_hint_the_wait_doubles_up_to_8_s_less_a_quarter_at_most() {
        for (retry, most) in [(0, 500), (1, 1_000), (2, 2_000), (4, 8_000), (5, 8_000), (80, 8_000)] {
            for jitter in [0.0, 0.3, 0.999_999] {
                let wait = wait(Sdk::OpenaiPython, 100, retry, Hint::default(), jitter).unwrap();
                let most = most * MILLISECOND;
                assert!(wait <= most && wait > most / 4 * 3, "{retry} {jitter} {wait}");
            }
        }
        assert_eq!(wait(Sdk::OpenaiPython, 2, 0, millis(0), 0.0), Some(500 * MILLISECOND));
    }

    #[test]
    fn it_gives_up_after_its_retries() {
        assert_eq!(wait(Sdk::OpenaiPython, 2, 2, millis(1), 0.0), None);
        assert_eq!(wait(Sdk::None, 2, 0, millis(1), 0.0), None);
    }
}
