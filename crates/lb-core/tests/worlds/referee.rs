//! A referee: what must hold at each step of every world.
//!
//! It sees what a user could see (who is asked, what comes back, where the pool says that its backends stand) and knows
//! the rules from [`rules`](crate::rules).

use std::{fmt, time::Duration};

use lb_core::{Exhausted, Outcome};

use crate::{
    rules::{CLOSED, Meaning, PROBE_AFTER, STRIKES, Standing},
    run::Send,
};

/// A rule that was broken, and how.
#[derive(Debug, Clone)]
pub(crate) struct Breach {
    pub(crate) rule: Rule,
    pub(crate) at: Duration,
    pub(crate) how: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}: {}", self.rule, self.at, self.how)
    }
}

/// What the referee looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A backend that is cooling or drained is not asked.
    LeaveTheCoolingAlone,
    /// A better priority that is available and was not tried comes first.
    BetterFirst,
    /// A request asks a backend once.
    AskOnce,
    /// A suspect has one probe at a time, not before it is due.
    OneProbe,
    /// A suspect that failed somebody is left alone for a second by those who would ask it last.
    CloseAfterFailure,
    /// A backend becomes suspect by strikes when a second request strikes it, and not before.
    SecondStrike,
    /// What began before a backend's last change of state changes nothing.
    OldNews,
    /// A success that began since makes a suspect available.
    SuccessHeals,
    /// Only the backend that is heard of changes.
    NobodyElse,
    /// A request that was told when to come back finds somebody to ask then, if nothing happened meanwhile.
    HonestHint,
}

/// An attempt, as the referee is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) walk: u64,
    pub(crate) slot: usize,
    /// The walk's attempts so far.
    pub(crate) sends: &'a [Send],
}

/// An attempt that ended, and what the referee makes of it.
struct Ended {
    walk: u64,
    send: Send,
    /// Whether its walk asked nobody before.
    is_first: bool,
    /// Whether it began before its backend last came to stand elsewhere.
    is_old: bool,
    outcome: Outcome,
    meaning: Meaning,
    before: Standing,
    after: Standing,
}

/// What the referee remembers of a backend.
#[derive(Debug, Clone, Default)]
struct Memory {
    /// By the 429s that came.
    cooling_until: Duration,
    /// When it last came to stand elsewhere, and how many attempts had been made in the run by then.
    changed: Option<(Duration, u64)>,
    last_probe: Option<Duration>,
    closed_until: Duration,
    /// The walks that struck it since it last was alive, or stood elsewhere.
    strikers: Vec<u64>,
    /// Where it stood when the operator took it out, and when that was, in the same terms.
    drained: Option<(Standing, (Duration, u64))>,
}

impl Memory {
    fn moves(&mut self, from: Standing, to: Standing, now: (Duration, u64)) {
        if to == Standing::Drained {
            // What stands against it goes on meanwhile.
            self.drained = Some((from, now));
            return;
        }
        // A change under the drain happened at some moment of it.
        let (from, at) = self.drained.take().unwrap_or((from, now));
        if from != to {
            *self = Self { cooling_until: self.cooling_until, changed: Some(at), ..Self::default() };
        }
    }
}

pub(crate) struct Referee {
    priorities: Vec<u32>,
    stalled_after: Option<Duration>,
    memories: Vec<Memory>,
    attempts: u64,
    /// Where the backends stood when the pool was last looked at.
    pub(crate) standings: Vec<Standing>,
    pub(crate) breaches: Vec<Breach>,
}

impl Referee {
    pub(crate) fn new(priorities: Vec<u32>, stalled_after: Option<Duration>) -> Self {
        let memories = vec![Memory::default(); priorities.len()];
        let standings = vec![Standing::Available; priorities.len()];
        Self { priorities, stalled_after, memories, attempts: 0, standings, breaches: Vec::new() }
    }

    /// Where the backends stand now; gives those that stood elsewhere before.
    pub(crate) fn look(&mut self, now: Duration, standings: Vec<Standing>) -> Vec<usize> {
        let changed: Vec<usize> =
            (0..standings.len()).filter(|&slot| standings[slot] != self.standings[slot]).collect();
        for &slot in &changed {
            self.memories[slot].moves(self.standings[slot], standings[slot], (now, self.attempts));
        }
        self.standings = standings;
        changed
    }

    /// Whether nothing stands against anybody: then time alone changes nothing.
    pub(crate) fn is_quiet(&self) -> bool {
        self.standings.iter().all(|standing| *standing == Standing::Available)
    }

