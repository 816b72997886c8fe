//! Which counts to look at, so that the answer is the same as after a look at each.
//!
//! It rests on one assumption, on what is simulated and so with the same draws: of two counts the larger one, and of two
//! buckets the deeper one, pays no more by the token, and what it is limited in is no worse. The cost itself is not
//! monotone: PTUs are paid for too. So
//!
//! - a count below one that misses a limit misses it as well, and so it does in a shallower bucket;
//! - a count costs at least its own PTUs and what the next larger count that was looked at pays by the token, and at least
//!   what it costs in a deeper bucket.
//!
//! The ends of the range come first. Then, for each question (the cheapest count of all, the cheapest that meets the
//! limits, from the deepest bucket on and then at all depths), the range in which the answer may be is halved until no
//! count is left that could be cheaper than the cheapest that is known.
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
        let ask = |depths: Vec<usize>, limits, is_decisive| self.next(&Question { depths, limits, is_decisive });
        let of_depth = |depth: usize| {
            let alone = self.all_limits().into_iter().flat_map(|limit| ask(vec![depth], vec![limit], false));
            let decisive =
                [Vec::new(), self.all_limits()].into_iter().flat_map(|limits| ask(vec![depth], limits, true));
            tidy(decisive.chain(alone))
        };
        let looks = self.depths().rev().map(of_depth).find(|looks| !looks.is_empty());
        let looks = looks.unwrap_or_else(|| self.next(&self.everywhere()));
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
        let bounds = self.bounds();
        let missed: Vec<Option<usize>> = self
            .pairs(question)
            .map(|(depth, limit)| self.largest_missed(depth, limit, |_| true).map(|(index, _)| index))
            .collect();
        let may_be = |index: usize| best.is_none_or(|best| !self.is_dearer(question, &bounds, index, best));
        let could_meet = |index: usize| {
            self.pairs(question).zip(&missed).all(|((depth, limit), missed)| match &self.known[depth][index] {
                Some(step) => self.fate(step, limit) != Fate::Missed,
                None => missed.is_none_or(|missed| index > missed),
            })
        };
        let is_known = |index: usize| question.depths.iter().all(|&depth| self.known[depth][index].is_some());
        let is_open = |index: &usize| {
            let is_settled = is_known(*index) && self.missing(question, *index).is_empty();
            Some(*index) != best && could_meet(*index) && !is_settled && may_be(*index)
        };
        let open: Vec<usize> = (0..self.counts.len()).filter(is_open).collect();
        let of_question = || question.depths.iter().map(|&depth| &bounds[depth]);
        let least = |index: usize| of_question().map(|of_depth| mean(&of_depth[index])).fold(f64::MIN, f64::max);
        if let Some(&lowest) = open.iter().min_by(|&&a, &&b| least(a).total_cmp(&least(b))) {
            if is_known(lowest) {
                return self.missing(question, lowest);
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
        let answer = best.map_or_else(Vec::new, |best| self.missing(question, best));
        if answer.is_empty() { self.doubtful_miss(question, may_be) } else { answer }
    }

    /// The largest count that misses a limit, if that rests on few runs and keeps counts out that may be the answer.
    fn doubtful_miss(&self, question: &Question, may_be: impl Fn(usize) -> bool) -> Vec<Look> {
        let largest = |counts: &dyn Fn(&Step) -> bool| {
            self.pairs(question).filter_map(|(depth, limit)| self.largest_missed(depth, limit, counts)).max()
        };
        let Some((index, depth)) = largest(&|_| true) else { return Vec::new() };
        let sure = largest(&|step| self.is_full(step)).map_or(0, |(index, _)| index + 1);
        let keeps_out = (sure..=index).any(may_be);
        if keeps_out { vec![self.look(depth, index, self.full)] } else { Vec::new() }
    }

    /// The largest count that is known to miss a limit at a depth, or at a deeper one, which comes with it.
    fn largest_missed(&self, depth: usize, limit: usize, counts: impl Fn(&Step) -> bool) -> Option<(usize, usize)> {
        let misses = |step: &Option<Step>| {
            step.as_ref().is_some_and(|step| counts(step) && self.fate(step, limit) == Fate::Missed)
        };
        let deeper = depth..self.known.len();
        deeper.filter_map(|depth| Some((self.known[depth].iter().rposition(misses)?, depth))).max()
    }

    fn pairs<'a>(&self, question: &'a Question) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        question.depths.iter().flat_map(|&depth| question.limits.iter().map(move |&limit| (depth, limit)))
    }

    /// The looks that are missing for a count that is known at all depths: where its limits are open, and then where it is
    /// dearest.
    fn missing(&self, question: &Question, index: usize) -> Vec<Look> {
        let is_few = |depth: usize| self.known[depth][index].as_ref().is_some_and(|step| !self.is_full(step));
        let is_open = |depth: usize| {
            let step = self.known[depth][index].as_ref();
            step.is_some_and(|step| question.limits.iter().any(|&limit| self.fate(step, limit) == Fate::Open))
        };
        let open: Vec<usize> = question.depths.iter().copied().filter(|&depth| is_open(depth)).collect();
        let dearest = self.dearest_depth(question, index).filter(|&depth| question.is_decisive && is_few(depth));
        let depths = if open.is_empty() { dearest.into_iter().collect() } else { open };
        depths.into_iter().map(|depth| self.look(depth, index, self.full)).collect()
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
        let depth = self.dearest_depth(question, index);
        depth.map_or(&[], |depth| self.costs(depth, index))
    }

    fn dearest_depth(&self, question: &Question, index: usize) -> Option<usize> {
        let dearer = |a: &usize, b: &usize| {
            let more = more(self.costs(*a, index), self.costs(*b, index)).mean();
            more.partial_cmp(&0.0).unwrap_or(Ordering::Equal)
        };
        question.depths.iter().copied().max_by(dearer)
    }

    fn costs(&self, depth: usize, index: usize) -> &[f64] {
        self.known[depth][index].as_ref().map_or(&[], |step| &step.costs)
    }

    /// Per depth, per count: what it costs at least in each run, or what it does cost.
    fn bounds(&self) -> Vec<Vec<Vec<f64>>> {
        let mut bounds: Vec<Vec<Vec<f64>>> = Vec::new();
        for known in self.known.iter().rev() {
            let mut of_depth = self.bounds_alone(known);
            // In the deeper bucket it costs no more.
            for ((own, deeper), _) in of_depth
                .iter_mut()
                .zip(bounds.last().into_iter().flatten())
                .zip(known)
                .filter(|(_, step)| step.is_none())
            {
                if more(deeper, own).mean() > 0.0 {
                    own.clone_from(deeper);
                }
            }
            bounds.push(of_depth);
        }
        bounds.reverse();
        bounds
    }

    /// The same from one depth alone.
    fn bounds_alone(&self, known: &[Option<Step>]) -> Vec<Vec<f64>> {
        let zero = known.first().and_then(Option::as_ref).map_or(0.0, |step| step.for_ptus);
        let last = known.last().and_then(Option::as_ref);
        let price = last.map_or(0.0, |last| (last.for_ptus - zero) / last.ptus.max(1) as f64);
        let mut above = last;
        let mut bounds: Vec<Vec<f64>> = Vec::new();
        for (step, &ptus) in known.iter().zip(&self.counts).rev() {
            above = step.as_ref().or(above);
            let least = |above: &Step| {
                let saved = price * (above.ptus - ptus) as f64;
                above.costs.iter().map(|cost| cost - saved).collect()
            };
            bounds.push(above.map_or_else(Vec::new, least));
        }
        bounds.reverse();
        bounds
    }

    /// Whether a count is certain to cost more than the best, or as much and is larger.
    fn is_dearer(&self, question: &Question, bounds: &[Vec<Vec<f64>>], index: usize, best: usize) -> bool {
        let least = self.dearest(question, best);
        question.depths.iter().any(|&depth| {
            let more = more(&bounds[depth][index], least);
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
