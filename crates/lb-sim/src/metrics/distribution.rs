use hdrhistogram::Histogram;

/// Times of requests, with the ones that never came: a request without success counts as infinite.
///
/// Kept in microseconds with three significant digits, in fixed memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Times that are not zero. Most waits are: they are counted apart, which is faster.
    positive: Histogram<u64>,
    zeros: u64,
    infinite: u64,
}

/// The longest time that is told apart: 100 days, in microseconds.
const LONGEST: u64 = 100 * 24 * 3_600 * 1_000_000;

impl Default for Distribution {
    fn default() -> Self {
        // The bounds are constants that the histogram accepts; the fallback is never taken.
        let positive = Histogram::new_with_bounds(1, LONGEST, 3).or_else(|_| Histogram::new(1));
        let positive = positive.unwrap_or_else(|_| unreachable!("one significant digit is always allowed"));
        Self { positive, zeros: 0, infinite: 0 }
    }
}

impl Distribution {
    /// Counts a time in nanoseconds.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        if nanos == 0 {
            self.zeros += 1;
        } else {
            self.positive.saturating_record(nanos / 1_000);
        }
    }

    /// Counts a request that never came to it.
    pub fn record_never(&mut self) {
        self.infinite += 1;
    }

    /// How many are counted, the infinite ones included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.finite() + self.infinite
    }

    /// How many never came to it.
    #[must_use]
    pub const fn never(&self) -> u64 {
        self.infinite
    }

    fn finite(&self) -> u64 {
        self.zeros + self.positive.len()
    }

    /// The quantile `q`, from 0 to 1, in seconds; infinite if as many never came to it, `None` if nothing is counted.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * count as f64).max(1.0);
        if rank > self.finite() as f64 {
            return Some(f64::INFINITY);
        }
        Some(self.at_rank(rank))
    }

    /// The time of the finite request at this rank, in seconds.
    fn at_rank(&self, rank: f64) -> f64 {
        let above_zero = rank - self.zeros as f64;
        if above_zero <= 0.0 {
            return 0.0;
        }
        self.positive.value_at_quantile(above_zero / self.positive.len() as f64) as f64 / 1e6
    }

    /// The mean of the finite times, in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.finite() == 0 {
            return 0.0;
        }
        self.positive.mean() / 1e6 * (self.positive.len() as f64 / self.finite() as f64)
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        // Equal bounds: adding cannot fail.
        let _ = self.positive.add(&other.positive);
        self.zeros += other.zeros;
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
        let finite = self.finite() as f64;
        (0..=points)
            .map(|point| f64::from(point) / f64::from(points.max(1)))
            .map(|q| (self.at_rank(q * finite), q * finite / count as f64))
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
    fn zeros_count_like_any_other_time() {
        let mut waits = Distribution::default();
        (0..60).for_each(|_| waits.record(0));
        (0..40).for_each(|_| waits.record(2_000_000_000));
        assert_eq!(waits.quantile(0.6), Some(0.0));
        let above = waits.quantile(0.61).unwrap();
        assert!((above - 2.0).abs() < 0.002, "{above}");
        assert!((waits.mean() - 0.8).abs() < 0.001, "{}", waits.mean());
        let mut both = waits.clone();
        both.add(&waits);
        assert_eq!((both.count(), both.quantile(0.6)), (200, Some(0.0)));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Distribution::default().quantile(0.5), None);
    }
}
