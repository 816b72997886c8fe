//! The search: a grid of depths and charges that zooms in on what explains the log.

use lb_limits::Ptu;
use libm::{exp, log, pow};

use super::{
    Calibration, Counts, Fitted, HintUnit, Reason, RefusalLatency, Verdict,
    bucket::{BucketReplay, Charge, Decision},
    likelihood::{Likelihood, spacing},
    noise::DecisionNoise,
};
use crate::{
    log::{Attempt, Log},
    random::{Draws, Purpose},
};

/// An estimate counts as identified if its interval is within this factor of it.
const IDENTIFIED_WITHIN: f64 = 1.2;

/// A depth must be wrong about at most so many of the decisions that a guess is wrong about.
const CLEARLY_FEWER: f64 = 0.7;

/// Fewer decisions than this, or refusals, are not worth a fit.
const FEWEST_DECISIONS: u64 = 30;
const FEWEST_REFUSALS: u64 = 5;

/// Points of the axes: depths, and each of the charge's two numbers.
const DEPTHS: usize = 25;
const CHARGES: usize = 9;
const POINTS: [usize; 3] = [DEPTHS, CHARGES, CHARGES];

/// Points of the first grid, which spans orders of magnitude.
const FIRST_DEPTHS: usize = 129;
const FIRST_CHARGES: usize = 25;

/// How often the grid zooms in at most.
const ZOOMS: usize = 12;

/// An axis is fine enough when so many of its points are kept, or at this ratio of neighbours.
const FINE: usize = 7;
const FINEST: f64 = 1.003;

/// Cells are kept while their log-likelihood is this close to the best: five standard deviations.
const KEPT: f64 = 12.5;

/// Half the 95 % quantile of chi squared with one degree of freedom.
const PROFILE_95: f64 = 1.92;

const RESAMPLES: u64 = 300;

/// What the log says, from beginning to end.
pub(super) fn calibration(log: &Log, ptu: &Ptu) -> Calibration {
    let mut hints = HintUnit::of(log);
    let counts = Counts::of(log, &hints);
    let nothing = |reason: Reason| Calibration {
        verdict: Verdict::NotIdentifiable(reason),
        burst: None,
        bias: None,
        default_max_tokens: None,
        explained: None,
        precision: None,
        refusal_latency: RefusalLatency::of(log),
        hints,
        counts,
    };
    let replay = BucketReplay::new(log, ptu);
    let start = Charge { bias: 1.0, default_max_tokens: ptu.default_max_tokens as f64 };
    if let Some(reason) = hopeless(log, &counts, &replay.decisions(start, &hints)) {
        return nothing(reason);
    }
    let space = SearchSpace::of(log, &replay);
    let mut fit = space.fit(&replay, &hints);
    if fit.noise.arbitrary > 0.5 && counts.hinted > 0 {
        hints = HintUnit::Arbitrary;
        fit = space.fit(&replay, &hints);
    }
    let charge = Charge { bias: fit.estimates[1].value, default_max_tokens: fit.estimates[2].value };
    let decisions = replay.decisions(charge, &hints);
    let depth = fit.estimates[0].value;
    let right = decisions.iter().filter(|decision| (decision.level > depth) == decision.refused).count();
    let explained = right as f64 / decisions.len() as f64;
    Calibration {
        verdict: match doubt(&decisions, &fit).or_else(|| guessed(&counts, explained)) {
            Some(reason) => Verdict::NotIdentifiable(reason),
            None => Verdict::Identified,
        },
        burst: Some(fit.estimates[0]),
        bias: space.is_fitted(1).then_some(fit.estimates[1]),
        default_max_tokens: space.is_fitted(2).then_some(fit.estimates[2]),
        explained: Some(explained),
        precision: Some(fit.noise.scale),
        refusal_latency: RefusalLatency::of(log),
        hints,
        counts: Counts::of(log, &hints),
    }
}

