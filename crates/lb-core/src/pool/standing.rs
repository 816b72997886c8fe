//! The standing of one backend: its state, and what stands against it.

use std::time::Duration;

use crate::{
    cause::Cause,
    clock::Instant,
    outcome::Reason,
    pool::{
        policy::{Blame, Policy},
        suspicion::{Claim, Suspicion},
    },
    retry_after::HintSource,
    state::State,
};

/// So many refusals before processing, in a row, are a strike: one or two are a connection's age.
const UNPROCESSED_PER_STRIKE: u32 = 8;

/// A backend that fails again so soon after its return goes on with the waits that it had.
const RELAPSE: Duration = Duration::from_secs(60);

/// A moment that does not come.
pub(super) const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// The last moment that comes.
const LAST: Instant = Instant::from_nanos(u64::MAX - 1);

/// What is known about one backend.
#[derive(Debug, Default)]
pub(super) struct Standing {
    condition: Condition,
    is_drained: bool,
    /// Its changes of state, counted.
    epoch: u64,
    /// Requests in a row whose failure may have been their own doing.
    strikes: u32,
    /// Refusals before processing in a row.
    unprocessed: u32,
    /// When its last cooldown ends, or has ended.
    cooled_until: Option<Instant>,
    /// When it last returned from suspicion, and the wait before its last probe.
    returned: Option<(Instant, Duration)>,
    /// Why it last failed.
    last: Option<Cause>,
}

#[derive(Debug, Default)]
enum Condition {
    #[default]
    Available,
    Cooling(Cooling),
    Suspect(Suspicion),
}

#[derive(Debug)]
struct Cooling {
    until: Instant,
    reason: Reason,
    hint: Option<HintSource>,
}

/// What an attempt says about its backend.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) blame: Blame,
    /// Why it failed, if it did.
    pub(crate) cause: Option<Cause>,
    /// The backend's epoch when the attempt began.
    pub(crate) epoch: u64,
    /// The claim by which the attempt asked a suspect.
    pub(crate) claim: Option<Claim>,
    /// Whether its request has failed at another backend: then it says nothing about a suspect.
    pub(crate) has_failed: bool,
}

/// What became of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// So many strikes stand against it.
    Struck(u32),
    /// It is suspect, and asked first from this moment on.
    Suspected(Instant),
    /// It is cooling until this moment, which is later than before.
    Cooling(Instant),
    /// It is available again.
    Available,
}

