use super::{Bin, Latencies, RunResult};
use crate::stats::Estimate;

/// Bins that make a piece: more points only make a line hairy.
const BINS: usize = 8;

/// What happened when, over all replications: sums and sums of squares, which are integers, so that it does not matter in
/// which order runs are added.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OverTime {
    runs: u32,
    /// Length of a piece, and of a run, in nanoseconds.
    piece: u64,
    end: u64,
    /// Per piece: all workloads together.
    all: Pieces,
    /// Per workload, per piece.
    classes: Vec<Pieces>,
    /// Per workload: the time to the first token.
    first_tokens: Vec<Latencies>,
}

/// Per piece: arrived, succeeded, ended with a 429, ended otherwise.
type Pieces = Vec<[Moments; 4]>;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Moments {
    sum: u64,
    squares: u128,
}

/// A number of requests in a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requests {
    Arrived,
    Succeeded,
    Throttled,
    Failed,
}

impl OverTime {
    pub(super) fn add(&mut self, run: &RunResult) {
        let timeline = &run.timeline;
        self.runs += 1;
        (self.piece, self.end) = (timeline.bin * BINS as u64, run.end);
        add(&mut self.all, &timeline.requests());
        self.classes.resize_with(self.classes.len().max(timeline.classes.len()), Pieces::default);
        self.classes.iter_mut().zip(&timeline.classes).for_each(|(pieces, bins)| add(pieces, bins));
        self.add_latencies(&timeline.first_tokens);
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.runs += other.runs;
        (self.piece, self.end) = (self.piece.max(other.piece), self.end.max(other.end));
        plus(&mut self.all, &other.all);
        self.classes.resize_with(self.classes.len().max(other.classes.len()), Pieces::default);
        self.classes.iter_mut().zip(&other.classes).for_each(|(pieces, more)| plus(pieces, more));
        self.add_latencies(&other.first_tokens);
        self
    }

    fn add_latencies(&mut self, more: &[Latencies]) {
        self.first_tokens.resize_with(self.first_tokens.len().max(more.len()), Latencies::default);
        self.first_tokens.iter_mut().zip(more).for_each(|(latencies, more)| latencies.add(more));
    }

    /// Requests per second of a workload, or of all: per piece its middle in seconds, and the estimate over the runs.
    pub(crate) fn rates(&self, class: Option<usize>, of: Requests) -> Vec<(f64, Estimate)> {
        let none = Pieces::default();
        let pieces = class.map_or(&self.all, |class| self.classes.get(class).unwrap_or(&none));
        let starts = (0_u64..).map(|index| self.piece * index);
        let rates = pieces.iter().zip(starts).map(|(piece, start)| {
            let seconds = self.piece.min(self.end.saturating_sub(start)).max(1) as f64 / 1e9;
            let Moments { sum, squares } = piece[of as usize];
            (start as f64 / 1e9 + seconds / 2.0, Estimate::of_counts(sum, squares, self.runs, 1.0 / seconds))
        });
        rates.collect()
    }

    /// The time to the first token of a workload, all runs together.
    pub(crate) fn first_token(&self, class: usize) -> Option<&Latencies> {
        self.first_tokens.get(class)
    }
}

/// Adds the bins of a run.
fn add(pieces: &mut Pieces, bins: &[Bin]) {
    pieces.resize(pieces.len().max(bins.len().div_ceil(BINS)), Default::default());
    for (piece, bins) in pieces.iter_mut().zip(bins.chunks(BINS)) {
        let sum = bins.iter().copied().fold(Bin::default(), Bin::plus);
        for (moments, count) in piece.iter_mut().zip([sum.offered, sum.succeeded, sum.throttled, sum.failed]) {
            moments.sum += count;
            moments.squares += u128::from(count) * u128::from(count);
        }
    }
}

fn plus(pieces: &mut Pieces, more: &Pieces) {
    pieces.resize(pieces.len().max(more.len()), Default::default());
    for (moments, more) in pieces.iter_mut().flatten().zip(more.iter().flatten()) {
        moments.sum += more.sum;
        moments.squares += more.squares;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::run;

    #[test]
    fn the_rate_of_a_piece_is_the_mean_over_the_runs_with_its_interval() {
        let runs = [0, 1, 2].map(|replication| {
            let mut run = run(replication);
            run.timeline.requests_at(0, 0).offered += 8 * replication;
            run
        });
        let over = |runs: &[RunResult]| {
            runs.iter().fold(OverTime::default(), |mut over, run| {
                over.add(run);
                over
            })
        };
        let together = over(&runs);
        let rates = together.rates(None, Requests::Arrived);
        let first: u64 = runs[0].timeline.requests()[..BINS].iter().map(|bin| bin.offered).sum();
        let seconds = runs[0].timeline.bin as f64 * BINS as f64 / 1e9;
        let values = [0, 8, 16].map(|more| Some((first + more) as f64 / seconds));
        let expected = Estimate::over(values);
        assert!((rates[0].1.mean() - expected.mean()).abs() < 1e-9);
        assert!((rates[0].1.low() - expected.low()).abs() < 1e-9, "{} {expected}", rates[0].1);
        assert_eq!(rates[1].1.half_width(), Some(0.0), "where the runs agree");
        assert_eq!(rates, together.rates(Some(0), Requests::Arrived), "one workload is all there is");
        let apart = over(&runs[..1]).and(over(&runs[1..]));
        assert_eq!(apart.rates(None, Requests::Arrived), rates);
        assert_eq!(apart.first_token(0), together.first_token(0));
        assert_eq!(over(&runs[..1]).rates(None, Requests::Arrived)[0].1.half_width(), None);
    }
}
