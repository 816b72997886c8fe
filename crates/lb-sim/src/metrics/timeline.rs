use super::Latencies;

/// How many bins a timeline has at most.
const MOST_BINS: usize = 1_024;

/// What happened when, in at most 1,024 bins of equal length: when more are needed, neighbours are merged and the
/// length doubles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Length of a bin, in nanoseconds.
    pub bin: u64,
    /// When the first bin begins, in nanoseconds since 1970, if the traffic comes from files with dates.
    pub begin: Option<u64>,
    /// Per workload, per bin: the requests. A workload is there when its first request is.
    pub classes: Vec<Vec<Bin>>,
    /// Per backend, per bin: what it did.
    pub backends: Vec<Vec<BackendBin>>,
    /// Per workload: from the arrival to the first token, by when requests arrived.
    pub first_tokens: Vec<Latencies>,
    /// How many bins there are.
    length: usize,
    /// The bin that was last looked for, and its first moment: most looks are for the same one.
    current: (usize, u64),
}

/// Requests in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Bin {
    /// Arrived.
    pub offered: u64,
    /// Answered to the last token.
    pub succeeded: u64,
    /// Ended with a 429 at the application.
    pub throttled: u64,
    /// Ended otherwise without success.
    pub failed: u64,
    /// Began to wait in their pool.
    pub queued: u64,
}

/// One backend in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BackendBin {
    /// Let in.
    pub accepted: u64,
    /// Refused: 429s, and refusals inside a 200.
    pub refused: u64,
    /// 5xx and faults.
    pub failed: u64,
    /// Time during which a pool had it out, summed over the pools, in nanoseconds.
    pub cooling: u64,
    /// Time during which a pool suspected it, summed over the pools, in nanoseconds.
    pub suspect: u64,
    /// Largest utilisation of its fullest limit that was seen, in thousandths.
    pub utilisation: u64,
}

impl Timeline {
    /// A timeline of this many backends, with bins that make `end` (nanoseconds) fit.
    #[must_use]
    pub fn new(backends: usize, end: u64) -> Self {
        let most = MOST_BINS as u64;
        Self {
            bin: (end / most + 1).max(1),
            begin: None,
            classes: Vec::new(),
            backends: vec![vec![BackendBin::default()]; backends],
            first_tokens: Vec::new(),
            length: 1,
            current: (0, 0),
        }
    }

    /// A workload's bin of a moment.
    #[inline]
    pub fn requests_at(&mut self, class: usize, at: u64) -> &mut Bin {
        let index = self.index(at);
        if class >= self.classes.len() {
            self.add_class(class);
        }
        &mut self.classes[class][index]
    }

    /// A request that arrived at `at` got its first token after so many nanoseconds, or never.
    #[inline]
    pub fn first_token(&mut self, class: usize, at: u64, nanos: Option<u64>) {
        if class >= self.classes.len() {
            self.add_class(class);
        }
        self.first_tokens[class].record(at, nanos);
    }

    #[cold]
    fn add_class(&mut self, class: usize) {
        // Fewer steps than bins: each needs requests for its quantiles.
        let step = self.bin.saturating_mul(8);
        self.classes.resize(class + 1, vec![Bin::default(); self.length]);
        self.first_tokens.resize(class + 1, Latencies::new(step));
    }

    /// Per bin: the requests of all workloads.
    #[must_use]
    pub fn requests(&self) -> Vec<Bin> {
        let mut all = vec![Bin::default(); self.length];
        for bins in &self.classes {
            all.iter_mut().zip(bins).for_each(|(all, bin)| *all = all.plus(*bin));
        }
        all
    }

    /// A backend's bin of a moment.
    #[inline]
    pub fn backend_at(&mut self, backend: usize, at: u64) -> &mut BackendBin {
        let index = self.index(at);
        &mut self.backends[backend][index]
    }

    /// Adds the time from `from` to `to` to a backend's cooling, each bin its part.
    pub fn add_cooling(&mut self, backend: usize, from: u64, to: u64) {
        self.add(backend, from, to, |bin| &mut bin.cooling);
    }

