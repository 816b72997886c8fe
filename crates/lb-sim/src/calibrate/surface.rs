//! How well depths and charges explain a log, on a grid.

use libm::{exp, log, pow};

use super::{
    Fitted, HintUnit,
    bucket::{BucketReplay, Charge, Decision},
    likelihood::{Likelihood, spacing},
    noise::DecisionNoise,
};
use crate::random::{Draws, Purpose};

/// An axis is fine enough when so many of its points are kept, or at this ratio of neighbours: that of depths, and those of the
/// charge, on which the depth hangs.
const FINE: usize = 7;
const FINEST: [f64; 3] = [1.003, 1.000_3, 1.000_3];

/// Cells are kept while their log-likelihood is this close to the best: five standard deviations.
const KEPT: f64 = 12.5;

/// Half the 95 % quantile of chi squared with one degree of freedom.
const PROFILE_95: f64 = 1.92;

const RESAMPLES: u64 = 300;

/// The log-likelihood of every cell of a grid, by stretches of the log.
///
/// More in reserve makes every level higher, and so the depth that explains the refusals: along the axis of depths goes the
/// depth over the level of a typical refusal under the same charge, which hardly changes with it. Depths in seconds would be
/// a narrow ridge across the grid, of which a coarse one sees a point or two.
#[derive(Debug)]
pub(super) struct Surface {
    /// Depths over the level of a typical refusal, biases, defaults of `max_tokens`.
    axes: [Vec<f64>; 3],
    /// Per bias and default: how imprecise the levels are. A charge that is off makes them so, which is why it is
    /// fitted for each: with one noise for all, the true charge would be a needle that the grid steps over.
    noises: Vec<DecisionNoise>,
    /// Per cell: depth in seconds, bias, default.
    values: [Vec<f64>; 3],
    /// Per cell and stretch.
    scores: Vec<Vec<f64>>,
}

/// What a surface says of depth, bias and default.
#[derive(Debug)]
pub(super) struct Estimates {
    pub(super) fitted: [Fitted; 3],
    /// Whether a sample of the log is explained best at the border.
    pub(super) are_cut: bool,
}

impl Surface {
    pub(super) fn new(
        replay: &BucketReplay<'_>,
        hints: &HintUnit,
        region: [(f64, f64); 3],
        points: [usize; 3],
    ) -> Self {
        let axes = [0, 1, 2].map(|index| axis(region[index], points[index]));
        let floor = spacing(&axes[0]);
        let (mut noises, mut values, mut scores) = (Vec::new(), [const { Vec::new() }; 3], Vec::new());
        for &bias in &axes[1] {
            for &default_max_tokens in &axes[2] {
                let decisions = replay.decisions(Charge { bias, default_max_tokens }, hints);
                let typical = typical_refusal(&decisions);
                let depths: Vec<f64> = axes[0].iter().map(|depth| depth * typical).collect();
                let likelihood = Likelihood::new(&decisions, hints.resolution(), (0.2 * floor).max(0.001));
                let noise = likelihood.noise(&depths);
                for depth in depths {
                    let noise = noise.at_least(floor * depth);
                    scores.push(likelihood.stretches.iter().map(|s| likelihood.score(s, depth, &noise)).collect());
                    for (values, value) in values.iter_mut().zip([depth, bias, default_max_tokens]) {
                        values.push(value);
                    }
                }
                noises.push(noise);
            }
        }
        Self { axes, noises, values, scores }
    }

    /// The log-likelihood of every cell less that of the best, with stretches counted as often as `weights` says, or once.
    pub(super) fn totals(&self, weights: Option<&[f64]>) -> Vec<f64> {
        let total = |scores: &Vec<f64>| match weights {
            None => scores.iter().sum::<f64>(),
            Some(weights) => scores.iter().zip(weights).map(|(score, weight)| score * weight).sum(),
        };
        let totals: Vec<f64> = self.scores.iter().map(total).collect();
        let best = totals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        totals.into_iter().map(|total| total - best).collect()
    }

