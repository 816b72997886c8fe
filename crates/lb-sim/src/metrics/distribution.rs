/// Times of requests, with the ones that never came: a request without success counts as infinite.
///
/// Kept in microseconds with three significant digits, up to 100 days; only the part that times were seen in takes memory.
/// The cells and the quantiles are those of an `HdrHistogram` of three digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distribution {
    /// How many times are in each cell. Zero has none: most waits are zero.
    cells: Vec<u64>,
    /// The number of the first of them.
    first: usize,
    /// How many times are in all cells.
    positive: u64,
    zeros: u64,
    infinite: u64,
}

/// The longest time that is told apart: 100 days, in microseconds.
const LONGEST: u64 = 100 * 24 * 3_600 * 1_000_000;

/// Cells of one microsecond, twice as many as there are in each further factor of two. A power of two above 2,000, so that
/// neighbours differ by less than a thousandth.
const FINE: u64 = 2_048;

/// So many cells begin and end together.
const CHUNK: usize = 64;

/// The cell of a time.
#[expect(clippy::cast_possible_truncation, reason = "some ten thousand at most")]
#[inline]
const fn cell(micros: u64) -> usize {
    // How often it must be halved to be below FINE.
    let halvings = (FINE - 1).leading_zeros() - (micros | (FINE - 1)).leading_zeros();
    (halvings as u64 * (FINE / 2) + (micros >> halvings)) as usize
}

/// The shortest time of a cell, and how many times it holds, in microseconds.
const fn times(cell: usize) -> (u64, u64) {
    let (cell, half) = (cell as u64, FINE / 2);
    let halvings = (cell / half).saturating_sub(1);
    ((cell - halvings * half) << halvings, 1 << halvings)
}

impl Distribution {
    /// Counts a time in nanoseconds.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        if nanos == 0 {
            self.zeros += 1;
            return;
        }
        self.positive += 1;
        let cell = cell((nanos / 1_000).min(LONGEST));
        match self.cells.get_mut(cell.wrapping_sub(self.first)) {
            Some(count) => *count += 1,
            None => *self.reach(cell) += 1,
        }
    }

    /// A cell that may be outside of those that there are.
    #[cold]
    fn reach(&mut self, cell: usize) -> &mut u64 {
        let from = cell / CHUNK * CHUNK;
        if self.cells.is_empty() {
            self.first = from;
        }
        if from < self.first {
            self.cells.splice(..0, std::iter::repeat_n(0, self.first - from));
            self.first = from;
        }
        let least = from + CHUNK - self.first;
        if self.cells.len() < least {
            self.cells.resize(least, 0);
        }
        &mut self.cells[cell - self.first]
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
        self.zeros + self.positive
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

    /// The time of the finite request at this rank, in seconds: the longest of its cell.
    fn at_rank(&self, rank: f64) -> f64 {
        let above_zero = rank - self.zeros as f64;
        if above_zero <= 0.0 {
            return 0.0;
        }
        let share = (above_zero / self.positive as f64).min(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the count")]
        let rank = ((share * self.positive as f64).ceil() as u64).max(1);
        let mut below = 0;
        let reaches = |count: &u64| {
            below += count;
            below >= rank
        };
        let cell = self.cells.iter().position(reaches).unwrap_or(0) + self.first;
        let (from, length) = times(cell);
        (from + length - 1) as f64 / 1e6
    }

    /// The mean of those that are finite, in seconds; 0 if there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.finite() == 0 {
            return 0.0;
        }
        let positive = self.positive as f64;
        let cells = self.cells.iter().zip(self.first..).filter(|(count, _)| **count > 0);
        let mean = cells.fold(0.0, |sum, (&count, cell)| {
            let (from, length) = times(cell);
            sum + (from + length / 2) as f64 * count as f64 / positive
        });
        mean / 1e6 * (positive / self.finite() as f64)
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        if let Some(last) = other.cells.len().checked_sub(1) {
            // Both ends first: then all between are there.
            self.reach(other.first);
            self.reach(other.first + last);
            let from = other.first - self.first;
            for (count, more) in self.cells[from..].iter_mut().zip(&other.cells) {
                *count += more;
            }
        }
        self.positive += other.positive;
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
    use crate::random::{Draws, Purpose};

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
    fn a_cell_holds_times_that_differ_by_less_than_a_thousandth() {
        let mut next = 0;
        for number in 0..cell(LONGEST) {
            let (from, length) = times(number);
            assert_eq!((from, cell(from), cell(from + length - 1)), (next, number, number));
            assert!(length == 1 || length as f64 / from as f64 <= 1e-3, "{from} {length}");
            next = from + length;
        }
        assert!(next <= LONGEST && cell(LONGEST) < 40_000);
    }

    #[test]
    fn quantiles_and_mean_are_those_of_the_library_that_the_cells_are_from() {
        let mut library = hdrhistogram::Histogram::<u64>::new_with_bounds(1, LONGEST, 3).unwrap();
        let mut times = Distribution::default();
        for number in 0..40_000 {
            let micros = 1 + Draws::new(9).bits(Purpose::Sample, 0, number) % (1 << (1 + number % 40));
            library.saturating_record(micros);
            times.record(micros * 1_000);
        }
        for per_mille in 1..=1_000 {
            let q = f64::from(per_mille) / 1e3;
            assert_eq!(times.quantile(q), Some(library.value_at_quantile(q) as f64 / 1e6), "{q}");
        }
        assert_eq!(times.mean(), library.mean() / 1e6);
    }

    #[test]
    fn it_does_not_matter_in_which_order_times_are_counted() {
        let (mut up, mut down) = (Distribution::default(), Distribution::default());
        let times = [1, 999, 2_048_000, 5_000_000_000, 70_000_000_000, u64::MAX];
        times.iter().for_each(|&nanos| up.record(nanos));
        times.iter().rev().for_each(|&nanos| down.record(nanos));
        assert_eq!(up, down);
        let (mut sum, mut middle) = (Distribution::default(), Distribution::default());
        middle.record(3_000_000_000);
        sum.add(&middle);
        sum.add(&Distribution::default());
        sum.add(&down);
        up.record(3_000_000_000);
        assert_eq!(sum, up);
        assert_eq!(sum.count(), 7);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Distribution::default().quantile(0.5), None);
    }
}
