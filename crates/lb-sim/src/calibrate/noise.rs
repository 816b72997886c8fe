//! How imprecise decisions and hints are.

use libm::{exp, log};

/// How imprecise a service and a log are together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DecisionNoise {
    /// Scale of the level's logistic error, in seconds.
    pub(super) scale: f64,
    /// Share of decisions that are wrong whatever the level.
    pub(super) wrong: f64,
    /// Share of hints that tell nothing.
    pub(super) arbitrary: f64,
    /// What those are spread over, in seconds.
    pub(super) range: f64,
}

impl DecisionNoise {
    /// The values that are tried.
    pub(super) const SCALES: [f64; 8] = [0.005, 0.015, 0.05, 0.1, 0.2, 0.5, 2.0, 8.0];
    pub(super) const WRONG: [f64; 6] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.2];
    pub(super) const ARBITRARY: [f64; 7] = [0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];

    /// An error of this scale, and a few of everything else. `range` is that of arbitrary hints, in seconds.
    pub(super) const fn of_scale(scale: f64, range: f64) -> Self {
        Self { scale, wrong: 0.03, arbitrary: 0.2, range }
    }

    /// Beyond so many seconds from the depth the error of a level decides nothing.
    pub(super) fn reach(&self) -> f64 {
        18.0 * self.scale
    }

    /// Log-likelihood of a decision that is right if the level is on its side of the depth by `margin` seconds.
    pub(super) fn decided(&self, margin: f64) -> f64 {
        log(self.wrong + (1.0 - 2.0 * self.wrong) * logistic(margin / self.scale))
    }

    /// The same beyond the reach: on its side of the depth, and on the other.
    pub(super) fn decided_far(&self) -> (f64, f64) {
        (log(1.0 - self.wrong), log(self.wrong))
    }

    /// Log-likelihood of a refusal whose hint tells nothing.
    pub(super) fn hinted_far(&self) -> f64 {
        log(self.arbitrary / self.range)
    }

    /// Log-likelihood of a refusal whose hint puts the depth between `seen` and `seen + resolution`, in seconds.
    pub(super) fn hinted(&self, seen: f64, resolution: f64, depth: f64) -> f64 {
        let density = if resolution < self.scale {
            let right = logistic((seen + resolution / 2.0 - depth) / self.scale);
            right * (1.0 - right) / self.scale
        } else {
            let upper = logistic((seen + resolution - depth) / self.scale);
            (upper - logistic((seen - depth) / self.scale)) / resolution
        };
        log((1.0 - self.arbitrary) * density + self.arbitrary / self.range)
    }

    /// The same with at least this scale: a coarse grid must not step over a narrow peak.
    pub(super) fn at_least(self, scale: f64) -> Self {
        Self { scale: self.scale.max(scale), ..self }
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + exp(-z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_from_the_depth_only_wrong_decisions_are_left() {
        let noise = DecisionNoise { scale: 0.1, wrong: 0.02, arbitrary: 0.1, range: 60.0 };
        let near = |margin| exp(noise.decided(margin));
        let (right, wrong) = noise.decided_far();
        assert!((near(noise.reach()) - exp(right)).abs() < 1e-7 && (exp(right) - 0.98).abs() < 1e-12);
        assert!((near(-noise.reach()) - exp(wrong)).abs() < 1e-7 && (exp(wrong) - 0.02).abs() < 1e-12);
        assert!((near(0.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_density_of_hints_sums_to_the_share_that_tells() {
        for resolution in [0.001, 1.0] {
            let noise = DecisionNoise { scale: 0.1, wrong: 0.0, arbitrary: 0.25, range: 60.0 };
            let step = 0.01;
            let sum: f64 = (0..2_000)
                .map(|i| step * f64::from(i))
                .map(|seen| step * (exp(noise.hinted(seen, resolution, 10.0)) - 0.25 / 60.0))
                .sum();
            assert!((sum - 0.75).abs() < 1e-3, "{resolution}: {sum}");
        }
    }
}