impl Standing {
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) const fn strikes(&self) -> u32 {
        self.strikes
    }

    pub(super) const fn last(&self) -> Option<&Cause> {
        self.last.as_ref()
    }

    /// Whether a success would change anything.
    pub(super) const fn stands_accused(&self) -> bool {
        self.strikes > 0 || self.unprocessed > 0 || matches!(self.condition, Condition::Suspect(_))
    }

    /// When its last cooldown ends, or has ended; the beginning of time if it never cooled.
    pub(super) fn cooled_until(&self) -> Instant {
        self.cooled_until.unwrap_or(Instant::from_nanos(0))
    }

    /// The moment from which it can be picked, as far as time alone says; `None` if it can be now.
    pub(super) const fn out_until(&self) -> Option<Instant> {
        match &self.condition {
            _ if self.is_drained => Some(NEVER),
            Condition::Available => None,
            Condition::Cooling(cooling) => Some(cooling.until),
            Condition::Suspect(_) => Some(NEVER),
        }
    }

    /// The next moment at which somebody has to look at it; `None` if it can be picked now.
    pub(super) const fn due_at(&self) -> Option<Instant> {
        match &self.condition {
            Condition::Suspect(suspicion) if !self.is_drained => Some(suspicion.probe_at),
            _ => self.out_until(),
        }
    }

    /// How long until a request that finds nothing else can go there; `None` if an operator decides.
    pub(super) fn opens_in(&self, now: Instant) -> Option<Duration> {
        match &self.condition {
            _ if self.is_drained => None,
            Condition::Available => Some(Duration::ZERO),
            Condition::Cooling(cooling) => Some(cooling.until.saturating_since(now)),
            Condition::Suspect(suspicion) => Some(suspicion.opens_at().min(suspicion.probe_at).saturating_since(now)),
        }
    }

    /// Its state, as it is told.
    pub(super) fn state(&self, now: Instant) -> State {
        match &self.condition {
            _ if self.is_drained => State::Drained,
            Condition::Cooling(cooling) if cooling.until > now => State::Cooling {
                until: cooling.until,
                remaining: cooling.until.saturating_since(now),
                reason: cooling.reason,
                hint: cooling.hint,
            },
            Condition::Available | Condition::Cooling(_) => State::Available,
            Condition::Suspect(suspicion) => State::Suspect {
                probe_at: suspicion.probe_at,
                remaining: suspicion.probe_at.saturating_since(now),
                reason: suspicion.reason,
            },
        }
    }

    /// The suspicion against it, unless it is drained.
    pub(super) const fn suspicion(&mut self) -> Option<&mut Suspicion> {
        match &mut self.condition {
            Condition::Suspect(suspicion) if !self.is_drained => Some(suspicion),
            _ => None,
        }
    }

    /// It is out until then, because somebody said so; whether that is longer than it was out anyway.
    pub(super) fn cool_by_hand(&mut self, reason: Reason, until: Instant, now: Instant) -> bool {
        self.expire(now);
        matches!(self.cool(reason, until, None, now), Some(Change::Cooling(_)))
    }

    /// Ends its cooldown, because somebody said so; whether there was one.
    pub(super) fn end_cooldown(&mut self, now: Instant) -> bool {
        let is_cooling = !self.expire(now) && matches!(self.condition, Condition::Cooling(_));
        if is_cooling {
            self.cooled_until = Some(now);
            self.change(Condition::Available);
        }
        is_cooling
    }

    /// Takes it out for the operator, or puts it back; whether that changed anything.
    pub(super) const fn drain(&mut self, is_drained: bool) -> bool {
        let changed = self.is_drained != is_drained;
        self.is_drained = is_drained;
        changed
    }

    /// Ends a cooldown that is over; whether one was.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let is_over = matches!(&self.condition, Condition::Cooling(cooling) if cooling.until <= now);
        if is_over {
            self.change(Condition::Available);
        }
        is_over
    }

    /// Takes note of what an attempt says.
    ///
    /// News from before the last change of state changes nothing, but for a 429: what has happened since is younger.
    pub(super) fn hear(&mut self, news: News, now: Instant, policy: &Policy) -> Option<Change> {
        let expired = self.expire(now).then_some(Change::Available);
        if let Some(cause) = &news.cause {
            self.last = Some(cause.clone());
        }
        self.judge(news, now, policy).or(expired)
    }

    fn judge(&mut self, news: News, now: Instant, policy: &Policy) -> Option<Change> {
        let is_current = news.epoch == self.epoch;
        match news.blame {
            Blame::Cooling { duration, hint, is_throttle } if is_current || (is_throttle && !duration.is_zero()) => {
                self.cool(news.cause?.reason(), now.saturating_add(duration), hint, now)
            }
            // Proof of life, if late: only a suspect's success has to be younger than its failures.
            Blame::Alive if matches!(self.condition, Condition::Available) => self.acquit(now),
            _ if !is_current => None,
            Blame::Nobody | Blame::Cooling { .. } => None,
            Blame::Alive => self.acquit(now),
            Blame::Unprocessed => {
                self.unprocessed += 1;
                if self.unprocessed < UNPROCESSED_PER_STRIKE {
                    self.release(news.claim);
                    return None;
                }
                self.unprocessed = 0;
                self.fail(news, policy.strikes, now, policy)
            }
            Blame::Strike => self.fail(news, policy.strikes, now, policy),
            Blame::Fault => self.fail(news, 1, now, policy),
        }
    }

    /// A failure: one more of those of which so many make it suspect.
    fn fail(&mut self, news: News, strikes: u32, now: Instant, policy: &Policy) -> Option<Change> {
        let reason = news.cause?.reason();
        match &mut self.condition {
            Condition::Suspect(suspicion) if news.has_failed => suspicion.release(news.claim),
            Condition::Suspect(suspicion) => suspicion.fail(reason, news.claim, now, policy),
            Condition::Cooling(_) => {}
            Condition::Available => {
                self.strikes = self.strikes.saturating_add(1);
                if self.strikes < strikes {
                    return Some(Change::Struck(self.strikes));
                }
                let wait = match self.returned {
                    Some((at, wait)) if reason.is_at_the_callers_expense() && now.saturating_since(at) <= RELAPSE => {
                        policy.twice(wait)
                    }
                    _ => policy.probe_after,
                };
                let suspicion = Suspicion::new(reason, wait, now);
                let probe_at = suspicion.probe_at;
                self.change(Condition::Suspect(suspicion));
                return Some(Change::Suspected(probe_at));
            }
        }
        None
    }

    /// It said when it wants to be asked again. Whatever stood against it is forgotten: it is back then, whole.
    fn cool(&mut self, reason: Reason, until: Instant, hint: Option<HintSource>, now: Instant) -> Option<Change> {
        let until = until.min(LAST);
        if until <= now {
            return self.acquit(now);
        }
        match &mut self.condition {
            // A late answer must not shorten a newer cooldown.
            Condition::Cooling(cooling) if cooling.until >= until => return None,
            Condition::Cooling(cooling) => *cooling = Cooling { until, reason, hint },
            Condition::Available | Condition::Suspect(_) => {
                self.change(Condition::Cooling(Cooling { until, reason, hint }));
            }
        }
        self.cooled_until = Some(until);
        Some(Change::Cooling(until))
    }

    /// It is alive: nothing stands against it any more.
    fn acquit(&mut self, now: Instant) -> Option<Change> {
        (self.strikes, self.unprocessed) = (0, 0);
        let Condition::Suspect(suspicion) = &self.condition else { return None };
        self.returned = Some((now, suspicion.wait()));
        self.change(Condition::Available);
        Some(Change::Available)
    }

    fn release(&mut self, claim: Option<Claim>) {
        if let Condition::Suspect(suspicion) = &mut self.condition {
            suspicion.release(claim);
        }
    }

    fn change(&mut self, condition: Condition) {
        self.condition = condition;
        self.epoch = self.epoch.wrapping_add(1);
        (self.strikes, self.unprocessed) = (0, 0);
    }
}
