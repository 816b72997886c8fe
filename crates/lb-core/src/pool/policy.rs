//! The policy of a pool: the status table in code.

use std::time::Duration;

use crate::{
    outcome::{Fault, Outcome, Reason, Verdict},
    pool::{cooldown::Cooldown, options::PoolOptions},
};

/// What a pool does about each outcome.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    default_cooldown: Duration,
    max_cooldown: Duration,
    /// The 4xx statuses that fail over, as bits from 400.
    extra_statuses: u128,
    fail_over_after_send: bool,
    pub(crate) always_synthesize: bool,
    /// How many backends one request may try.
    pub(crate) max_attempts: u32,
}

/// How an outcome is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Success,
    Throttle,
    ServerError,
    Rejected,
    Fault,
    Cancelled,
}

/// What one outcome means: the status table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) class: Class,
    pub(crate) verdict: Verdict,
    pub(crate) cooldown: Option<Cooldown>,
}

impl Policy {
    /// The policy of these options, which were checked.
    pub(crate) fn new(options: &PoolOptions) -> Self {
        let bit = |status: &u16| 1_u128.checked_shl(u32::from(status.saturating_sub(400))).unwrap_or(0);
        Self {
            default_cooldown: options.default_cooldown,
            max_cooldown: options.max_cooldown,
            extra_statuses: options.fail_over_on.iter().map(bit).fold(0, |all, bit| all | bit),
            fail_over_after_send: options.fail_over_after_send,
            always_synthesize: options.always_synthesize,
            max_attempts: options.max_attempts.unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn judge(&self, outcome: Outcome) -> Judgement {
        match outcome {
            Outcome::Answered { status, hint } => {
                let class = match status {
                    429 => Class::Throttle,
                    500.. => Class::ServerError,
                    400..500 => Class::Rejected,
                    _ => Class::Success,
                };
                let is_extra = class == Class::Rejected && self.extra_statuses & (1 << (status - 400)) != 0;
                if !is_extra && matches!(class, Class::Rejected | Class::Success) {
                    return Judgement { class, verdict: Verdict::Return, cooldown: None };
                }
                let credible = hint.filter(|hint| hint.delay() <= self.max_cooldown);
                let cooldown = Cooldown {
                    duration: credible.map_or(self.default_cooldown, |hint| hint.delay()),
                    reason: Reason::Status(status),
                    hint: credible.map(|hint| hint.source()),
                };
                Judgement { class, verdict: Verdict::FailOver, cooldown: Some(cooldown) }
            }
            Outcome::Faulted(fault) => {
                let fails_over = match fault {
                    Fault::Connect | Fault::Credential => true,
                    Fault::Timeout | Fault::Reset => self.fail_over_after_send,
                    Fault::Request => false,
                };
                if !fails_over {
                    return Judgement { class: Class::Fault, verdict: Verdict::Return, cooldown: None };
                }
                let cooldown = Cooldown { duration: self.default_cooldown, reason: Reason::Fault(fault), hint: None };
                Judgement { class: Class::Fault, verdict: Verdict::FailOver, cooldown: Some(cooldown) }
            }
            Outcome::Cancelled => Judgement { class: Class::Cancelled, verdict: Verdict::Return, cooldown: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry_after::{Hint, HintSource};

    fn judge(status: u16, hint: Option<Duration>) -> Judgement {
        let hint = hint.map(|delay| Hint::new(delay, HintSource::RetryAfter));
        let options = PoolOptions { fail_over_on: vec![401], ..PoolOptions::default() };
        Policy::new(&options).judge(Outcome::Answered { status, hint })
    }

    fn cooldown(status: u16, hint: Option<Duration>) -> Option<Duration> {
        judge(status, hint).cooldown.map(|cooldown| cooldown.duration)
    }

    #[test]
    fn the_status_table_holds() {
        for (status, class, verdict) in [
            (200, Class::Success, Verdict::Return),
            (307, Class::Success, Verdict::Return),
            (400, Class::Rejected, Verdict::Return),
            (401, Class::Rejected, Verdict::FailOver),
            (499, Class::Rejected, Verdict::Return),
            (428, Class::Rejected, Verdict::Return),
            (429, Class::Throttle, Verdict::FailOver),
            (430, Class::Rejected, Verdict::Return),
            (500, Class::ServerError, Verdict::FailOver),
            (529, Class::ServerError, Verdict::FailOver),
            (999, Class::ServerError, Verdict::FailOver),
        ] {
            let judgement = judge(status, None);
            assert_eq!((judgement.class, judgement.verdict), (class, verdict), "{status}");
            assert_eq!(judgement.cooldown.is_some(), verdict == Verdict::FailOver, "{status}");
        }
    }

    #[test]
    fn a_hint_counts_up_to_the_maximum_and_above_it_the_default_applies() {
        assert_eq!(cooldown(429, None), Some(PoolOptions::default().default_cooldown));
        assert_eq!(cooldown(429, Some(Duration::ZERO)), Some(Duration::ZERO));
        assert_eq!(cooldown(503, Some(PoolOptions::default().max_cooldown)), Some(PoolOptions::default().max_cooldown));
        assert_eq!(
            cooldown(429, Some(PoolOptions::default().max_cooldown + Duration::from_millis(1))),
            Some(PoolOptions::default().default_cooldown)
        );
        let hint =
            judge(429, Some(PoolOptions::default().max_cooldown * 2)).cooldown.and_then(|cooldown| cooldown.hint);
        assert_eq!(hint, None, "a hint that was not followed is not named as the source");
    }

    #[test]
    fn only_faults_before_sending_fail_over_unless_opted_in() {
        for (fault, default, opted_in) in [
            (Fault::Connect, true, true),
            (Fault::Credential, true, true),
            (Fault::Timeout, false, true),
            (Fault::Reset, false, true),
            (Fault::Request, false, false),
        ] {
            for (fail_over_after_send, expected) in [(false, default), (true, opted_in)] {
                let policy = Policy::new(&PoolOptions { fail_over_after_send, ..PoolOptions::default() });
                let judgement = policy.judge(Outcome::Faulted(fault));
                assert_eq!(judgement.verdict == Verdict::FailOver, expected, "{fault} {fail_over_after_send}");
                assert_eq!(judgement.cooldown.is_some(), expected, "{fault} {fail_over_after_send}");
            }
        }
    }
}
