use super::Trace;
use crate::stats::student;

/// How a stream of requests arrives, and how large its requests are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stats {
    /// Requests.
    pub(crate) requests: usize,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Coefficient of variation of the gaps: 1 for a Poisson process.
    pub(crate) gap_cv: f64,
    /// The step in which times were recorded, in seconds, if most requests share theirs with the one before; else 0. What
    /// happened in less than some steps cannot be told.
    pub(crate) resolution: f64,
    /// Index of dispersion by length of the window, for windows of which the stream has at least 15.
    pub(crate) dispersion: Vec<Dispersion>,
    /// Tokens of the prompts.
    pub(crate) input: LengthStats,
    /// Tokens of the completions.
    pub(crate) output: LengthStats,
    /// The share of the prompts' tokens that was cached.
    pub(crate) cached_share: f64,
}

/// How much the number of requests varies from window to window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dispersion {
    /// Length of a window, in seconds.
    pub(crate) window: f64,
    /// Windows.
    pub(crate) windows: usize,
    /// Variance over mean of the number of requests in a window: 1 for a Poisson process, whatever the window.
    pub(crate) index: f64,
}

/// Some figures of a distribution of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct LengthStats {
    /// The mean.
    pub(crate) mean: f64,
    /// The median.
    pub(crate) p50: f64,
    /// The 99th percentile.
    pub(crate) p99: f64,
}

/// Lengths of windows, in seconds.
const WINDOWS: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];
/// Fewer windows say nothing of a variance.
const LEAST_WINDOWS: usize = 15;

impl Stats {
    /// The figures of a trace; `None` if it has fewer than two requests, or all at one time.
    pub(crate) fn of(trace: &Trace) -> Option<Self> {
        let rows = trace.rows();
        if rows.len() < 2 || trace.span() == 0 {
            return None;
        }
        let gaps: Vec<u64> = rows.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        let seconds: Vec<f64> = gaps.iter().map(|&gap| gap as f64 * 1e-9).collect();
        let (mean, squares) = student::moments(&seconds);
        let dispersion = WINDOWS.iter().filter_map(|&window| Dispersion::of(trace, window)).collect();
        let sum = |of: fn(&super::Row) -> u32| rows.iter().map(|row| f64::from(of(row))).sum::<f64>();
        Some(Self {
            requests: rows.len(),
            rate: 1.0 / mean,
            gap_cv: libm::sqrt(squares / gaps.len() as f64) / mean,
            resolution: resolution(&seconds),
            dispersion,
            input: LengthStats::of(&sorted(trace, |row| row.input)),
            output: LengthStats::of(&sorted(trace, |row| row.output)),
            cached_share: sum(|row| row.cached) / sum(|row| row.input).max(1.0),
        })
    }

    /// The index of dispersion for windows of this length.
    pub(crate) fn dispersion_at(&self, window: f64) -> Option<f64> {
        self.dispersion.iter().find(|known| known.window == window).map(|known| known.index)
    }
}

impl Dispersion {
    fn of(trace: &Trace, window: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and positive")]
        let length = (window * 1e9) as u64;
        let windows = usize::try_from(trace.span() / length).ok().filter(|&windows| windows >= LEAST_WINDOWS)?;
        let mut counts = vec![0.0; windows];
        for row in trace.rows() {
            if let Some(count) = usize::try_from(row.at / length).ok().and_then(|window| counts.get_mut(window)) {
                *count += 1.0;
            }
        }
        let (mean, squares) = student::moments(&counts);
        Some(Self { window, windows, index: squares / windows as f64 / mean })
    }
}

impl LengthStats {
    fn of(sorted: &[f64]) -> Self {
        Self {
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            p50: quantile(sorted, 0.5),
            p99: quantile(sorted, 0.99),
        }
    }
}

/// A length of each request, from the smallest to the largest.
pub(super) fn sorted(trace: &Trace, of: fn(&super::Row) -> u32) -> Vec<f64> {
    let mut values: Vec<f64> = trace.rows().iter().map(|row| f64::from(of(row))).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The quantile of sorted values, linear between two of them.
pub(super) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let below = place as usize;
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + (place - below as f64) * (above - sorted[below])
}

/// Nearly the smallest gap, if half of the gaps are none.
fn resolution(gaps: &[f64]) -> f64 {
    let mut some: Vec<f64> = gaps.iter().copied().filter(|&gap| gap > 0.0).collect();
    if some.is_empty() || some.len() * 2 > gaps.len() {
        return 0.0;
    }
    some.sort_unstable_by(f64::total_cmp);
    quantile(&some, 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Row;

    #[test]
    fn figures_of_a_small_trace_are_right() {
        // Two requests at each even second: per second 2, 0, 2, 0, ...
        let rows = (0..40).map(|i| Row { at: i / 2 * 2_000_000_000, input: 1, cached: 1, ..Row::default() }).collect();
        let stats = Stats::of(&Trace::new(rows)).unwrap();
        assert_eq!((stats.requests, stats.resolution, stats.cached_share), (40, 2.0, 1.0));
        assert_eq!(stats.dispersion_at(1.0), Some(1.0), "variance 1, mean 1");
        assert_eq!(stats.dispersion_at(2.0), Some(0.0));
        assert_eq!(stats.dispersion_at(5.0), None, "there are too few windows");
        // 20 gaps of 0 s and 19 of 2 s.
        assert!((stats.rate - 39.0 / 38.0).abs() < 1e-12);
        assert!((stats.gap_cv - (20.0_f64 / 19.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_trace_without_length_has_no_figures() {
        assert_eq!(Stats::of(&Trace::new(vec![Row::default(); 5])), None);
        assert_eq!(Stats::of(&Trace::default()), None);
    }

    #[test]
    fn quantiles_are_linear_between_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }
}
