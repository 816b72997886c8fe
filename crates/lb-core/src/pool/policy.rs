//! The policy of a pool: the status table in code.

use std::time::Duration;

use crate::{
    fault::Fault,
    outcome::{Outcome, Reason, Verdict},
    pool::{
        options::{PoolOptions, StatusAction},
        waiting::Wait,
    },
    retry_after::{Hint, HintSource},
};

/// What a pool does about each outcome.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    default_cooldown: Duration,
    pub(crate) max_cooldown: Duration,
    /// So many requests in a row make a backend suspect.
    pub(crate) strikes: u32,
    /// How long after a failure a suspect is asked first.
    pub(crate) probe_after: Duration,
    /// From when on a dropped attempt is a strike.
    pub(crate) stalled_after: Option<Duration>,
    /// A failure after which the request may have been executed is returned if it came later than this.
    pub(crate) fail_over_within: Option<Duration>,
    pub(crate) wait: Option<Wait>,
    pub(crate) deadline: Option<Duration>,
    /// Whether a request that wishes nothing may go on terms all the same: one look, for the hot path.
    pub(crate) has_terms: bool,
    /// Whether an observer wants to know how long attempts and requests take.
    pub(crate) wants_time: bool,
    /// Whether it matters when attempts began, to anybody: one look, for the hot path.
    pub(crate) times_attempts: bool,
    pub(crate) guards_stateful_paths: bool,
    /// What is done about each status from 400 on, where the table does not say.
    actions: [Option<StatusAction>; 100],
    fail_over_after_send: bool,
    /// Whether a page is no success.
    pub(crate) rejects_html: bool,
    /// Whether streams that announce a refusal are looked into.
    pub(crate) peeks: bool,
    pub(crate) always_synthesize: bool,
    /// How many attempts one request may make.
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

/// What an outcome says about the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Nothing.
    Nobody,
    /// It is alive.
    Alive,
    /// It said when it wants to be asked again.
    Cooling {
        duration: Duration,
        hint: Option<HintSource>,
        /// Whether it is a 429, which counts whenever its attempt began.
        is_throttle: bool,
    },
    /// It failed, and that may be the request's doing.
    Strike,
    /// It failed, whatever the request.
    Fault,
    /// It refused the request before it processed any of it.
    Unprocessed,
}

/// What one outcome means: the status table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) class: Class,
    pub(crate) verdict: Verdict,
    pub(crate) blame: Blame,
}

impl Policy {
    /// The policy of these options, which were checked.
    pub(crate) fn new(options: &PoolOptions) -> Self {
        Self {
            default_cooldown: options.default_cooldown,
            max_cooldown: options.max_cooldown,
            strikes: options.strikes,
            probe_after: options.probe_after,
            stalled_after: options.stalled_after,
            fail_over_within: options.fail_over_within,
            wait: options.wait,
            deadline: options.deadline,
            has_terms: options.deadline.is_some() || options.wait.is_some(),
            wants_time: false,
            times_attempts: options.stalled_after.is_some() || options.fail_over_within.is_some(),
            guards_stateful_paths: options.guard_stateful_paths,
            actions: std::array::from_fn(|above| {
                let status = u16::try_from(400 + above).unwrap_or(u16::MAX);
                options.on_status.get(&status).copied()
            }),
            fail_over_after_send: options.fail_over_after_send,
            rejects_html: options.reject_html,
            peeks: options.peek,
            always_synthesize: options.always_synthesize,
            max_attempts: options.max_attempts.unwrap_or(u32::MAX),
        }
    }

    /// The same where an observer wants to know how long attempts and requests take, or nobody does.
    pub(crate) const fn with_time(mut self, wants_time: bool) -> Self {
        self.wants_time = wants_time;
        self.times_attempts |= wants_time;
        self
    }

    /// Twice this wait, up to the longest that there is.
    pub(crate) fn twice(&self, wait: Duration) -> Duration {
        wait.saturating_mul(2).min(self.max_cooldown)
    }

