//! The policy of a pool: the status table in code.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    outcome::{Fault, Outcome, Reason, Verdict},
    pool::cooldown::Cooldown,
};

/// Users of the Python package `openai_priority_loadbalancer` get 10 s, when no header says otherwise.
const DEFAULT_COOLDOWN: Duration = Duration::from_secs(10);

/// The IETF draft of the RateLimit headers (draft-ietf-httpapi-ratelimit-headers) names ten minutes as a cap. Azure
/// answers 86400 s to one prompt that is larger than the quota: nothing that should take a backend out for a day.
const MAX_COOLDOWN: Duration = Duration::from_secs(600);

/// What a pool does about each outcome.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) default_cooldown: Duration,
    pub(crate) max_cooldown: Duration,
    /// The 4xx statuses that fail over, as bits from 400.
    extra_statuses: u128,
    pub(crate) fail_over_after_send: bool,
    pub(crate) always_synthesize: bool,
    pub(crate) max_attempts: Option<NonZeroU32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            default_cooldown: DEFAULT_COOLDOWN,
            max_cooldown: MAX_COOLDOWN,
            extra_statuses: 0,
            fail_over_after_send: false,
            always_synthesize: false,
            max_attempts: None,
        }
    }
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
    /// Adds a 4xx status that fails over; false if it is none.
    pub(crate) fn fail_over_on(&mut self, status: u16) -> bool {
        let is_client_error = (400..500).contains(&status);
        if is_client_error {
            self.extra_statuses |= 1 << (status - 400);
        }
        is_client_error
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
        let mut policy = Policy::default();
        assert!(policy.fail_over_on(401));
        policy.judge(Outcome::Answered { status, hint })
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
        assert_eq!(cooldown(429, None), Some(DEFAULT_COOLDOWN));
        assert_eq!(cooldown(429, Some(Duration::ZERO)), Some(Duration::ZERO));
        assert_eq!(cooldown(503, Some(MAX_COOLDOWN)), Some(MAX_COOLDOWN));
        assert_eq!(cooldown(429, Some(MAX_COOLDOWN + Duration::from_millis(1))), Some(DEFAULT_COOLDOWN));
        let hint = judge(429, Some(MAX_COOLDOWN * 2)).cooldown.and_then(|cooldown| cooldown.hint);
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
                let policy = Policy { fail_over_after_send, ..Policy::default() };
                let judgement = policy.judge(Outcome::Faulted(fault));
                assert_eq!(judgement.verdict == Verdict::FailOver, expected, "{fault} {fail_over_after_send}");
                assert_eq!(judgement.cooldown.is_some(), expected, "{fault} {fail_over_after_send}");
            }
        }
    }
}