/// Why there is nothing to fit.
fn hopeless(log: &Log, counts: &Counts, decisions: &[Decision]) -> Option<Reason> {
    let Counts { accepted, refused, .. } = *counts;
    if accepted + refused < FEWEST_DECISIONS {
        return Some(Reason::TooFewDecisions { decisions: accepted + refused, refusals: refused });
    }
    if accepted == 0 {
        return Some(Reason::NoAcceptances);
    }
    let tells = |attempt: &&Attempt| attempt.prompt_tokens.is_some() && attempt.completion_tokens.is_some();
    let telling = log.attempts().iter().filter(|attempt| attempt.is_accepted()).filter(tells).count();
    let untold = 1.0 - telling as f64 / accepted as f64;
    if untold > 0.1 || decisions.iter().all(|decision| decision.level == 0.0) {
        return Some(Reason::NoTokens { share: untold });
    }
    if refused == 0 {
        return Some(Reason::NoRefusals { at_least: highest(decisions, |_| true) });
    }
    if refused < FEWEST_REFUSALS {
        return Some(Reason::TooFewDecisions { decisions: accepted + refused, refusals: refused });
    }
    let empty = decisions.iter().filter(|decision| decision.refused && decision.level < 1e-3).count();
    let share = empty as f64 / refused as f64;
    (share > 0.5).then_some(Reason::RefusedWhileEmpty { share })
}

/// Why the fit is not to be believed.
fn doubt(decisions: &[Decision], fit: &BestFit) -> Option<Reason> {
    let depth = fit.estimates[0];
    let far = (0.2 * depth.value).max(4.0 * fit.noise.scale);
    let share = |is_far: &dyn Fn(f64) -> bool, refused: bool| {
        let all = decisions.iter().filter(|decision| is_far(decision.level)).count();
        let against = decisions.iter().filter(|d| is_far(d.level) && d.refused == refused).count();
        if all < 5 { 0.0 } else { against as f64 / all as f64 }
    };
    let refused_below = share(&|level| level < depth.value - far, true);
    let accepted_above = share(&|level| level > depth.value + far, false);
    if refused_below > 0.3 || accepted_above > 0.5 {
        return Some(Reason::DoesNotFollow { refused_below, accepted_above });
    }
    if depth.is_within(IDENTIFIED_WITHIN) {
        return None;
    }
    let accepted_up_to = highest(decisions, |decision| !decision.refused && decision.level < depth.value);
    let refused = decisions.iter().filter(|decision| decision.refused && decision.level > depth.value);
    let refused_from = refused.map(|decision| decision.level).fold(f64::INFINITY, f64::min);
    if refused_from.is_finite() && refused_from > IDENTIFIED_WITHIN * IDENTIFIED_WITHIN * accepted_up_to {
        return Some(Reason::NothingNearTheLimit { accepted_up_to, refused_from });
    }
    Some(Reason::WideRange { low: depth.low, high: depth.high })
}

/// Whether a guess that all decisions are of the commoner kind is about as good as the depth.
fn guessed(counts: &Counts, explained: f64) -> Option<Reason> {
    let Counts { accepted, refused, .. } = *counts;
    let guessed = accepted.max(refused) as f64 / (accepted + refused) as f64;
    let is_worse = 1.0 - explained > CLEARLY_FEWER * (1.0 - guessed);
    is_worse.then_some(Reason::NoBetterThanAGuess { explained, guessed })
}

fn highest(decisions: &[Decision], of: impl Fn(&&Decision) -> bool) -> f64 {
    decisions.iter().filter(of).map(|decision| decision.level).fold(0.0, f64::max)
}

/// What is searched: the bounds of depth, bias and default of `max_tokens`. A bound of one point is not fitted.
#[derive(Debug, Clone, Copy)]
struct SearchSpace {
    bounds: [(f64, f64); 3],
}

/// What a search found.
#[derive(Debug)]
struct BestFit {
    /// Depth, bias, default of `max_tokens`.
    estimates: [Fitted; 3],
    noise: DecisionNoise,
}

impl SearchSpace {
    fn of(log: &Log, replay: &BucketReplay<'_>) -> Self {
        let accepted = || log.attempts().iter().filter(|attempt| attempt.is_accepted());
        let (with, without) = (
            accepted().any(|attempt| attempt.max_tokens.is_some()),
            accepted().any(|attempt| attempt.max_tokens.is_none()),
        );
        // Without `max_tokens` the two cannot be told apart: all is put down to the default.
        let bias = if with { (0.25, 4.0) } else { (1.0, 1.0) };
        let default_max_tokens = if without { (16.0, 16_384.0) } else { (1.0, 1.0) };
        // A depth above every level that was refused explains no refusal.
        let highest_charge = Charge { bias: bias.1, default_max_tokens: default_max_tokens.1 };
        let decisions = replay.decisions(highest_charge, &HintUnit::None);
        let deepest = highest(&decisions, |decision| decision.refused).max(0.1);
        Self { bounds: [(0.05, 1.1 * deepest), bias, default_max_tokens] }
    }