    /// What an outcome means at a backend that has a credential of its own, or has not.
    pub(crate) fn judge(&self, outcome: Outcome, has_credential: bool) -> Judgement {
        match outcome {
            _ if outcome.is_success() => {
                Judgement { class: Class::Success, verdict: Verdict::Return, blame: Blame::Alive }
            }
            Outcome::Answered { status, hint } => self.judge_refusal(status, hint, has_credential),
            Outcome::Html { .. } => {
                Judgement { class: Class::Rejected, verdict: Verdict::FailOver, blame: Blame::Strike }
            }
            Outcome::Faulted(fault) => {
                let (fails_over, blame) = match fault {
                    Fault::Connect | Fault::ConnectTimeout | Fault::Credential => (true, Blame::Fault),
                    Fault::Timeout | Fault::Reset => (self.fail_over_after_send, Blame::Strike),
                    Fault::Unprocessed => (true, Blame::Unprocessed),
                    Fault::Request => (false, Blame::Nobody),
                };
                Judgement { class: Class::Fault, verdict: verdict(fails_over), blame }
            }
            Outcome::Cancelled => Judgement { class: Class::Cancelled, verdict: Verdict::Return, blame: Blame::Nobody },
        }
    }

    fn judge_refusal(&self, status: u16, hint: Option<Hint>, has_credential: bool) -> Judgement {
        let credible = hint.filter(|hint| hint.delay() <= self.max_cooldown);
        let cooling = Blame::Cooling {
            duration: credible.map_or(self.default_cooldown, |hint| hint.delay()),
            hint: credible.map(|hint| hint.source()),
            is_throttle: status == 429,
        };
        let (class, fails_over, blame) = match (status, self.action(status)) {
            // What is too much for a day is one prompt that is larger than the quota.
            (429, _) if hint.is_some() && credible.is_none() => (Class::Throttle, true, Blame::Strike),
            (429, _) => (Class::Throttle, true, cooling),
            (500.., _) if credible.is_some() => (Class::ServerError, true, cooling),
            (500.., _) => (Class::ServerError, true, Blame::Strike),
            (_, Some(StatusAction::Return)) => (Class::Rejected, false, Blame::Alive),
            (_, Some(StatusAction::FailOver)) => (Class::Rejected, true, Blame::Alive),
            (_, Some(StatusAction::FailOverAndCool)) => (Class::Rejected, true, cooling),
            // A key may lack the right to one endpoint and have that to another.
            (401 | 403, None) if has_credential => (Class::Rejected, true, Blame::Strike),
            (408, None) => (Class::Rejected, self.fail_over_after_send, Blame::Strike),
            (_, None) => (Class::Rejected, false, Blame::Alive),
        };
        Judgement { class, verdict: verdict(fails_over), blame }
    }

    fn action(&self, status: u16) -> Option<StatusAction> {
        let above = status.checked_sub(400)?;
        self.actions.get(usize::from(above)).copied().flatten()
    }
}

const fn verdict(fails_over: bool) -> Verdict {
    if fails_over { Verdict::FailOver } else { Verdict::Return }
}