    /// Adds the time from `from` to `to` to that during which a backend was suspect, each bin its part.
    pub fn add_suspect(&mut self, backend: usize, from: u64, to: u64) {
        self.add(backend, from, to, |bin| &mut bin.suspect);
    }

    fn add(&mut self, backend: usize, from: u64, to: u64, of: fn(&mut BackendBin) -> &mut u64) {
        let mut from = from;
        while from < to {
            let index = self.index(from);
            let end = self.bin.saturating_mul(index as u64 + 1).min(to);
            *of(&mut self.backends[backend][index]) += end - from;
            from = end;
        }
    }

    #[inline]
    fn index(&mut self, at: u64) -> usize {
        let (index, from) = self.current;
        if at >= from && at - from < self.bin { index } else { self.find(at) }
    }

    #[cold]
    fn find(&mut self, at: u64) -> usize {
        let mut index = at / self.bin;
        while index >= MOST_BINS as u64 {
            self.halve();
            index = at / self.bin;
        }
        let index = usize::try_from(index).unwrap_or(MOST_BINS - 1);
        if index >= self.length {
            self.grow(index + 1);
        }
        self.current = (index, self.bin * index as u64);
        index
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.length = length;
        for bins in &mut self.classes {
            bins.resize(length, Bin::default());
        }
        for bins in &mut self.backends {
            bins.resize(length, BackendBin::default());
        }
    }

    #[cold]
    fn halve(&mut self) {
        self.bin = self.bin.saturating_mul(2);
        self.length = self.length.div_ceil(2);
        for bins in &mut self.classes {
            *bins = bins.chunks(2).map(|pair| merge(pair, Bin::plus)).collect();
        }
        for bins in &mut self.backends {
            *bins = bins.chunks(2).map(|pair| merge(pair, BackendBin::plus)).collect();
        }
    }
}

pub(super) fn merge<B: Copy + Default>(pair: &[B], plus: fn(B, B) -> B) -> B {
    pair.iter().copied().fold(B::default(), plus)
}

impl Bin {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            offered: self.offered + other.offered,
            succeeded: self.succeeded + other.succeeded,
            throttled: self.throttled + other.throttled,
            failed: self.failed + other.failed,
            queued: self.queued + other.queued,
        }
    }
}

impl BackendBin {
    fn plus(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            failed: self.failed + other.failed,
            cooling: self.cooling + other.cooling,
            suspect: self.suspect + other.suspect,
            utilisation: self.utilisation.max(other.utilisation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_merge_by_doubling_and_lose_nothing() {
        let mut timeline = Timeline::new(1, 1_023);
        for at in 0..10_000 {
            timeline.requests_at(0, at).offered += 1;
            timeline.backend_at(0, at).accepted += 1;
        }
        assert_eq!(timeline.bin, 16);
        let requests = timeline.requests();
        assert_eq!(requests.len(), 625);
        assert!(requests.iter().all(|bin| bin.offered == 16));
        assert_eq!(timeline.backends[0].iter().map(|bin| bin.accepted).sum::<u64>(), 10_000);
    }

    #[test]
    fn cooling_is_split_over_the_bins_it_spans() {
        let mut timeline = Timeline::new(1, 10_239);
        assert_eq!(timeline.bin, 10);
        timeline.add_cooling(0, 5, 32);
        let cooling: Vec<u64> = timeline.backends[0].iter().map(|bin| bin.cooling).collect();
        assert_eq!(cooling, [5, 10, 10, 2]);
    }

    #[test]
    fn workloads_have_bins_of_their_own_that_add_up() {
        let mut timeline = Timeline::new(1, 10_239);
        timeline.backend_at(0, 500).accepted += 1;
        timeline.requests_at(1, 25).offered += 2;
        timeline.requests_at(0, 9_000).offered += 3;
        timeline.requests_at(0, 25).offered += 4;
        let at =
            |bins: &[Bin]| bins.iter().map(|bin| bin.offered).enumerate().filter(|bin| bin.1 > 0).collect::<Vec<_>>();
        assert_eq!(at(&timeline.classes[0]), [(2, 4), (900, 3)]);
        assert_eq!(at(&timeline.classes[1]), [(2, 2)]);
        assert_eq!(at(&timeline.requests()), [(2, 6), (900, 3)]);
    }
}
