//! What the decisions of a log say about a depth.

use super::{bucket::Decision, noise::DecisionNoise};

/// Into so many stretches a log is cut. The errors of levels last until the bucket is empty again: a stretch should be as long
/// as the fullest bursts of a short log, and there must be enough of them to draw from.
const STRETCHES: usize = 12;

/// Decisions in stretches of the log, each in a form that is quick to score.
#[derive(Debug)]
pub(super) struct Likelihood {
    pub(super) stretches: Vec<LogStretch>,
    /// All of them as one: quicker where stretches do not matter.
    whole: LogStretch,
    /// What hints are rounded up to, in seconds.
    resolution: f64,
    /// What arbitrary hints are spread over, in seconds.
    range: f64,
}

/// Values in order, with how often each occurs.
#[derive(Debug)]
struct Values {
    values: Vec<(f64, f64)>,
    /// How many there are before each, and in all.
    before: Vec<f64>,
}

/// The decisions of one stretch of time.
#[derive(Debug)]
pub(super) struct LogStretch {
    accepted: Values,
    /// Refused without a usable hint.
    refused: Values,
    /// The depth that hints show: level minus hint.
    hinted: Values,
}

impl Likelihood {
    /// `tolerance` is the difference of levels, relative to them, that does not matter.
    pub(super) fn new(decisions: &[Decision], resolution: f64, tolerance: f64) -> Self {
        let length = decisions.len().div_ceil(STRETCHES).max(1);
        let range = decisions.iter().map(|decision| decision.level).fold(1.0, f64::max);
        let stretches = decisions.chunks(length).map(|part| LogStretch::new(part, tolerance)).collect();
        Self { stretches, whole: LogStretch::new(decisions, tolerance), resolution, range }
    }

    pub(super) fn score(&self, stretch: &LogStretch, depth: f64, noise: &DecisionNoise) -> f64 {
        stretch.decided(depth, noise) + stretch.hinted(depth, self.resolution, noise)
    }

    /// The noise that explains the log best at any of these depths, which are at equal ratios.
    pub(super) fn noise(&self, depths: &[f64]) -> DecisionNoise {
        let floor = spacing(depths);
        let mut best = (f64::NEG_INFINITY, 0.0, DecisionNoise::of_scale(DecisionNoise::SCALES[0], self.range));
        for (index, scale) in DecisionNoise::SCALES.into_iter().enumerate() {
            let noise = DecisionNoise::of_scale(scale, self.range);
            let coarser = DecisionNoise::SCALES.get(index + 1).copied().unwrap_or(f64::INFINITY);
            for &depth in depths {
                // A level that is off by the depth itself explains nothing; and a scale that the floor makes equal to
                // the next one was not worth a look.
                if (scale > 0.1 && scale > depth / 4.0) || coarser <= floor * depth {
                    continue;
                }
                let score = self.score(&self.whole, depth, &noise.at_least(floor * depth));
                if score > best.0 {
                    best = (score, depth, noise);
                }
            }
        }
        let (_, depth, noise) = best;
        let at = |noise: DecisionNoise| noise.at_least(floor * depth);
        let wrong = largest(&DecisionNoise::WRONG, |wrong| {
            let noise = at(DecisionNoise { wrong, ..noise });
            self.whole.decided(depth, &noise)
        });
        let arbitrary = largest(&DecisionNoise::ARBITRARY, |arbitrary| {
            let noise = at(DecisionNoise { arbitrary, ..noise });
            self.whole.hinted(depth, self.resolution, &noise)
        });
        DecisionNoise { wrong, arbitrary, ..noise }
    }
}

/// What the error of a level is at least, relative to the depth, for no peak to be lost between two depths.
pub(super) fn spacing(depths: &[f64]) -> f64 {
    if depths.len() > 1 { 0.5 * (depths[1] / depths[0] - 1.0) } else { 0.0 }
}

/// Where the score is largest.
fn largest(values: &[f64], score: impl Fn(f64) -> f64) -> f64 {
    let scored = values.iter().map(|value| (score(*value), *value));
    scored.fold((f64::NEG_INFINITY, 0.0), |best, next| if next.0 > best.0 { next } else { best }).1
}

impl LogStretch {
    fn new(decisions: &[Decision], tolerance: f64) -> Self {
        let (mut accepted, mut refused, mut hinted) = (Vec::new(), Vec::new(), Vec::new());
        for decision in decisions {
            match (decision.refused, decision.hint) {
                (false, _) => accepted.push(decision.level),
                (true, None) => refused.push(decision.level),
                (true, Some(hint)) => hinted.push(decision.level - hint),
            }
        }
        let [accepted, refused, hinted] = [accepted, refused, hinted].map(|values| Values::new(values, tolerance));
        Self { accepted, refused, hinted }
    }

    fn decided(&self, depth: f64, noise: &DecisionNoise) -> f64 {
        let (reach, (right, wrong)) = (noise.reach(), noise.decided_far());
        let near = (depth - reach, depth + reach);
        self.accepted.sum(near, (right, wrong), |level| noise.decided(depth - level))
            + self.refused.sum(near, (wrong, right), |level| noise.decided(level - depth))
    }

    fn hinted(&self, depth: f64, resolution: f64, noise: &DecisionNoise) -> f64 {
        let (reach, far) = (noise.reach(), noise.hinted_far());
        let near = (depth - resolution - reach, depth + reach);
        self.hinted.sum(near, (far, far), |seen| noise.hinted(seen, resolution, depth))
    }
}

impl Values {
    /// Values that differ by no more than the tolerance, or by 1 ms, become one, their mean: a week of requests takes no
    /// longer than an hour of them. The least of them would put the depth too low, by half the tolerance.
    fn new(mut all: Vec<f64>, tolerance: f64) -> Self {
        all.sort_by(f64::total_cmp);
        let mut values: Vec<(f64, f64)> = Vec::new();
        let mut first = f64::NEG_INFINITY;
        for value in all {
            match values.last_mut() {
                Some((mean, count)) if value - first <= (tolerance * value.abs()).max(0.001) => {
                    *count += 1.0;
                    *mean += (value - *mean) / *count;
                }
                _ => {
                    first = value;
                    values.push((value, 1.0));
                }
            }
        }
        let mut before = vec![0.0];
        before.extend(values.iter().scan(0.0, |sum, (_, count)| {
            *sum += count;
            Some(*sum)
        }));
        Self { values, before }
    }

    /// The sum over all values: `of` each between the two ends of `near`, and a constant below and above.
    fn sum(&self, near: (f64, f64), (below, above): (f64, f64), of: impl Fn(f64) -> f64) -> f64 {
        let first = self.values.partition_point(|(value, _)| *value < near.0);
        let end = self.values.partition_point(|(value, _)| *value <= near.1).max(first);
        let inside: f64 = self.values[first..end].iter().map(|(value, count)| count * of(*value)).sum();
        let all = self.before.last().unwrap_or(&0.0);
        below * self.before[first] + inside + above * (all - self.before[end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_become_one_keep_their_mean() {
        let values = Values::new(vec![10.009, 10.0, 10.003, 10.02, 10.006], 0.001);
        let means: Vec<_> = values.values.iter().map(|(mean, count)| ((mean * 1e4).round() / 1e4, *count)).collect();
        assert_eq!(means, [(10.0045, 4.0), (10.02, 1.0)]);
        assert_eq!(values.before, [0.0, 4.0, 5.0]);
    }
}
