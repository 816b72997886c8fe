//! What a request that found no backend left is told about all of them.

use std::time::Duration;

use crate::{
    cause::{Cause, Detail},
    clock::Instant,
    exhausted::Totals,
    outcome::Reason,
    pool::standing::Standing,
    state::State,
};

/// How long a backend counts as out for a request that cannot have it although it is available.
const TRIED_DELAY: Duration = Duration::from_secs(1);

/// Of so many backends it is said why they are out; the others are counted.
const MAX_NAMED: usize = 32;

/// That no slot can be picked.
#[derive(Debug, Default)]
pub(crate) struct NoneLeft {
    pub(crate) totals: Totals,
    /// How long until the first of those that are cooling is back.
    pub(crate) cools_in: Option<Duration>,
    /// The first of them, in order of priority.
    pub(crate) named: Vec<Left>,
}

/// Why one backend was left out.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) slot: usize,
    pub(crate) state: State,
    /// How long until the request could go there; `None` if an operator decides.
    pub(crate) opens_in: Option<Duration>,
    /// Why it is out; of one that is available, how it failed this request.
    pub(crate) cause: Option<Cause>,
}

impl NoneLeft {
    /// Room for so many backends.
    pub(super) fn of(backends: usize) -> Self {
        Self {
            totals: Totals { backends, ..Totals::default() },
            cools_in: None,
            named: Vec::with_capacity(backends.min(MAX_NAMED)),
        }
    }

    /// Takes note of one backend.
    pub(super) fn add(&mut self, slot: usize, standing: &Standing, is_tried: bool, now: Instant) {
        let state = standing.state(now);
        let last = standing.last().map(Cause::reason);
        let reason = match state {
            State::Available => last.filter(|_| is_tried),
            State::Cooling { reason, .. } | State::Suspect { reason, .. } => Some(reason),
            State::Drained => None,
        };
        match state {
            State::Available => {}
            State::Cooling { remaining, .. } => {
                self.totals.cooling += 1;
                self.cools_in = Some(self.cools_in.map_or(remaining, |soonest| soonest.min(remaining)));
            }
            State::Suspect { .. } => self.totals.suspect += 1,
            State::Drained => self.totals.drained += 1,
        }
        self.totals.is_throttled |= reason == Some(Reason::Status(429));
        // It could go there, but has been there, or has made all its attempts.
        let opens_in = standing.opens_in(now).map(|delay| if delay.is_zero() { TRIED_DELAY } else { delay });
        self.totals.soonest = match (self.totals.soonest, opens_in) {
            (Some(soonest), Some(delay)) => Some(soonest.min(delay)),
            (soonest, delay) => soonest.or(delay),
        };
        if self.named.len() < MAX_NAMED {
            let cause = reason.map(|reason| match standing.last() {
                Some(cause) if last == Some(reason) => cause.clone(),
                _ => Cause::new(reason, Detail::default()),
            });
            self.named.push(Left { slot, state, opens_in, cause });
        }
    }
}
