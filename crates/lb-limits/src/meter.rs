use std::collections::VecDeque;

use crate::{
    bucket::Bucket,
    window::{Admit, Kind, Window},
};

/// A [`Window`] with the charges it has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meter {
    rules: Window,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Fixed {
        /// Number of the window that `used` belongs to, and the latest time charged.
        index: u128,
        at: u64,
        used: u128,
    },
    Sliding {
        /// Time and amount of every charge that still counts, oldest first.
        log: VecDeque<(u64, u128)>,
        at: u64,
        used: u128,
    },
    /// A part is a unit divided by `length_ns`, so that a nanosecond drains `limit` parts.
    Gcra(Bucket),
}

impl Meter {
    pub(crate) fn new(mut rules: Window) -> Self {
        rules.length_ns = rules.length_ns.max(1);
        let state = match rules.kind {
            Kind::Fixed => State::Fixed { index: 0, at: 0, used: 0 },
            Kind::Sliding => State::Sliding { log: VecDeque::new(), at: 0, used: 0 },
            Kind::Gcra => State::Gcra(Bucket::new(rules.limit)),
        };
        Self { rules, state }
    }

    pub(crate) fn rules(&self) -> &Window {
        &self.rules
    }

    /// The first moment, `now` or later, at which a request of `cost` is let in if nothing else is charged. `None`:
    /// never.
    pub(crate) fn admits_at(&self, now: u64, cost: u64) -> Option<u64> {
        // The most that may be on the meter for this request to be let in.
        let room = match self.rules.admit {
            Admit::Fits => self.rules.limit.checked_sub(cost)?,
            Admit::UntilReached => self.rules.limit.checked_sub(1)?,
        };
        match &self.state {
            State::Fixed { .. } | State::Sliding { .. } => self.falls_to(room.into(), now),
            State::Gcra(bucket) => {
                let length = u128::from(self.rules.length_ns);
                let parts = match self.rules.admit {
                    Admit::Fits => u128::from(room) * length,
                    // Below the limit is any fraction of a unit below it.
                    Admit::UntilReached => u128::from(self.rules.limit) * length - 1,
                };
                bucket.falls_to(parts, now)
            }
        }
    }

    pub(crate) fn charge(&mut self, now: u64, cost: u64) {
        let cost = u128::from(cost);
        match &mut self.state {
            State::Fixed { index, at, used } => {
                *at = now.max(*at);
                let current = index_at(&self.rules, *at);
                if current != *index {
                    (*index, *used) = (current, 0);
                }
                *used = used.saturating_add(cost);
            }
            State::Sliding { log, at, used } => {
                *at = now.max(*at);
                while let Some(&(time, amount)) = log.front() {
                    if *at - time < self.rules.length_ns {
                        break;
                    }
                    log.pop_front();
                    *used -= amount;
                }
                if cost == 0 {
                    return;
                }
                *used += cost;
                match log.back_mut() {
                    Some((time, amount)) if *time == *at => *amount += cost,
                    _ => log.push_back((*at, cost)),
                }
            }
            State::Gcra(bucket) => bucket.raise(now, cost * u128::from(self.rules.length_ns)),
        }
    }

    /// Units that are left at `now`; for GCRA the whole ones.
    pub(crate) fn remaining(&self, now: u64) -> u64 {
        let limit = u128::from(self.rules.limit);
        let left = match &self.state {
            State::Fixed { index, at, used } => {
                let current = index_at(&self.rules, now.max(*at));
                limit.saturating_sub(if current == *index { *used } else { 0 })
            }
            State::Sliding { log, at, used } => {
                let now = now.max(*at);
                let gone: u128 = log
                    .iter()
                    .take_while(|(time, _)| now - time >= self.rules.length_ns)
                    .map(|(_, amount)| amount)
                    .sum();
                limit.saturating_sub(used - gone)
            }
            State::Gcra(bucket) => {
                let length = u128::from(self.rules.length_ns);
                (limit * length).saturating_sub(bucket.level(now)) / length
            }
        };
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    /// The first moment, `now` or later, at which nothing is on the meter; `None`: never.
    pub(crate) fn resets_at(&self, now: u64) -> Option<u64> {
        match &self.state {
            State::Gcra(bucket) => bucket.falls_to(0, now),
            _ => self.falls_to(0, now),
        }
    }

    /// The first moment, `now` or later, at which a fixed or sliding count is at most `target`.
    fn falls_to(&self, target: u128, now: u64) -> Option<u64> {
        match &self.state {
            State::Fixed { index, at, used } => {
                let effective = now.max(*at);
                if *used <= target || index_at(&self.rules, effective) != *index {
                    return Some(now);
                }
                end_of(&self.rules, effective)
            }
            State::Sliding { log, used, .. } => {
                let mut left = *used;
                let mut moment = Some(now);
                for (time, amount) in log {
                    if left <= target {
                        break;
                    }
                    left -= amount;
                    moment = time.checked_add(self.rules.length_ns).map(|end| end.max(now));
                }
                moment
            }
            State::Gcra(bucket) => bucket.falls_to(target, now),
        }
    }
}

/// The number of the fixed window in which `time` lies; window 0 ends at the first reset.
fn index_at(rules: &Window, time: u64) -> u128 {
    match time.checked_sub(offset(rules)) {
        Some(since) => u128::from(since / rules.length_ns) + 1,
        None => 0,
    }
}

/// The end of the fixed window in which `time` lies; `None` if time ends before it.
fn end_of(rules: &Window, time: u64) -> Option<u64> {
    let offset = offset(rules);
    match time.checked_sub(offset) {
        Some(since) => time.checked_add(rules.length_ns - since % rules.length_ns),
        None => Some(offset),
    }
}

/// The first reset after time zero or at it.
fn offset(rules: &Window) -> u64 {
    match rules.kind {
        Kind::Fixed => rules.phase_ns % rules.length_ns,
        Kind::Sliding | Kind::Gcra => 0,
    }
}
