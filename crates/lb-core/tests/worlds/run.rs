//! What happened in a world, and measures of it.

use std::time::Duration;

use lb_core::Outcome;

use crate::{behaviour::is_success, call::Call, referee::Breach, rules::Standing};

/// Everything that happened.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stories: Vec<Story>,
    /// Every change of a backend that was seen, in order.
    pub(crate) changes: Vec<Change>,
    pub(crate) breaches: Vec<Breach>,
}

/// What became of one call.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) call: Call,
    /// Each is one request to the balancer: the first, and the retries.
    pub(crate) walks: Vec<Walk>,
    pub(crate) end: Option<End>,
}

/// One request's walk over the pool.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) sends: Vec<Send>,
    pub(crate) ended: Option<Duration>,
    /// Whether the balancer itself had the last word.
    pub(crate) refused: bool,
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Send {
    /// Its place among all attempts of the run, from 1.
    pub(crate) number: u64,
    pub(crate) slot: usize,
    /// Where the backend stood when it was asked.
    pub(crate) standing: Standing,
    pub(crate) begun: Duration,
    pub(crate) ended: Option<(Duration, Outcome)>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Served(Duration),
    /// `lost`: though a backend that its last walk did not ask would have served it.
    Failed {
        lost: bool,
    },
    Left,
}

/// A backend stands elsewhere from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: Duration,
    pub(crate) slot: usize,
    pub(crate) to: Standing,
}

impl Story {
    pub(crate) fn is_healthy(&self) -> bool {
        self.call.poison.is_none()
    }

    pub(crate) fn failed(&self) -> bool {
        matches!(self.end, Some(End::Failed { .. }))
    }

    /// From the call to the head, for one that was served.
    pub(crate) fn latency(&self) -> Option<Duration> {
        match self.end {
            Some(End::Served(at)) => Some(at - self.call.at),
            _ => None,
        }
    }

    pub(crate) fn sends(&self) -> impl Iterator<Item = &Send> {
        self.walks.iter().flat_map(|walk| &walk.sends)
    }
}

impl Send {
    /// When it failed, if it did.
    pub(crate) fn failed_at(&self) -> Option<Duration> {
        self.ended.filter(|(_, outcome)| !is_success(outcome)).map(|(at, _)| at)
    }

    pub(crate) fn is_open_at(&self, at: Duration) -> bool {
        self.begun <= at && self.ended.is_none_or(|(ended, _)| at < ended)
    }
}

impl Run {
    pub(crate) fn healthy(&self) -> impl Iterator<Item = &Story> {
        self.stories.iter().filter(|story| story.is_healthy())
    }

    /// How many healthy calls failed in the end.
    pub(crate) fn failed(&self) -> usize {
        self.healthy().filter(|story| story.failed()).count()
    }

    /// The share of healthy calls that were served.
    pub(crate) fn served_share(&self) -> f64 {
        let served = self.healthy().filter(|story| matches!(story.end, Some(End::Served(_)))).count();
        served as f64 / self.healthy().count() as f64
    }

    /// The share of healthy calls that are [lost](End::Failed).
    pub(crate) fn lost_share(&self) -> f64 {
        let lost = self.healthy().filter(|story| story.end == Some(End::Failed { lost: true })).count();
        lost as f64 / self.healthy().count() as f64
    }

    pub(crate) fn sends(&self) -> impl Iterator<Item = &Send> {
        self.stories.iter().flat_map(Story::sends)
    }

    pub(crate) fn sends_to(&self, slot: usize) -> impl Iterator<Item = &Send> {
        self.sends().filter(move |send| send.slot == slot)
    }

    /// When a backend first stood so.
    pub(crate) fn first(&self, slot: usize, to: Standing) -> Option<Duration> {
        self.changes.iter().find(|change| change.slot == slot && change.to == to).map(|change| change.at)
    }

    /// Since when a backend has been standing where it stood in the end; `None`: it always did.
    pub(crate) fn last_change(&self, slot: usize) -> Option<Change> {
        self.changes.iter().rfind(|change| change.slot == slot).copied()
    }

    /// The most attempts at a backend, of those that began in this span, that were open at once.
    pub(crate) fn most_at_once(&self, slot: usize, from: Duration, until: Duration) -> usize {
        let sends: Vec<_> = self.sends_to(slot).filter(|send| (from..until).contains(&send.begun)).collect();
        let open_at = |at| sends.iter().filter(|send| send.is_open_at(at)).count();
        sends.iter().map(|send| open_at(send.begun)).max().unwrap_or(0)
    }
}
