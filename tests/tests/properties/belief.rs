//! A belief: what the words of the documentation say of one backend, kept as plainly as they are said.

use lb_core::Reason;

use crate::{
    case::Options,
    history::State,
    table::{Says, hangs, is_at_the_callers_expense, nanos},
};

const SECOND: u64 = 1_000_000_000;

/// So soon after its return, a failure of the same kind goes on from where it was.
const RELAPSE: u64 = 60 * SECOND;

/// So many refusals before anything was processed, without a success, are a strike.
const REFUSALS: u32 = 8;

#[derive(Debug)]
pub(crate) struct Belief {
    strikes_to_suspect: u32,
    probe_after: u64,
    longest: u64,
    is_drained: bool,
    condition: Condition,
    strikes: u32,
    refusals: u32,
    /// The record of the last change of state.
    changed: usize,
    /// When it last came back from being suspect, and for how long it was waited with a probe by then.
    came_back: Option<(u64, u64)>,
}

#[derive(Debug)]
enum Condition {
    Available,
    Cooling { until: u64, reason: Reason },
    Suspect(Suspicion),
}

#[derive(Debug)]
struct Suspicion {
    reason: Reason,
    /// How long after a failure it is asked first.
    wait: u64,
    probe_at: u64,
    /// From when on it may be asked last, whoever hangs there.
    opens_at: u64,
    claim: Option<Claim>,
    /// Whether a request that went last has taken the claim from a probe that never said how it ended.
    is_overtaken: bool,
}

#[derive(Debug)]
struct Claim {
    /// The attempt that holds it.
    by: usize,
    way: Way,
    lapses: u64,
}

/// How a request comes to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// First, to see.
    Probe,
    /// As one of those that are available.
    Available,
    /// Because nothing is available.
    Last,
    /// After all others, because it refused without processing.
    Again,
}

/// An attempt as it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// The record by which it began.
    pub(crate) begun: usize,
    pub(crate) way: Way,
    /// Whether the request had failed somewhere before.
    pub(crate) had_failed: bool,
    /// Whether it had struck this backend.
    pub(crate) had_struck_it: bool,
    pub(crate) reason: Reason,
    /// The record by which it ends, and when.
    pub(crate) at: usize,
    pub(crate) now: u64,
}

