//! Which counts to look at, so that the answer is the same as after a look at each.
//!
//! It rests on one assumption, on what is simulated and so with the same draws: of two counts the larger one pays no more
//! by the token, and what it is limited in is no worse. The cost itself is not monotone: PTUs are paid for too. So
//!
//! - a count below one that misses a limit misses it as well;
//! - a count costs at least its own PTUs and what the next larger count that was looked at pays by the token.
//!
//! The ends of the range come first. Then, for each question (the cheapest count of all, the cheapest that meets the
//! limits, at each depth and at all of them), the range in which the answer may be is halved until no count is left that
//! could be cheaper than the cheapest that is known.
//!
//! A first look takes [`FEW`] runs. They are enough if the 95 % interval of what they say (a limit's value, or a difference
//! of costs in pairs) is clear of what it is compared with. What an answer rests on is looked at in full: the count
//! itself, what could be as cheap, and the largest count that misses a limit.

use std::cmp::Ordering;

use super::{Limit, Step};
use crate::report::Estimate;

/// Runs of a first look: two have an interval.
const FEW: usize = 2;

/// What is known of the counts for sale, at each depth.
pub(super) struct Search {
    /// Every count for sale, zero first.
    pub(super) counts: Vec<u64>,
    /// Per depth, per count.
    known: Vec<Vec<Option<Step>>>,
    limits: Vec<Limit>,
    /// Runs of a full look.
    full: usize,
    /// Whether every count is looked at in full.
    is_every_step: bool,
}

/// A count to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look {
    pub(super) depth: usize,
    /// The number of the count.
    pub(super) index: usize,
    /// With so many runs in all.
    pub(super) runs: usize,
}

/// What is asked for: the cheapest count that meets these limits at these depths.
struct Question {
    depths: Vec<usize>,
    limits: Vec<usize>,
    /// Whether the answer must have all runs.
    is_decisive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Met,
    Missed,
    /// Too few runs to tell.
    Open,
}

impl Search {
    pub(super) fn new(counts: Vec<u64>, depths: usize, limits: Vec<Limit>, full: u32, is_every_step: bool) -> Self {
        let known = vec![vec![None; counts.len()]; depths];
        Self { counts, known, limits, full: full as usize, is_every_step }
    }

    /// More counts, after those that there are.
    pub(super) fn extend(&mut self, counts: &[u64]) {
        self.counts.extend_from_slice(counts);
        self.known.iter_mut().for_each(|of_depth| of_depth.resize(self.counts.len(), None));
    }

    /// Takes what a look gave. Zero PTUs have no bucket: what is true of them at one depth is true at all.
    pub(super) fn learn(&mut self, look: Look, step: Step) {
        if look.index == 0 {
            self.known.iter_mut().for_each(|of_depth| of_depth[0] = Some(step.clone()));
        } else {
            self.known[look.depth][look.index] = Some(step);
        }
    }

    /// The ends of the range, until it is known which limits they meet; every count if each is to be looked at.
    pub(super) fn ends(&self) -> Vec<Look> {
        let last = self.counts.len() - 1;
        let indexes = if self.is_every_step { (0..=last).collect() } else { vec![0, last] };
        let wanted = indexes.into_iter().flat_map(|index| self.depths().map(move |depth| (depth, index)));
        tidy(wanted.filter_map(|(depth, index)| match &self.known[depth][index] {
            None => Some(self.look(depth, index, if self.is_every_step { self.full } else { FEW })),
            Some(step) if self.all_limits().iter().any(|&limit| self.fate(step, limit) == Fate::Open) => {
                Some(self.look(depth, index, self.full))
            }
            Some(_) => None,
        }))
    }

    /// Whether a count that is known meets every limit at every depth.
    pub(super) fn is_met(&self) -> bool {
        self.best(&self.everywhere()).is_some()
    }

    /// The next counts to look at, once the ends are known; none if every question is answered.
    pub(super) fn looks(&self) -> Vec<Look> {
        if self.is_every_step {
            return Vec::new();
        }
        let each = self.depths().map(|depth| vec![depth]);
        let none = each.clone().map(|depths| Question { depths, limits: Vec::new(), is_decisive: true });
        let all = each.clone().map(|depths| Question { depths, limits: self.all_limits(), is_decisive: true });
        let alone = each.flat_map(|depths| {
            self.all_limits().into_iter().map(move |limit| Question {
                depths: depths.clone(),
                limits: vec![limit],
                is_decisive: false,
            })
        });
        let questions: Vec<Question> = none.chain(all).chain([self.everywhere()]).chain(alone).collect();
        let looks = tidy(questions.iter().flat_map(|question| self.next(question)));
        if looks.is_empty() { self.purchases() } else { looks }
    }