    fn is_fitted(&self, axis: usize) -> bool {
        self.bounds[axis].0 < self.bounds[axis].1
    }

    fn fit(&self, replay: &BucketReplay<'_>, hints: &HintUnit) -> BestFit {
        let mut region = self.bounds;
        let both = self.is_fitted(1) && self.is_fitted(2);
        let mut points = [FIRST_DEPTHS, if both { CHARGES } else { FIRST_CHARGES }, FIRST_CHARGES];
        for _ in 0..ZOOMS {
            let surface = Surface::new(replay, hints, region, points);
            let totals = surface.totals(None);
            let closer = surface.region(&totals, self.bounds, KEPT);
            if surface.is_fine(&totals) {
                break;
            }
            (region, points) = (closer, POINTS);
        }
        // A bootstrap that reaches the border of the region was cut off by it.
        for _ in 0..3 {
            let surface = Surface::new(replay, hints, region, points);
            let estimates = surface.estimates();
            let wider = surface.region(&surface.totals(None), self.bounds, f64::INFINITY);
            let is_cut = |axis: usize| {
                let (Fitted { low, high, .. }, (least, most)) = (estimates[axis], region[axis]);
                (low < least * 1.001 && least > self.bounds[axis].0)
                    || (high > most * 0.999 && most < self.bounds[axis].1)
            };
            if !(0..3).any(is_cut) {
                return BestFit { estimates, noise: surface.noise(&surface.totals(None)) };
            }
            region = wider;
        }
        let surface = Surface::new(replay, hints, region, points);
        BestFit { estimates: surface.estimates(), noise: surface.noise(&surface.totals(None)) }
    }
}

/// The log-likelihood of every cell of a grid, by stretches of the log.
#[derive(Debug)]
struct Surface {
    /// Depths, biases, defaults of `max_tokens`.
    axes: [Vec<f64>; 3],
    /// Per bias and default: how imprecise the levels are. A charge that is off makes them so, which is why it is
    /// fitted for each: with one noise for all, the true charge would be a needle that the grid steps over.
    noises: Vec<DecisionNoise>,
    /// Per cell and stretch.
    scores: Vec<Vec<f64>>,
}

impl Surface {
    fn new(replay: &BucketReplay<'_>, hints: &HintUnit, region: [(f64, f64); 3], points: [usize; 3]) -> Self {
        let axes = [0, 1, 2].map(|index| axis(region[index], points[index]));
        let floor = spacing(&axes[0]);
        let (mut noises, mut scores) = (Vec::new(), Vec::new());
        for &bias in &axes[1] {
            for &default_max_tokens in &axes[2] {
                let decisions = replay.decisions(Charge { bias, default_max_tokens }, hints);
                let likelihood = Likelihood::new(&decisions, hints.resolution(), (0.2 * floor).max(0.001));
                let noise = likelihood.noise(&axes[0]);
                for &depth in &axes[0] {
                    let noise = noise.at_least(floor * depth);
                    scores.push(likelihood.stretches.iter().map(|s| likelihood.score(s, depth, &noise)).collect());
                }
                noises.push(noise);
            }
        }
        Self { axes, noises, scores }
    }

    /// The log-likelihood of every cell, with stretches counted as often as `weights` says, or once.
    fn totals(&self, weights: Option<&[f64]>) -> Vec<f64> {
        let total = |scores: &Vec<f64>| match weights {
            None => scores.iter().sum::<f64>(),
            Some(weights) => scores.iter().zip(weights).map(|(score, weight)| score * weight).sum(),
        };
        self.scores.iter().map(total).collect()
    }

