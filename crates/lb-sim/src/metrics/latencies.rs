use super::timeline::merge;

/// Steps that latencies are told apart by, at most.
const MOST_STEPS: usize = 128;

/// Below so many milliseconds each has a cell of its own; above, cells are an eighth of a power of two wide.
const FINE: u64 = 16;

/// The longest latency that has its own cell, in milliseconds: 17 minutes.
const LONGEST: u64 = (1 << 20) - 1;

/// Cells of a step; the last one is for what never came.
const CELLS: usize = cell(LONGEST) + 2;

/// How long requests took, by when they arrived: a coarse histogram for each of at most 128 steps of equal length. When more
/// are needed, neighbours are merged and the length doubles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latencies {
    /// Length of a step, in nanoseconds.
    step: u64,
    cells: Vec<u32>,
}

#[expect(clippy::cast_possible_truncation, reason = "some hundred at most")]
const fn cell(millis: u64) -> usize {
    let halvings = (FINE - 1).leading_zeros() - (millis | (FINE - 1)).leading_zeros();
    (halvings as u64 * (FINE / 2) + (millis >> halvings)) as usize
}

/// Where a cell of a step stands among those of all steps.
fn place(step: u64, cell: usize) -> usize {
    usize::try_from(step).map_or(usize::MAX, |step| step.saturating_mul(CELLS)).saturating_add(cell)
}

/// The middle of a cell, in seconds.
fn middle(cell: usize) -> f64 {
    let (cell, half) = (cell as u64, FINE / 2);
    let halvings = (cell / half).saturating_sub(1);
    let from = (cell - halvings * half) << halvings;
    (from as f64 + (1_u64 << halvings) as f64 / 2.0) / 1e3
}

impl Latencies {
    /// With steps of this length, in nanoseconds.
    pub(super) const fn new(step: u64) -> Self {
        Self { step, cells: Vec::new() }
    }

    /// Counts a request that arrived at `at` and took so long; `None` if it never came to it.
    #[inline]
    pub(super) fn record(&mut self, at: u64, nanos: Option<u64>) {
        let cell = nanos.map_or(CELLS - 1, |nanos| cell((nanos / 1_000_000).min(LONGEST)));
        match self.cells.get_mut(place(at / self.step, cell)) {
            Some(count) => *count = plus(*count, 1),
            None => self.reach(at, cell),
        }
    }

    /// A step that may be beyond those that there are.
    #[cold]
    fn reach(&mut self, at: u64, cell: usize) {
        while at / self.step >= MOST_STEPS as u64 {
            self.double();
        }
        let place = place(at / self.step, cell);
        if place >= self.cells.len() {
            self.cells.resize((place / CELLS + 1) * CELLS, 0);
        }
        self.cells[place] = plus(self.cells[place], 1);
    }

    #[cold]
    fn double(&mut self) {
        self.step = self.step.saturating_mul(2);
        let pairs = self.cells.chunks(2 * CELLS);
        self.cells = pairs
            .flat_map(|pair| (0..CELLS).map(|cell| merge(&[pair[cell], *pair.get(CELLS + cell).unwrap_or(&0)], plus)))
            .collect();
    }

    /// Adds what another has counted.
    #[cfg(feature = "render")]
    pub(super) fn add(&mut self, other: &Self) {
        let mut other = other.clone();
        if self.step == 0 {
            *self = other;
            return;
        }
        // Both double: the lengths become the same, unless the runs were of different lengths, which they are not.
        while other.step > 0 && self.step < other.step {
            self.double();
        }
        while other.step > 0 && other.step < self.step {
            other.double();
        }
        self.cells.resize(self.cells.len().max(other.cells.len()), 0);
        self.cells.iter_mut().zip(&other.cells).for_each(|(count, more)| *count = plus(*count, *more));
    }

    /// Length of a step, in seconds.
    #[must_use]
    pub fn step_seconds(&self) -> f64 {
        self.step as f64 / 1e9
    }

    /// The quantile `q`, from 0 to 1, of each step in which a request arrived: the middle of the step and the latency, both in
    /// seconds. It is within 7 %, or half a millisecond; infinite if as many never came to it.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Vec<(f64, f64)> {
        let steps = self.cells.chunks(CELLS).enumerate().filter_map(|(step, cells)| {
            let count: u64 = cells.iter().map(|&count| u64::from(count)).sum();
            let rank = (q.clamp(0.0, 1.0) * count as f64).max(1.0);
            let mut below = 0;
            let reaches = |count: &u32| {
                below += u64::from(*count);
                below as f64 >= rank
            };
            let cell = cells.iter().position(reaches)?;
            let latency = if cell == CELLS - 1 { f64::INFINITY } else { middle(cell) };
            Some(((step as f64 + 0.5) * self.step_seconds(), latency))
        });
        steps.collect()
    }
}

const fn plus(left: u32, right: u32) -> u32 {
    left.saturating_add(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_latency_is_within_seven_per_cent() {
        for millis in [0, 1, 7, 15, 16, 17, 100, 999, 30_000, 1_000_000] {
            let mut one = Latencies::new(SECOND);
            one.record(0, Some(millis * 1_000_000));
            let [(at, seen)] = one.quantile(0.5)[..] else { panic!("one step") };
            let exact = millis as f64 / 1e3;
            assert!(at == 0.5 && (seen - exact).abs() <= (exact * 0.07).max(0.000_51), "{millis} ms: {seen}");
        }
        assert!(cell(LONGEST) + 2 == CELLS && cell(15) == 15 && cell(16) == 16);
    }

    #[test]
    fn each_step_has_its_own_quantiles_and_never_is_the_longest() {
        let mut latencies = Latencies::new(10 * SECOND);
        for request in 0..100 {
            latencies.record(5 * SECOND, Some((request + 1) * 100_000_000));
            latencies.record(25 * SECOND, (request < 90).then_some(SECOND));
        }
        let p95 = latencies.quantile(0.95);
        assert_eq!(p95.iter().map(|point| point.0).collect::<Vec<_>>(), [5.0, 25.0], "nothing arrived between");
        assert!((p95[0].1 - 9.5).abs() < 0.6 && p95[1].1 == f64::INFINITY, "{p95:?}");
        assert!((latencies.quantile(0.5)[1].1 - 1.0).abs() < 0.07);
    }

    #[cfg(feature = "render")]
    #[test]
    fn steps_merge_by_doubling_and_runs_add_up() {
        let (mut long, mut short) = (Latencies::new(SECOND), Latencies::new(SECOND));
        (0..300).for_each(|second| long.record(second * SECOND, Some(SECOND)));
        assert_eq!((long.step, long.quantile(0.5).len()), (4 * SECOND, 75));
        short.record(0, None);
        let mut sum = Latencies::default();
        sum.add(&short);
        sum.add(&long);
        assert_eq!(sum.step, 4 * SECOND);
        assert_eq!(sum.cells.iter().sum::<u32>(), 301);
        assert_eq!(sum.quantile(1.0)[0].1, f64::INFINITY);
        long.add(&short);
        assert_eq!(long, sum, "in any order");
    }
}
