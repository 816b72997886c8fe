use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use lb_limits::MINUTE;

use super::{Trace, scaled};
use crate::random::{Draws, Purpose};

/// A trace as it was recorded, once or over and over, in one or several copies at the same time.
///
/// Copy 0 starts at the trace's beginning. Every other is moved by a random time, of two and a half minutes at most, and goes
/// round: so that the busy hours of all copies meet and their bursts do not. Growth adds copies: 2.3 are two whole ones and
/// one of which three requests in ten are kept. Whether a request of a copy is kept is
/// a matter of its own draw alone, and its number is made of its copy and its place in it, so that more growth adds requests
/// and changes none.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    trace: Arc<Trace>,
    /// The heads of all copies by time; ties in order of the copies.
    heads: BinaryHeap<Reverse<(u64, u16)>>,
    copies: Vec<Copy>,
    /// Length of a round, at the trace's own speed.
    period: u64,
    speed: f64,
    repeat: bool,
}

#[derive(Debug, Clone)]
struct Copy {
    offset: u64,
    /// Rows before the one it starts at.
    start: u64,
    /// Requests it has had, kept or not.
    place: u64,
    /// The share of its requests that is kept.
    share: f64,
}

/// A request of a trace: when it arrives, its number, its row.
type Replayed = (u64, u64, u32);

/// How far apart copies can begin: short beside an hour, which has the rhythm of a day, and long beside a burst.
const SPREAD: u64 = 5 * MINUTE;

/// Bits of a number that count the requests of one copy.
const PLACE_BITS: u32 = 48;
/// The most copies that fit above them.
pub(super) const MOST_COPIES: f64 = 65_535.0;

impl Replay {
    /// `copies` may be a fraction, up to [`MOST_COPIES`]; of each `thin` is kept.
    pub(super) fn new(
        trace: Arc<Trace>,
        copies: f64,
        thin: f64,
        speed: f64,
        repeat: bool,
        draws: Draws,
        workload: u64,
    ) -> Self {
        let period = trace.period();
        let copies: Vec<Copy> = (0..u16::MAX)
            .map_while(|copy| {
                let share = (copies - f64::from(copy)).min(1.0) * thin;
                let offset = match copy {
                    0 => 0,
                    _ => moved(period, draws.bits(Purpose::Offset, workload, u64::from(copy))),
                };
                let start = trace.rows().partition_point(|row| row.at < offset) as u64;
                (share > 0.0).then_some(Copy { offset, start, place: 0, share })
            })
            .collect();
        let mut replay = Self { trace, heads: BinaryHeap::new(), copies, period, speed, repeat };
        replay.heads = (0..u16::MAX)
            .zip(&replay.copies)
            .filter_map(|(number, copy)| Some(Reverse((replay.time(copy)?, number))))
            .collect();
        replay
    }

    /// When the next request of a copy arrives.
    fn time(&self, copy: &Copy) -> Option<u64> {
        let rows = self.trace.rows().len() as u64;
        if copy.place >= rows && !self.repeat {
            return None;
        }
        let rounds = (copy.start + copy.place) / rows;
        let at = self.trace.rows()[self.row(copy) as usize].at;
        let time = rounds.checked_mul(self.period)?.checked_add(at)? - copy.offset;
        Some(scaled(time, self.speed))
    }

    fn row(&self, copy: &Copy) -> u32 {
        let rows = self.trace.rows().len() as u64;
        // The remainder is dearer than the test.
        let row = copy.start + copy.place;
        u32::try_from(if row < rows { row } else { row % rows }).unwrap_or(u32::MAX)
    }

    /// The next request; `None` when all copies have ended, and from `until` on.
    #[inline]
    pub(super) fn next(&mut self, draws: Draws, workload: u64, until: u64) -> Option<Replayed> {
        loop {
            let Reverse((at, number)) = self.heads.pop()?;
            if at >= until {
                return None;
            }
            let copy = &self.copies[usize::from(number)];
            let (row, share) = (self.row(copy), copy.share);
            let key = u64::from(number) << PLACE_BITS | copy.place;
            self.copies[usize::from(number)].place += 1;
            if let Some(next) = self.time(&self.copies[usize::from(number)]) {
                self.heads.push(Reverse((next, number)));
            }
            if share >= 1.0 || draws.uniform(Purpose::Thin, workload, key) < share {
                return Some((at, key, row));
            }
        }
    }
}

/// Where a copy that uniform bits move begins in a trace that is this long.
fn moved(period: u64, bits: u64) -> u64 {
    let spread = SPREAD.min(period);
    // Later by some of the spread, and earlier by half of it.
    (below(spread, bits) + (period - spread / 2)) % period
}

