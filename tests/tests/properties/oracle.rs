//! The oracle: who may be asked, and what is known of everybody, by the words of the documentation.

use lb_core::{Fault, Reason};

use crate::{
    belief::{Belief, Ended, Way},
    case::Answer,
    history::{History, Pick, State, What},
    table::{Says, reason},
};

#[derive(Debug)]
pub(crate) struct Oracle<'h> {
    history: &'h History,
    pub(crate) backends: Vec<Belief>,
    walks: Vec<Walk>,
    /// Why each last failed anybody.
    last: Vec<Option<Reason>>,
}

/// One request's walk.
#[derive(Debug, Clone, Default)]
struct Walk {
    /// The backends that it asked.
    asked: Vec<usize>,
    /// Those that it struck.
    struck: Vec<usize>,
    /// Whether it struck one, or found that one had failed.
    has_failed: bool,
    /// Its answers, that is what came with a status: whether each was a strike.
    answers: Vec<(u16, bool)>,
    /// The one that refused it without processing.
    refused_by: Option<usize>,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    begun: usize,
    then: u64,
    way: Way,
}

/// Who may be asked next, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) way: Way,
    /// Any of these, by weight.
    pub(crate) among: Vec<usize>,
}

impl<'h> Oracle<'h> {
    pub(crate) fn new(history: &'h History) -> Self {
        let case = &history.case;
        let backends = case.backends.iter().map(|_| Belief::new(&case.options)).collect();
        let last = vec![None; case.backends.len()];
        Self { history, backends, walks: vec![Walk::default(); history.asks.len()], last }
    }

    /// Where a request may go; `None` if nowhere.
    pub(crate) fn choice(&self, request: usize, now: u64) -> Option<Choice> {
        let walk = &self.walks[request];
        let most = self.history.case.options.max_attempts.map_or(usize::MAX, |most| most as usize);
        if walk.asked.len() >= most {
            return None;
        }
        let untried = |backend: &usize| !walk.asked.contains(backend);
        let begins = walk.asked.is_empty();
        let mut priorities: Vec<_> = self.history.backends().map(|backend| self.priority(backend)).collect();
        priorities.sort_unstable();
        priorities.dedup();
        for priority in priorities {
            let of = |is: &dyn Fn(&Belief) -> bool| -> Vec<usize> {
                let is_meant = |backend: &usize| self.priority(*backend) == priority && is(&self.backends[*backend]);
                self.history.backends().filter(untried).filter(is_meant).collect()
            };
            let due = of(&|belief| begins && belief.is_due(now));
            if !due.is_empty() {
                return Some(Choice { way: Way::Probe, among: due });
            }
            let available = of(&|belief| belief.is_available(now));
            if !available.is_empty() {
                return Some(Choice { way: Way::Available, among: available });
            }
        }
        let open = || self.history.backends().filter(untried).filter(|backend| self.backends[*backend].is_open(now));
        let rank = |backend: usize| (!self.backends[backend].had_answered(), self.priority(backend));
        if let Some(best) = open().map(rank).min() {
            return Some(Choice { way: Way::Last, among: open().filter(|backend| rank(*backend) == best).collect() });
        }
        let again = walk.refused_by.filter(|again| walk.asked.iter().filter(|asked| *asked == again).count() == 1);
        again
            .filter(|again| self.backends[*again].is_available(now))
            .map(|again| Choice { way: Way::Again, among: vec![again] })
    }

    /// How the open attempt of a request came to its backend, and whether its news is old by now.
    pub(crate) fn attempt(&self, request: usize, backend: usize) -> Option<(Way, bool)> {
        let open = self.walks[request].open?;
        Some((open.way, self.backends[backend].is_old(open.begun)))
    }

    pub(crate) fn has_failed(&self, request: usize) -> bool {
        self.walks[request].has_failed
    }

    /// Takes note of one record.
    pub(crate) fn hear(&mut self, at: usize, now: u64, what: &What) {
        match what {
            What::Picked(Pick { request, backend, .. }) => {
                // If it is not one of them, a property tells; what follows does not matter.
                let way = self.choice(*request, now).map_or(Way::Available, |choice| choice.way);
                self.backends[*backend].ask(way, at, now);
                let walk = &mut self.walks[*request];
                walk.asked.push(*backend);
                walk.open = Some(Open { begun: at, then: now, way });
            }
            What::Settled { request, backend, answer } => {
                let case = &self.history.case;
                let says = case.says(*backend, answer);
                if case.is_failure(*backend, answer) {
                    self.last[*backend] = Some(reason(answer));
                }
                let is_strike = self.end(*request, *backend, says, reason(answer), at, now);
                let walk = &mut self.walks[*request];
                match answer {
                    Answer::Fault(Fault::Unprocessed) => drop(walk.refused_by.get_or_insert(*backend)),
                    Answer::Status { status, .. } => walk.answers.push((*status, is_strike)),
                    Answer::Fault(_) => {}
                }
            }
            What::Dropped { request, backend } => {
                let took = now - self.walks[*request].open.as_ref().map_or(now, |open| open.then);
                let limit = self.history.case.options.stalled_after;
                let is_stalled = limit.is_some_and(|limit| u128::from(took) >= limit.as_nanos());
                if is_stalled {
                    self.last[*backend] = Some(Reason::Stalled);
                }
                let says = if is_stalled { Says::Strike } else { Says::Nothing };
                self.end(*request, *backend, says, Reason::Stalled, at, now);
            }
            What::Drained { backend, is_out } => self.backends[*backend].drain(*is_out),
            What::Delivered(_) | What::Told(_) | What::Looked(_) => {}
        }
    }

    fn end(&mut self, request: usize, backend: usize, says: Says, reason: Reason, at: usize, now: u64) -> bool {
        let walk = &mut self.walks[request];
        let Some(Open { begun, way, .. }) = walk.open.take() else { return false };
        let (had_failed, had_struck_it) = (walk.has_failed, walk.struck.contains(&backend));
        let ended = Ended { begun, way, had_failed, had_struck_it, reason, at, now };
        let is_strike = self.backends[backend].hear(says, ended);
        if is_strike {
            walk.struck.push(backend);
        }
        walk.has_failed |= is_strike || says == Says::Failed;
        is_strike
    }

    /// Whether a refusal is said in place of the final attempt's answer, when nobody is left.
    pub(crate) fn is_synthesised(&self, request: usize, now: u64) -> bool {
        let walk = &self.walks[request];
        if walk.asked.is_empty() || self.history.case.options.always_synthesize {
            return true;
        }
        if walk.answers.is_empty() {
            // The error of a suspect that was asked for want of others says less than that the others are throttled.
            return self.is_throttled(request, now);
        }
        walk.answers.iter().any(|(status, _)| *status == 429) && !walk.answers.iter().all(|(_, is_strike)| *is_strike)
    }

    /// Whether a 429 is among the reasons why nobody is left.
    pub(crate) fn is_throttled(&self, request: usize, now: u64) -> bool {
        self.history.backends().any(|backend| self.why(request, backend, now) == Some(Reason::Status(429)))
    }

    /// Why a backend is out for a request: of one that is available, but was asked, its last failure.
    pub(crate) fn why(&self, request: usize, backend: usize, now: u64) -> Option<Reason> {
        match self.backends[backend].state(now) {
            State::Available => self.last[backend].filter(|_| self.walks[request].asked.contains(&backend)),
            State::Cooling { reason, .. } | State::Suspect { reason, .. } => Some(reason),
            State::Drained => None,
        }
    }

    fn priority(&self, backend: usize) -> u32 {
        self.history.case.backends[backend].priority
    }
}