    /// The noise at the best cell.
    pub(super) fn noise(&self, totals: &[f64]) -> DecisionNoise {
        let best = totals.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)).map_or(0, |(cell, _)| cell);
        self.noises[best / self.axes[0].len()]
    }

    /// Whether every axis tells apart what the log tells apart.
    pub(super) fn is_fine(&self, totals: &[f64]) -> bool {
        (0..3).all(|axis| {
            let values = &self.axes[axis];
            let (first, last) = self.kept(totals, axis);
            values.len() == 1 || last - first >= FINE - 1 || values[1] / values[0] < FINEST[axis]
        })
    }

    /// How many cells there are between a cell and the next along an axis.
    fn stride(&self, axis: usize) -> usize {
        let [depths, _, defaults] = self.axes.each_ref().map(Vec::len);
        [1, depths * defaults, depths][axis]
    }

    /// The index on an axis of a cell.
    fn index(&self, cell: usize, axis: usize) -> usize {
        cell / self.stride(axis) % self.axes[axis].len()
    }

    /// The first and the last index on an axis of the cells that are kept.
    fn kept(&self, totals: &[f64], axis: usize) -> (usize, usize) {
        let kept = totals.iter().enumerate().filter(|(_, total)| **total >= -KEPT);
        kept.map(|(cell, _)| self.index(cell, axis))
            .fold((usize::MAX, 0), |(first, last), index| (first.min(index), last.max(index)))
    }

    /// The part of each axis that is kept, and two steps more.
    pub(super) fn region(&self, totals: &[f64], bounds: [(f64, f64); 3]) -> [(f64, f64); 3] {
        [0, 1, 2].map(|axis| {
            let (first, last) = self.kept(totals, axis);
            let values = &self.axes[axis];
            self.wider(axis, (values[first], values[last]), 2.0, bounds)
        })
    }

    /// All of each axis, and as much again.
    pub(super) fn surroundings(&self, bounds: [(f64, f64); 3]) -> [(f64, f64); 3] {
        [0, 1, 2].map(|axis| {
            let values = &self.axes[axis];
            let steps = (values.len() - 1) as f64;
            self.wider(axis, (values[0], values[values.len() - 1]), 0.5 * steps, bounds)
        })
    }

    fn wider(&self, axis: usize, (low, high): (f64, f64), steps: f64, bounds: [(f64, f64); 3]) -> (f64, f64) {
        let values = &self.axes[axis];
        let margin = if values.len() > 1 { pow(values[1] / values[0], steps) } else { 1.0 };
        ((low / margin).max(bounds[axis].0), (high * margin).min(bounds[axis].1))
    }

    /// The ends of what is within 95 % of the best. Between a cell inside and its neighbour outside the log-likelihood is taken
    /// to be straight.
    fn interval(&self, totals: &[f64], values: &[f64]) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for (cell, &total) in totals.iter().enumerate().filter(|(_, total)| **total >= -PROFILE_95) {
            let mut reach = |value: f64| (low, high) = (low.min(value), high.max(value));
            reach(values[cell]);
            for axis in 0..3 {
                let (index, stride) = (self.index(cell, axis), self.stride(axis));
                let below = (index > 0).then(|| cell - stride);
                let above = (index + 1 < self.axes[axis].len()).then(|| cell + stride);
                for next in below.into_iter().chain(above).filter(|next| totals[*next] < -PROFILE_95) {
                    let part = (total + PROFILE_95) / (total - totals[next]);
                    reach(values[cell] + part * (values[next] - values[cell]));
                }
            }
        }
        (low, high)
    }

    pub(super) fn estimates(&self, bounds: [(f64, f64); 3]) -> Estimates {
        let stretches = self.scores.first().map_or(0, Vec::len);
        let draws = Draws::new(0);
        let mut resampled: [Vec<f64>; 3] = [const { Vec::new() }; 3];
        let mut are_cut = 0;
        for resample in 0..RESAMPLES {
            let mut weights = vec![0.0; stretches];
            for pick in 0..stretches {
                let bits = draws.bits(Purpose::Sample, resample, pick as u64);
                // The remainder is below the number of stretches.
                weights[usize::try_from(bits % stretches as u64).unwrap_or(0)] += 1.0;
            }
            let totals = self.totals(Some(&weights));
            are_cut += u64::from(self.is_cut(&totals, bounds));
            let likelihoods: Vec<f64> = totals.into_iter().map(exp).collect();
            for (middles, values) in resampled.iter_mut().zip(&self.values) {
                middles.push(middle(&likelihoods, values));
            }
        }
        let totals = self.totals(None);
        let scale = self.noise(&totals).scale;
        let likelihoods: Vec<f64> = totals.iter().copied().map(exp).collect();
        let fitted = [0, 1, 2].map(|axis| {
            let middles = &mut resampled[axis];
            middles.sort_by(f64::total_cmp);
            let tail = middles.len() / 40;
            let value = middle(&likelihoods, &self.values[axis]);
            let (low, high) = self.interval(&totals, &self.values[axis]);
            let (low, high) =
                (low.min(middles[tail]).min(value), high.max(middles[middles.len() - 1 - tail]).max(value));
            // An error that all levels share, as of a clock that is late, does not average out.
            let shared = if axis == 0 { scale.min(0.5 * low) } else { 0.0 };
            // Nothing between two points of the grid was looked at.
            let step = if axis == 0 { spacing(&self.axes[0]) * value } else { 0.0 };
            Fitted { value, low: low - shared - step, high: high + shared + step }
        });
        Estimates { fitted, are_cut: are_cut > RESAMPLES / 40 }
    }

    /// Whether the best cell is at a border that is none of the search.
    fn is_cut(&self, totals: &[f64], bounds: [(f64, f64); 3]) -> bool {
        let best = totals.iter().position(|total| *total >= 0.0).unwrap_or(0);
        (0..3).any(|axis| {
            let (values, index) = (&self.axes[axis], self.index(best, axis));
            (index == 0 && values[index] > bounds[axis].0)
                || (index + 1 == values.len() && values[index] < bounds[axis].1 * 0.999_999)
        })
    }
}

/// The median level of the refusals, in seconds.
pub(super) fn typical_refusal(decisions: &[Decision]) -> f64 {
    let mut levels: Vec<f64> = decisions.iter().filter(|decision| decision.refused).map(|d| d.level).collect();
    levels.sort_by(f64::total_cmp);
    levels.get(levels.len() / 2).copied().unwrap_or(0.0).max(0.001)
}

/// The mean of the values' logarithm, weighted by likelihood: the middle of a plateau, not its first point.
fn middle(likelihoods: &[f64], values: &[f64]) -> f64 {
    let weighted = likelihoods.iter().zip(values).filter(|(weight, _)| **weight > 0.0);
    let (sum, weights) =
        weighted.fold((0.0, 0.0), |(sum, weights), (weight, value)| (sum + weight * log(*value), weights + weight));
    exp(sum / weights)
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