/// A whole number below `bound`, from uniform bits.
fn below(bound: u64, bits: u64) -> u64 {
    u64::try_from((u128::from(bits) * u128::from(bound)) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Row;

    fn trace(times: &[u64]) -> Arc<Trace> {
        Arc::new(Trace::new(times.iter().map(|&at| Row { at, ..Row::default() }).collect()))
    }

    fn all(copies: f64, thin: f64, speed: f64, repeat: bool, until: u64) -> Vec<Replayed> {
        let draws = Draws::new(7);
        let mut replay = Replay::new(trace(&[0, 10, 30, 60]), copies, thin, speed, repeat, draws, 0);
        std::iter::from_fn(|| replay.next(draws, 0, until)).collect()
    }

    #[test]
    fn one_copy_is_the_trace() {
        assert_eq!(all(1.0, 1.0, 1.0, false, u64::MAX), [(0, 0, 0), (10, 1, 1), (30, 2, 2), (60, 3, 3)]);
        assert_eq!(all(1.0, 1.0, 2.0, false, 30), [(0, 0, 0), (5, 1, 1), (15, 2, 2)]);
    }

    #[test]
    fn a_loop_starts_over_a_mean_gap_after_the_end() {
        let times: Vec<_> = all(1.0, 1.0, 1.0, true, 171).into_iter().map(|(at, _, row)| (at, row)).collect();
        assert_eq!(times[3..], [(60, 3), (80, 0), (90, 1), (110, 2), (140, 3), (160, 0), (170, 1)]);
    }

    #[test]
    fn every_copy_has_each_request_once_a_round_and_starts_elsewhere() {
        let found = all(5.0, 1.0, 1.0, false, u64::MAX);
        assert_eq!(found.len(), 20);
        assert!(found.is_sorted_by_key(|found| found.0));
        assert!(found.iter().all(|found| found.0 < 80), "a round lasts 80");
        for copy in 0..5 {
            let mut rows: Vec<_> =
                found.iter().filter(|found| found.1 >> PLACE_BITS == copy).map(|found| found.2).collect();
            rows.sort_unstable();
            assert_eq!(rows, [0, 1, 2, 3]);
        }
        let firsts: std::collections::BTreeSet<_> = found.iter().filter(|f| f.1 << 16 == 0).map(|f| f.0).collect();
        assert!(firsts.len() > 1);
    }

    #[test]
    fn growth_keeps_the_rhythm_of_the_day() {
        const HOUR: u64 = 60 * MINUTE;
        // Two days of 20 requests an hour, and of 200 in the tenth.
        let hours = (0..48).flat_map(|hour| {
            let requests = if hour % 24 == 10 { 200 } else { 20 };
            (0..requests).map(move |n| hour * HOUR + n * HOUR / requests)
        });
        let trace = trace(&hours.collect::<Vec<_>>());
        for (seed, growth) in (0..20).map(|seed| (seed, 1.5 + 0.5 * (seed % 3) as f64)) {
            let draws = Draws::new(seed);
            let mut replay = Replay::new(Arc::clone(&trace), growth, 1.0, 1.0, true, draws, 0);
            let mut counts = [0_u32; 48];
            while let Some((at, ..)) = replay.next(draws, 0, 48 * HOUR) {
                counts[usize::try_from(at / HOUR).unwrap()] += 1;
            }
            for busiest in [10, 34] {
                let grown = f64::from(counts[busiest]) / 200.0;
                assert!((grown - growth).abs() < 0.1 * growth, "x {grown} at growth {growth}, seed {seed}");
            }
            let times: Vec<u64> = {
                let mut replay = Replay::new(Arc::clone(&trace), growth, 1.0, 1.0, true, draws, 0);
                std::iter::from_fn(|| replay.next(draws, 0, 48 * HOUR)).map(|(at, ..)| at).collect()
            };
            let together = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
            assert!(together < times.len() / 20, "the copies' requests come at one time");
        }
    }

    #[test]
    fn growth_and_thinning_add_requests_and_change_none() {
        let mut last = Vec::new();
        for growth in [0.2, 0.5, 1.0, 1.1, 1.7, 2.0, 2.5] {
            let found = all(growth, 1.0, 1.0, true, 80_000);
            let share = found.len() as f64 / 4_000.0;
            assert!((share / growth - 1.0).abs() < 0.1, "growth {growth} gave {share}");
            let mut rest = found.iter();
            assert!(last.iter().all(|request| rest.any(|other| other == request)), "a request changed");
            last = found;
        }
        let thinned = all(1.0, 0.25, 1.0, true, 80_000);
        let whole = all(1.0, 1.0, 1.0, true, 80_000);
        assert!((thinned.len() as f64 / 1_000.0 - 1.0).abs() < 0.1);
        assert!(thinned.iter().all(|request| whole.contains(request)));
    }

    #[test]
    fn copies_are_thinned_each_by_itself() {
        let found = all(2.0, 0.5, 1.0, true, 80_000);
        let kept = |copy: u64| -> std::collections::BTreeSet<u64> {
            let of_copy = found.iter().filter(|found| found.1 >> PLACE_BITS == copy);
            of_copy.map(|found| found.1 & ((1 << PLACE_BITS) - 1)).collect()
        };
        let (first, second) = (kept(0), kept(1));
        // Half of what one copy keeps the other keeps too, if they do not know of each other.
        let both = first.intersection(&second).count() as f64 / first.len() as f64;
        assert!((both - 0.5).abs() < 0.06, "{both}");
    }
}