/// The reason of an outcome that is a failure, or fails over; a stalled attempt was cancelled.
pub(crate) const fn reason(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Answered { status, .. } => Reason::Status(status),
        Outcome::Html { .. } => Reason::Html,
        Outcome::Faulted(fault) => Reason::Fault(fault),
        Outcome::Cancelled => Reason::Stalled,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn judge(options: PoolOptions, status: u16, hint: Option<Duration>, has_credential: bool) -> Judgement {
        let hint = hint.map(|delay| Hint::new(delay, HintSource::RetryAfter));
        Policy::new(&options).judge(Outcome::Answered { status, hint }, has_credential)
    }

    fn cooling(duration: Duration, is_hinted: bool, is_throttle: bool) -> Blame {
        Blame::Cooling { duration, hint: is_hinted.then_some(HintSource::RetryAfter), is_throttle }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const DEFAULT: Duration = Duration::from_secs(10);
    const MAX: Duration = Duration::from_secs(600);

    #[test]
    fn the_status_table_holds() {
        use Verdict::{FailOver, Return};
        for (status, hint, class, verdict, blame) in [
            (200, None, Class::Success, Return, Blame::Alive),
            (307, None, Class::Success, Return, Blame::Alive),
            (399, Some(SECOND), Class::Success, Return, Blame::Alive),
            (400, None, Class::Rejected, Return, Blame::Alive),
            (401, None, Class::Rejected, Return, Blame::Alive),
            (403, Some(SECOND), Class::Rejected, Return, Blame::Alive),
            (408, None, Class::Rejected, Return, Blame::Strike),
            (428, None, Class::Rejected, Return, Blame::Alive),
            (429, None, Class::Throttle, FailOver, cooling(DEFAULT, false, true)),
            (429, Some(Duration::ZERO), Class::Throttle, FailOver, cooling(Duration::ZERO, true, true)),
            (429, Some(MAX), Class::Throttle, FailOver, cooling(MAX, true, true)),
            (429, Some(MAX + Duration::from_millis(1)), Class::Throttle, FailOver, Blame::Strike),
            (430, None, Class::Rejected, Return, Blame::Alive),
            (499, None, Class::Rejected, Return, Blame::Alive),
            (500, None, Class::ServerError, FailOver, Blame::Strike),
            (503, Some(MAX), Class::ServerError, FailOver, cooling(MAX, true, false)),
            (503, Some(MAX * 2), Class::ServerError, FailOver, Blame::Strike),
            (529, None, Class::ServerError, FailOver, Blame::Strike),
            (999, None, Class::ServerError, FailOver, Blame::Strike),
        ] {
            let judgement = judge(PoolOptions::default(), status, hint, false);
            assert_eq!(judgement, Judgement { class, verdict, blame }, "{status} {hint:?}");
        }
    }

    #[test]
    fn a_refused_credential_is_the_backends_where_it_is_its_own() {
        for status in [401, 403] {
            let judgement = judge(PoolOptions::default(), status, None, true);
            assert_eq!((judgement.verdict, judgement.blame), (Verdict::FailOver, Blame::Strike), "{status}");
        }
        assert_eq!(judge(PoolOptions::default(), 404, None, true).verdict, Verdict::Return);
    }

    #[test]
    fn an_action_goes_before_the_table() {
        let with =
            |status, action| PoolOptions { on_status: BTreeMap::from([(status, action)]), ..PoolOptions::default() };
        for status in [400, 401, 403, 404, 408, 499] {
            let of = |action, hint| {
                let judgement = judge(with(status, action), status, hint, true);
                (judgement.verdict, judgement.blame)
            };
            assert_eq!(of(StatusAction::Return, None), (Verdict::Return, Blame::Alive), "{status}");
            assert_eq!(of(StatusAction::FailOver, None), (Verdict::FailOver, Blame::Alive), "{status}");
            let cool = |hint| of(StatusAction::FailOverAndCool, hint);
            assert_eq!(cool(None), (Verdict::FailOver, cooling(DEFAULT, false, false)), "{status}");
            assert_eq!(cool(Some(MAX / 2)), (Verdict::FailOver, cooling(MAX / 2, true, false)), "{status}");
            assert_eq!(cool(Some(MAX * 2)), (Verdict::FailOver, cooling(DEFAULT, false, false)), "{status}");
        }
        assert_eq!(judge(with(404, StatusAction::FailOver), 405, None, true).verdict, Verdict::Return);
    }

    #[test]
    fn only_faults_before_sending_fail_over_unless_opted_in() {
        for (fault, default, opted_in, blame) in [
            (Fault::Connect, true, true, Blame::Fault),
            (Fault::ConnectTimeout, true, true, Blame::Fault),
            (Fault::Credential, true, true, Blame::Fault),
            (Fault::Unprocessed, true, true, Blame::Unprocessed),
            (Fault::Timeout, false, true, Blame::Strike),
            (Fault::Reset, false, true, Blame::Strike),
            (Fault::Request, false, false, Blame::Nobody),
        ] {
            for (fail_over_after_send, expected) in [(false, default), (true, opted_in)] {
                let policy = Policy::new(&PoolOptions { fail_over_after_send, ..PoolOptions::default() });
                let judgement = policy.judge(Outcome::Faulted(fault), false);
                assert_eq!(judgement.verdict == Verdict::FailOver, expected, "{fault} {fail_over_after_send}");
                assert_eq!(judgement.blame, blame, "{fault}");
            }
        }
        let options = PoolOptions { fail_over_after_send: true, ..PoolOptions::default() };
        assert_eq!(judge(options, 408, None, false).verdict, Verdict::FailOver);
    }
}