    /// The noise at the best cell.
    fn noise(&self, totals: &[f64]) -> DecisionNoise {
        let best = totals.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)).map_or(0, |(cell, _)| cell);
        self.noises[best / self.axes[0].len()]
    }

    /// Whether every axis tells apart what the log tells apart.
    fn is_fine(&self, totals: &[f64]) -> bool {
        (0..3).all(|axis| {
            let values = &self.axes[axis];
            let kept = self.profile(totals, axis).into_iter().filter(|total| *total >= -KEPT).count();
            values.len() == 1 || kept >= FINE || values[1] / values[0] < FINEST
        })
    }

    /// The index on an axis of a cell.
    fn index(&self, cell: usize, axis: usize) -> usize {
        let [depths, _, defaults] = self.axes.each_ref().map(Vec::len);
        match axis {
            0 => cell % depths,
            1 => cell / depths / defaults,
            _ => cell / depths % defaults,
        }
    }

    /// The best log-likelihood at every point of an axis, less the best of all.
    fn profile(&self, totals: &[f64], axis: usize) -> Vec<f64> {
        let mut profile = vec![f64::NEG_INFINITY; self.axes[axis].len()];
        for (cell, total) in totals.iter().enumerate() {
            let point = &mut profile[self.index(cell, axis)];
            *point = point.max(*total);
        }
        let best = profile.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        profile.iter().map(|total| total - best).collect()
    }

    /// The part of each axis that is within `drop` of the best, and a margin.
    fn region(&self, totals: &[f64], bounds: [(f64, f64); 3], drop: f64) -> [(f64, f64); 3] {
        [0, 1, 2].map(|axis| {
            let (low, high) = self.interval(totals, axis, drop);
            let values = &self.axes[axis];
            let margin = if values.len() > 1 {
                pow(values[1] / values[0], if drop.is_finite() { 1.0 } else { 8.0 })
            } else {
                1.0
            };
            ((low / margin).max(bounds[axis].0), (high * margin).min(bounds[axis].1))
        })
    }

    /// The ends of what is within `drop` of the best, one step outside.
    fn interval(&self, totals: &[f64], axis: usize, drop: f64) -> (f64, f64) {
        let profile = self.profile(totals, axis);
        let is_in = |total: &f64| *total >= -drop;
        let first = profile.iter().position(is_in).unwrap_or(0).saturating_sub(1);
        let last = (profile.iter().rposition(is_in).unwrap_or(0) + 1).min(profile.len() - 1);
        (self.axes[axis][first], self.axes[axis][last])
    }

    /// The mean of the axis' logarithm, weighted by the profile likelihood: the middle of a plateau, not its first
    /// point.
    fn middle(&self, totals: &[f64], axis: usize) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (value, total) in self.axes[axis].iter().zip(self.profile(totals, axis)) {
            let weight = exp(total);
            sum += weight * log(*value);
            weights += weight;
        }
        exp(sum / weights)
    }

    fn estimates(&self) -> [Fitted; 3] {
        let totals = self.totals(None);
        let stretches = self.scores.first().map_or(0, Vec::len);
        let draws = Draws::new(0);
        let mut resampled: [Vec<f64>; 3] = [const { Vec::new() }; 3];
        for resample in 0..RESAMPLES {
            let mut weights = vec![0.0; stretches];
            for pick in 0..stretches {
                let bits = draws.bits(Purpose::Sample, resample, pick as u64);
                // The remainder is below the number of stretches.
                weights[usize::try_from(bits % stretches as u64).unwrap_or(0)] += 1.0;
            }
            let totals = self.totals(Some(&weights));
            for (axis, middles) in resampled.iter_mut().enumerate() {
                middles.push(self.middle(&totals, axis));
            }
        }
        let scale = self.noise(&totals).scale;
        [0, 1, 2].map(|axis| {
            let middles = &mut resampled[axis];
            middles.sort_by(f64::total_cmp);
            let tail = middles.len() / 40;
            let (low, high) = self.interval(&totals, axis, PROFILE_95);
            let value = self.middle(&totals, axis);
            let (low, high) =
                (low.min(middles[tail]).min(value), high.max(middles[middles.len() - 1 - tail]).max(value));
            // An error that all levels share, as of a clock that is late, does not average out.
            let shared = if axis == 0 { scale.min(0.5 * low) } else { 0.0 };
            // Nothing between two points of the grid was looked at.
            let step = if axis == 0 { spacing(&self.axes[0]) * value } else { 0.0 };
            Fitted { value, low: low - shared - step, high: high + shared + step }
        })
    }
}

/// Points at equal ratios, or the one point of an empty range.
fn axis((low, high): (f64, f64), points: usize) -> Vec<f64> {
    if low >= high {
        return vec![low];
    }
    let steps = (points - 1) as f64;
    let step = log(high / low) / steps;
    (0..points).map(|point| low * exp(step * point as f64)).collect()
}