    /// What was looked at, by PTUs, per depth.
    pub(super) fn into_steps(self) -> Vec<Vec<Step>> {
        self.known.into_iter().map(|of_depth| of_depth.into_iter().flatten().collect()).collect()
    }

    fn depths(&self) -> std::ops::Range<usize> {
        0..self.known.len()
    }

    fn all_limits(&self) -> Vec<usize> {
        (0..self.limits.len()).collect()
    }

    fn everywhere(&self) -> Question {
        Question { depths: self.depths().collect(), limits: self.all_limits(), is_decisive: true }
    }

    fn look(&self, depth: usize, index: usize, runs: usize) -> Look {
        Look { depth: if index == 0 { 0 } else { depth }, index, runs: runs.min(self.full) }
    }

    fn is_full(&self, step: &Step) -> bool {
        step.costs.len() >= self.full
    }

    fn fate(&self, step: &Step, limit: usize) -> Fate {
        let check = &step.checks[limit];
        if check.is_met {
            Fate::Met
        } else if self.is_full(step) || check.value.low() > self.limits[limit].at_most {
            Fate::Missed
        } else {
            Fate::Open
        }
    }

    /// The next looks for one question.
    fn next(&self, question: &Question) -> Vec<Look> {
        let best = self.best(question);
        let bounds = self.bounds(question);
        let missed = self.largest_missed(question, |_| true);
        let may_be = |index: usize| best.is_none_or(|best| !self.is_dearer(question, &bounds, index, best));
        let could_meet = |index: usize| {
            self.pairs(question).all(|(depth, limit)| match &self.known[depth][index] {
                Some(step) => self.fate(step, limit) != Fate::Missed,
                None => missed[depth][limit].is_none_or(|missed| index > missed),
            })
        };
        let is_known = |index: usize| question.depths.iter().all(|&depth| self.known[depth][index].is_some());
        let is_settled = |index: usize| {
            let steps = question.depths.iter().filter_map(|&depth| self.known[depth][index].as_ref());
            let mut steps = steps.into_iter();
            is_known(index)
                && steps.all(|step| {
                    self.is_full(step)
                        || !question.is_decisive
                            && question.limits.iter().all(|&limit| self.fate(step, limit) != Fate::Open)
                })
        };
        let open = |index: usize| Some(index) != best && could_meet(index) && !is_settled(index) && may_be(index);
        let open: Vec<usize> = (0..self.counts.len()).filter(|&index| open(index)).collect();
        let least = |index: usize| bounds.iter().map(|of_depth| mean(&of_depth[index])).fold(f64::MIN, f64::max);
        if let Some(&lowest) = open.iter().min_by(|&&a, &&b| least(a).total_cmp(&least(b))) {
            if is_known(lowest) {
                return self.in_full(question, lowest);
            }
            let is_part = |index: &usize| open.binary_search(index).is_ok() && !is_known(*index);
            let from = (0..lowest).rev().take_while(is_part).last().unwrap_or(lowest);
            let to = (lowest..self.counts.len()).take_while(is_part).last().unwrap_or(lowest);
            let middle = usize::midpoint(from, to);
            let unknown = question.depths.iter().filter(|&&depth| self.known[depth][middle].is_none());
            return unknown.map(|&depth| self.look(depth, middle, FEW)).collect();
        }
        if !question.is_decisive {
            return Vec::new();
        }
        let answer = best.map_or_else(Vec::new, |best| self.in_full(question, best));
        if answer.is_empty() { self.doubtful_miss(question, may_be) } else { answer }
    }

    /// The largest count that misses a limit, if that rests on few runs and keeps counts out that may be the answer.
    fn doubtful_miss(&self, question: &Question, may_be: impl Fn(usize) -> bool) -> Vec<Look> {
        let largest = |missed: Vec<Vec<Option<usize>>>| {
            self.pairs(question).filter_map(|(depth, limit)| Some((missed[depth][limit]?, depth))).max()
        };
        let Some((index, depth)) = largest(self.largest_missed(question, |_| true)) else { return Vec::new() };
        let sure = largest(self.largest_missed(question, |step| self.is_full(step))).map_or(0, |(index, _)| index + 1);
        let keeps_out = (sure..=index).any(may_be);
        if keeps_out { vec![self.look(depth, index, self.full)] } else { Vec::new() }
    }

    /// Per depth and limit of the question, the largest count that is known to miss it.
    fn largest_missed(&self, question: &Question, counts: impl Fn(&Step) -> bool) -> Vec<Vec<Option<usize>>> {
        let mut largest = vec![vec![None; self.limits.len()]; self.known.len()];
        for (depth, limit) in self.pairs(question) {
            let misses = |step: &Option<Step>| {
                step.as_ref().is_some_and(|step| counts(step) && self.fate(step, limit) == Fate::Missed)
            };
            largest[depth][limit] = self.known[depth].iter().rposition(misses);
        }
        largest
    }

