//! The steps of an export: how far its values are apart, and what is between them.

use std::collections::BTreeMap;

use lb_limits::MINUTE;

use super::Minute;

/// The step that most values are apart, the first moment, the times that are not at whole steps, and the values at whole
/// steps: one stray value must not squeeze the traffic of all others into shorter ones.
pub(super) fn on_steps(at: BTreeMap<u64, Minute>) -> (u64, u64, Vec<u64>, BTreeMap<u64, Minute>) {
    let times: Vec<u64> = at.keys().copied().collect();
    let step = most_frequent(times.windows(2).map(|pair| pair[1] - pair[0]), MINUTE).unwrap_or(MINUTE);
    let phase = most_frequent(times.iter().map(|time| time % step), 0).unwrap_or(0);
    let mut steps: BTreeMap<u64, Minute> = BTreeMap::new();
    let mut strays = Vec::new();
    for (time, value) in at {
        // Earlier than the first whole step there is none to fall in.
        let off = if time < phase { 0 } else { (time - phase) % step };
        if off > 0 {
            strays.push(time);
        }
        let into = steps.entry(time - off).or_default();
        // The rate of what falls together is that of all its requests.
        let requests = into.requests + value.requests;
        if requests > 0.0 {
            let cached = into.cached_share * into.requests + value.cached_share * value.requests;
            into.cached_share = cached / requests;
        } else {
            into.cached_share = into.cached_share.max(value.cached_share);
        }
        into.requests = requests;
        into.input += value.input;
        into.output += value.output;
    }
    let begin = steps.keys().next().copied().unwrap_or(0);
    (step, begin, strays, steps)
}

/// Of equally frequent ones the usual one, else the smallest.
fn most_frequent(values: impl Iterator<Item = u64>, usual: u64) -> Option<u64> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().rev().max_by_key(|&(value, count)| (count, value == usual)).map(|(value, _)| value)
}