    /// A request is sent; the pool was looked at just before.
    pub(crate) fn sent(&mut self, now: Duration, Seen { slot, sends, .. }: Seen<'_>) {
        self.attempts += 1;
        let (standing, cooling_until) = (self.standings[slot], self.memories[slot].cooling_until);
        if matches!(standing, Standing::Cooling | Standing::Drained) || now < cooling_until {
            let how = format!("{slot} is {standing:?}, and told us to wait until {cooling_until:?}");
            self.breach(Rule::LeaveTheCoolingAlone, now, how);
        }
        let is_tried = |slot| sends.iter().any(|send| send.slot == slot);
        if is_tried(slot) {
            self.breach(Rule::AskOnce, now, format!("{slot} after {sends:?}"));
        }
        let is_left = |&other: &usize| self.standings[other] == Standing::Available && !is_tried(other);
        let others: Vec<usize> = (0..self.standings.len()).filter(is_left).collect();
        if others.iter().any(|&other| self.priorities[other] < self.priorities[slot]) {
            self.breach(Rule::BetterFirst, now, format!("{slot} is asked while {others:?} are available"));
        }
        match standing {
            Standing::Suspect if others.is_empty() => self.asked_last(now, slot),
            Standing::Suspect => self.probed(now, slot),
            _ => {}
        }
    }

    /// A suspect is asked because nothing else is left.
    fn asked_last(&mut self, now: Duration, slot: usize) {
        let closed_until = self.memories[slot].closed_until;
        if now < closed_until {
            self.breach(Rule::CloseAfterFailure, now, format!("{slot} is closed until {closed_until:?}"));
        }
    }

    /// A suspect is asked although others are available.
    fn probed(&mut self, now: Duration, slot: usize) {
        let memory = &mut self.memories[slot];
        let since = memory.changed.map(|(at, _)| at).max(memory.last_probe.replace(now)).unwrap_or_default();
        if now < since + PROBE_AFTER {
            self.breach(Rule::OneProbe, now, format!("{slot}, whose last probe or first failure was at {since:?}"));
        }
    }

    /// A request came back when it was told to, nothing had happened meanwhile, and it is refused again.
    pub(crate) fn refused_again(&mut self, now: Duration, exhausted: &Exhausted) {
        self.breach(Rule::HonestHint, now, exhausted.to_string());
    }

    /// An attempt ended; the pool has been told, and its backends stand so now. Gives those that changed.
    pub(crate) fn settled(
        &mut self,
        now: Duration,
        Seen { walk, slot, sends }: Seen<'_>,
        outcome: Outcome,
        after: Vec<Standing>,
    ) -> Vec<usize> {
        let send = *sends.last().expect("the attempt itself");
        let ended = Ended {
            walk,
            send,
            is_first: sends.len() == 1,
            is_old: self.memories[slot].changed.is_some_and(|(_, attempts)| send.number <= attempts),
            outcome,
            meaning: Meaning::of(&outcome, now - send.begun, self.stalled_after),
            before: self.standings[slot],
            after: after[slot],
        };
        let others = (0..after.len()).filter(|&other| other != slot && self.standings[other] != after[other]);
        for other in others.collect::<Vec<_>>() {
            self.breach(Rule::NobodyElse, now, format!("{other} becomes {:?} by {outcome} at {slot}", after[other]));
        }
        self.check_news(now, slot, &ended);
        self.count_strike(now, slot, &ended);
        let changed = self.look(now, after);
        let Ended { is_first, is_old, meaning, before, .. } = ended;
        let memory = &mut self.memories[slot];
        match meaning {
            Meaning::Throttled(pause) => memory.cooling_until = memory.cooling_until.max(now + pause),
            // One whose request failed elsewhere before may change nothing: only the first is certain to close.
            Meaning::Strike | Meaning::Down if is_first && !is_old && before == Standing::Suspect => {
                memory.closed_until = now + CLOSED;
            }
            _ => {}
        }
        changed
    }

    /// Old news changes nothing, and newer successes heal.
    fn check_news(&mut self, now: Duration, slot: usize, ended: &Ended) {
        let &Ended { send, is_old, outcome, meaning, before, after, .. } = ended;
        let is_about_a_suspect = meaning == Meaning::Alive && before == Standing::Suspect;
        if is_old && before != after && (meaning.is_failure() || is_about_a_suspect) {
            self.breach(Rule::OldNews, now, format!("{slot} becomes {after:?} by {outcome} of {:?}", send.begun));
        }
        if is_about_a_suspect && !is_old && after != Standing::Available {
            self.breach(Rule::SuccessHeals, now, format!("{slot} stays {after:?}"));
        }
    }

    /// Counts the requests in a row that struck a backend.
    fn count_strike(&mut self, now: Duration, slot: usize, ended: &Ended) {
        let &Ended { walk, is_old, outcome, meaning, before, after, .. } = ended;
        let strikers = &mut self.memories[slot].strikers;
        match meaning {
            Meaning::Alive if !is_old || before != Standing::Suspect => strikers.clear(),
            Meaning::Strike if !is_old && matches!(before, Standing::Available | Standing::Drained) => {
                if strikers.len() < STRIKES && !strikers.contains(&walk) {
                    strikers.push(walk);
                }
                let count = strikers.len();
                if before == Standing::Available && (count >= STRIKES) != (after == Standing::Suspect) {
                    let how = format!("{slot} is {after:?} after {count} strikes, the last a {outcome}");
                    self.breach(Rule::SecondStrike, now, how);
                }
            }
            _ => {}
        }
    }

    fn breach(&mut self, rule: Rule, at: Duration, how: String) {
        self.breaches.push(Breach { rule, at, how });
    }
}
