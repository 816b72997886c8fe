use hdrhistogram::Histogram;

/// Times of requests, with the ones that never came: a request without success counts as infinite.
///
/// Kept in microseconds with three significant digits, in fixed memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    finite: Histogram<u64>,
    infinite: u64,
}

/// The longest time that is told apart: 100 days, in microseconds.
const LONGEST: u64 = 100 * 24 * 3_600 * 1_000_000;

impl Default for Distribution {
    fn default() -> Self {
        // The bounds are constants that the histogram accepts; the fallback is never taken.
        let finite = Histogram::new_with_bounds(1, LONGEST, 3).or_else(|_| Histogram::new(1));
        Self { finite: finite.unwrap_or_else(|_| unreachable!("one significant digit is always allowed")), infinite: 0 }
    }
}

impl Distribution {
    /// Counts a time in nanoseconds.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.finite.saturating_record(nanos / 1_000);
    }

    /// Counts a request that never came to it.
    pub fn record_never(&mut self) {
        self.infinite += 1;
    }

    /// How many are counted, the infinite ones included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.finite.len() + self.infinite
    }

    /// How many never came to it.
    #[must_use]
    pub const fn never(&self) -> u64 {
        self.infinite
    }

    /// The quantile `q`, from 0 to 1, in seconds; infinite if as many never came to it, `None` if nothing is counted.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let finite = self.finite.len() as f64;
        let rank = (q.clamp(0.0, 1.0) * count as f64).max(1.0);
        if rank > finite {
            return Some(f64::INFINITY);
        }
        // The histogram's own quantile is of the finite ones.
        Some(self.finite.value_at_quantile(rank / finite) as f64 / 1e6)
    }

    /// The mean of the finite times, in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.finite.mean() / 1e6
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        // Equal bounds: adding cannot fail.
        let _ = self.finite.add(&other.finite);
        self.infinite += other.infinite;
    }

    /// Points of the cumulative distribution: a time in seconds, and the share of all requests (the infinite ones
    /// included) that took at most this long. At most about `points`.
    #[must_use]
    pub fn cumulative(&self, points: u32) -> Vec<(f64, f64)> {
        let count = self.count();
        if count == 0 {
            return Vec::new();
        }
        let finite_share = self.finite.len() as f64 / count as f64;
        (0..=points)
            .map(|point| f64::from(point) / f64::from(points.max(1)))
            .map(|q| (self.finite.value_at_quantile(q) as f64 / 1e6, q * finite_share))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_never_succeed_are_the_slowest_of_all() {
        let mut waits = Distribution::default();
        for second in 1..=90_u64 {
            waits.record(second * 1_000_000_000);
        }
        (0..10).for_each(|_| waits.record_never());
        assert_eq!(waits.count(), 100);
        let median = waits.quantile(0.5).unwrap();
        assert!((median - 50.0).abs() < 0.1, "{median}");
        let p90 = waits.quantile(0.9).unwrap();
        assert!((p90 - 90.0).abs() < 0.1, "{p90}");
        assert_eq!(waits.quantile(0.91), Some(f64::INFINITY));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Distribution::default().quantile(0.5), None);
    }
}