    fn pairs<'a>(&self, question: &'a Question) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        question.depths.iter().flat_map(|&depth| question.limits.iter().map(move |&limit| (depth, limit)))
    }

    /// The looks that give this count all runs.
    fn in_full(&self, question: &Question, index: usize) -> Vec<Look> {
        let few = |depth: &&usize| !self.known[**depth][index].as_ref().is_some_and(|step| self.is_full(step));
        question.depths.iter().filter(few).map(|&depth| self.look(depth, index, self.full)).collect()
    }

    /// What each choice comes to at the depths that are not its own.
    fn purchases(&self) -> Vec<Look> {
        let choice = |depth| self.best(&Question { depths: vec![depth], limits: self.all_limits(), is_decisive: true });
        let counts: Vec<usize> = self.depths().filter_map(choice).collect();
        tidy(counts.iter().flat_map(|&index| {
            self.depths().filter_map(move |depth| match &self.known[depth][index] {
                None => Some(self.look(depth, index, FEW)),
                Some(step) if self.all_limits().iter().any(|&limit| self.fate(step, limit) == Fate::Open) => {
                    Some(self.look(depth, index, self.full))
                }
                Some(_) => None,
            })
        }))
    }

    /// Of the counts that are known to meet the limits, the one whose dearest depth is cheapest; of equals the smallest.
    fn best(&self, question: &Question) -> Option<usize> {
        let meets = |index: &usize| {
            question.depths.iter().all(|&depth| {
                self.known[depth][*index]
                    .as_ref()
                    .is_some_and(|step| question.limits.iter().all(|&limit| self.fate(step, limit) == Fate::Met))
            })
        };
        let cheaper = |best: usize, index: usize| {
            let (costs, least) = (self.dearest(question, index), self.dearest(question, best));
            if more(costs, least).mean() < 0.0 { index } else { best }
        };
        (0..self.counts.len()).filter(meets).reduce(cheaper)
    }

    /// The costs of a count that is known at all depths, at the dearest.
    fn dearest(&self, question: &Question, index: usize) -> &[f64] {
        let costs =
            question.depths.iter().filter_map(|&depth| Some(self.known[depth][index].as_ref()?.costs.as_slice()));
        costs.max_by(|a, b| more(a, b).mean().partial_cmp(&0.0).unwrap_or(Ordering::Equal)).unwrap_or_default()
    }

    /// Per depth of the question, per count: what it costs at least in each run, or what it does cost.
    fn bounds(&self, question: &Question) -> Vec<Vec<Vec<f64>>> {
        let of_depth = |&depth: &usize| {
            let known = &self.known[depth];
            let zero = known.first().and_then(Option::as_ref).map_or(0.0, |step| step.for_ptus);
            let last = known.last().and_then(Option::as_ref);
            let price = last.map_or(0.0, |last| (last.for_ptus - zero) / last.ptus.max(1) as f64);
            let mut above = last;
            let mut bounds: Vec<Vec<f64>> = known
                .iter()
                .zip(&self.counts)
                .rev()
                .map(|(step, &ptus)| {
                    above = step.as_ref().or(above);
                    let Some(above) = above else { return Vec::new() };
                    let saved = price * (above.ptus - ptus) as f64;
                    above.costs.iter().map(|cost| cost - saved).collect()
                })
                .collect();
            bounds.reverse();
            bounds
        };
        question.depths.iter().map(of_depth).collect()
    }

    /// Whether a count is certain to cost more than the best, or as much and is larger.
    fn is_dearer(&self, question: &Question, bounds: &[Vec<Vec<f64>>], index: usize, best: usize) -> bool {
        let least = self.dearest(question, best);
        bounds.iter().any(|of_depth| {
            let more = more(&of_depth[index], least);
            if more.runs() as usize >= self.full {
                more.mean() > 0.0 || more.mean() == 0.0 && index > best
            } else {
                more.low() > 0.0
            }
        })
    }
}

/// `a - b`, run by run, as far as both go.
fn more(a: &[f64], b: &[f64]) -> Estimate {
    Estimate::over(a.iter().zip(b).map(|(a, b)| Some(a - b)))
}

fn mean(costs: &[f64]) -> f64 {
    costs.iter().sum::<f64>() / costs.len().max(1) as f64
}

/// Each once, those of more runs before those of fewer of the same count.
fn tidy(looks: impl IntoIterator<Item = Look>) -> Vec<Look> {
    let mut looks: Vec<Look> = looks.into_iter().collect();
    looks.sort_unstable_by(|a, b| (a.depth, a.index, b.runs).cmp(&(b.depth, b.index, a.runs)));
    looks.dedup_by_key(|look| (look.depth, look.index));
    looks
}

#[cfg(test)]
mod tests;