impl Belief {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            strikes_to_suspect: options.strikes,
            probe_after: nanos(options.probe_after),
            longest: nanos(options.max_cooldown),
            is_drained: false,
            condition: Condition::Available,
            strikes: 0,
            refusals: 0,
            changed: 0,
            came_back: None,
        }
    }

    pub(crate) fn state(&self, now: u64) -> State {
        match self.condition {
            _ if self.is_drained => State::Drained,
            Condition::Cooling { until, reason } if until > now => State::Cooling { until, reason },
            Condition::Available | Condition::Cooling { .. } => State::Available,
            Condition::Suspect(Suspicion { probe_at, reason, .. }) => State::Suspect { probe_at, reason },
        }
    }

    pub(crate) fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Whether there is nothing that a success would take back.
    pub(crate) fn is_blameless(&self) -> bool {
        self.strikes == 0 && self.refusals == 0 && !matches!(self.condition, Condition::Suspect(_))
    }

    /// Whether an attempt began before the last change of state.
    pub(crate) fn is_old(&self, begun: usize) -> bool {
        begun < self.changed
    }

    pub(crate) fn is_available(&self, now: u64) -> bool {
        self.state(now) == State::Available
    }

    /// Whether it is cooling or suspect.
    fn is_out(&self, now: u64) -> bool {
        match self.condition {
            Condition::Available => false,
            Condition::Cooling { until, .. } => until > now,
            Condition::Suspect(_) => true,
        }
    }

    /// Whether a request may ask it first, to see.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        matches!(self.state(now), State::Suspect { probe_at, .. } if probe_at <= now)
    }

    /// Whether it may be asked last.
    pub(crate) fn is_open(&self, now: u64) -> bool {
        !self.is_drained && matches!(&self.condition, Condition::Suspect(suspicion) if suspicion.opens_at() <= now)
    }

    /// Whether its last failure, as a suspect, was an answer.
    pub(crate) fn had_answered(&self) -> bool {
        matches!(&self.condition, Condition::Suspect(Suspicion { reason: Reason::Status(_), .. }))
    }

    /// How long until a request that begins then would go there, one way or another; `None` if an operator decides.
    pub(crate) fn opens_in(&self, now: u64) -> Option<u64> {
        let opens_at = match &self.condition {
            _ if self.is_drained => return None,
            Condition::Available => now,
            Condition::Cooling { until, .. } => *until,
            Condition::Suspect(suspicion) => suspicion.probe_at.min(suspicion.opens_at()),
        };
        Some(opens_at.saturating_sub(now))
    }

    pub(crate) fn drain(&mut self, is_out: bool) {
        self.is_drained = is_out;
    }

    /// A request comes this way.
    pub(crate) fn ask(&mut self, way: Way, at: usize, now: u64) {
        let (probe_after, longest) = (self.probe_after, self.longest);
        let Condition::Suspect(suspicion) = &mut self.condition else { return };
        let hangs = hangs(suspicion.reason);
        let has_lapsed = suspicion.claim.as_ref().is_some_and(|claim| claim.way == Way::Probe);
        match way {
            Way::Probe => {
                // A claim that lapsed after a timeout is a failed probe.
                if hangs && (has_lapsed || suspicion.is_overtaken) {
                    suspicion.wait = longest.min(suspicion.wait * 2);
                }
                suspicion.is_overtaken = false;
                suspicion.claim = Some(Claim { by: at, way, lapses: now + suspicion.wait });
                suspicion.probe_at = now + if hangs { longest.min(suspicion.wait * 2) } else { suspicion.wait };
            }
            Way::Last if hangs => {
                suspicion.is_overtaken |= has_lapsed;
                suspicion.claim = Some(Claim { by: at, way, lapses: now + probe_after });
                // One at a time, whichever way it comes.
                suspicion.probe_at = suspicion.probe_at.max(now + probe_after);
            }
            _ => {}
        }
    }

    /// An attempt ends. Gives whether its request has struck somebody by it.
    pub(crate) fn hear(&mut self, says: Says, ended: Ended) -> bool {
        let Ended { reason, at, now, .. } = ended;
        let is_429 = reason == Reason::Status(429);
        match says {
            Says::Nothing => {}
            // However old.
            Says::Cooling(nanos) if is_429 && nanos > 0 => self.cool(now + nanos, reason, at, now),
            // Proof of life, if late: also where a cooldown is over, and nobody has noticed.
            Says::Alive if !self.is_out(now) => self.live(at, now),
            // What has happened since is younger.
            _ if self.is_old(ended.begun) => {}
            Says::Alive | Says::Cooling(0) => self.live(at, now),
            Says::Cooling(nanos) => self.cool(now + nanos, reason, at, now),
            Says::Failed => self.fail(ended),
            Says::Strike => self.strike(ended),
            // A request strikes once.
            Says::Unprocessed if ended.had_struck_it => {}
            Says::Unprocessed => {
                self.refusals += 1;
                if self.refusals == REFUSALS {
                    self.refusals = 0;
                    let was_suspect = matches!(self.condition, Condition::Suspect(_));
                    self.strike(ended);
                    return !was_suspect;
                }
                if let Condition::Suspect(suspicion) = &mut self.condition {
                    suspicion.release(ended.begun);
                }
            }
        }
        says == Says::Strike
    }

    /// Nothing stands against it.
    fn live(&mut self, at: usize, now: u64) {
        (self.strikes, self.refusals) = (0, 0);
        if let Condition::Suspect(suspicion) = &self.condition {
            self.came_back = Some((now, suspicion.wait));
            self.turn(Condition::Available, at);
        }
    }

    /// It is out until then, and back whole.
    fn cool(&mut self, until: u64, reason: Reason, at: usize, now: u64) {
        match &self.condition {
            Condition::Cooling { until: longer, .. } if *longer >= until => {}
            Condition::Cooling { until: shorter, .. } if *shorter > now => {
                self.condition = Condition::Cooling { until, reason };
            }
            _ => self.turn(Condition::Cooling { until, reason }, at),
        }
    }

    fn strike(&mut self, ended: Ended) {
        if ended.had_struck_it {
            return;
        }
        if let Condition::Suspect(_) = self.condition {
            return self.fail(ended);
        }
        self.strikes += 1;
        if self.strikes >= self.strikes_to_suspect {
            self.fail(ended);
        }
    }

    /// It failed, and that is its own doing.
    fn fail(&mut self, ended: Ended) {
        let Ended { reason, at, now, .. } = ended;
        if let Condition::Suspect(suspicion) = &mut self.condition {
            return suspicion.fail(ended, self.probe_after, self.longest);
        }
        let wait = match self.came_back {
            Some((then, wait)) if is_at_the_callers_expense(reason) && now - then <= RELAPSE => {
                self.longest.min(wait * 2)
            }
            _ => self.probe_after,
        };
        let suspicion =
            Suspicion { reason, wait, probe_at: now + wait, opens_at: now, claim: None, is_overtaken: false };
        self.turn(Condition::Suspect(suspicion), at);
    }

    fn turn(&mut self, condition: Condition, at: usize) {
        (self.condition, self.changed) = (condition, at);
        (self.strikes, self.refusals) = (0, 0);
    }
}

impl Suspicion {
    /// From when on it may be asked last: one at a time, where whoever asks may hang.
    fn opens_at(&self) -> u64 {
        let lapses = self.claim.as_ref().filter(|_| hangs(self.reason)).map_or(0, |claim| claim.lapses);
        self.opens_at.max(lapses)
    }

    fn fail(&mut self, ended: Ended, probe_after: u64, longest: u64) {
        let Ended { begun, reason, now, .. } = ended;
        let held = self.release(begun);
        if ended.had_failed {
            return;
        }
        if held && ended.way == Way::Probe {
            self.wait = if is_at_the_callers_expense(reason) { longest.min(self.wait * 2) } else { probe_after };
        }
        self.reason = reason;
        self.opens_at = now + SECOND;
        self.probe_at = now + self.wait;
    }

    /// An attempt ends; gives whether it held the claim.
    fn release(&mut self, begun: usize) -> bool {
        self.claim.take_if(|claim| claim.by == begun).is_some()
    }
}
