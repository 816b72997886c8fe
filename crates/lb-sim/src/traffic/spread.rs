use std::sync::Arc;

use super::{Minutes, gap::Gaps, import::MOST, nanos, scaled};
use crate::random::{Draws, Purpose};

/// The requests of an Azure Monitor export: as many in each minute as it says, at random places inside.
///
/// The gaps of a minute are those of a renewal process with the given `cv`, laid around the minute as on a circle with a
/// random start and scaled to its length. With a `cv` of 1 that is the same as independent uniform places; above it they
/// come in clumps, which fall on no side of the minute more often than on another. With growth, the count that is
/// not whole is rounded up or down at random, by a draw of the minute.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    export: Arc<Minutes>,
    gaps: Gaps,
    growth: f64,
    speed: f64,
    repeat: bool,
    /// Minutes begun, over all rounds.
    minute: u64,
    /// Where the requests of the current minute are, latest first.
    places: Vec<u64>,
    /// The next request's number in its minute.
    number: u64,
}

/// Bits of a number that count the requests of one minute.
const NUMBER_BITS: u32 = 24;

impl Spread {
    pub(super) fn new(export: Arc<Minutes>, gaps: Gaps, growth: f64, speed: f64, repeat: bool) -> Self {
        Self { export, gaps, growth, speed, repeat, minute: 0, places: Vec::new(), number: 0 }
    }

    /// The next request's time, number and minute; `None` after the export's end, and from `until` on.
    #[inline]
    pub(super) fn next(&mut self, draws: Draws, workload: u64, until: u64) -> Option<(u64, u64, u32)> {
        let minutes = self.export.minutes().len() as u64;
        loop {
            if let Some(at) = self.places.pop() {
                let minute = self.minute - 1;
                let key = minute << NUMBER_BITS | self.number;
                self.number += 1;
                let row = u32::try_from(minute % minutes).unwrap_or(u32::MAX);
                return (at < until).then_some((at, key, row));
            }
            if self.minute >= minutes && !self.repeat {
                return None;
            }
            if self.begin_minute(draws, workload) >= until {
                return None;
            }
        }
    }

    /// Places the requests of the next minute, and tells when it begins.
    fn begin_minute(&mut self, draws: Draws, workload: u64) -> u64 {
        let minutes = self.export.minutes();
        let (round, row) = (self.minute / minutes.len() as u64, self.minute % minutes.len() as u64);
        #[expect(clippy::cast_possible_truncation, reason = "below the number of minutes")]
        let minute = &minutes[row as usize];
        let begin = round.saturating_mul(self.export.span()).saturating_add(minute.at);
        let end = begin.saturating_add(self.export.step());
        let (begin, length) = (scaled(begin, self.speed), scaled(end, self.speed) - scaled(begin, self.speed));
        let expected = (minute.requests * self.growth).min(MOST);
        let whole = libm::floor(expected);
        let more = draws.uniform(Purpose::State, workload, self.minute) < expected - whole;
        let count = nanos(whole) + u64::from(more);
        // The gaps as they are first, in `places`, so that a minute needs memory once.
        let mut total = 0.0;
        self.places.clear();
        for number in 0..count {
            total += self.gaps.draw(draws, workload, self.minute << NUMBER_BITS | number);
            self.places.push(f64::to_bits(total));
        }
        let start = draws.uniform(Purpose::Offset, workload, self.minute);
        for place in &mut self.places {
            // All gaps may be too small for a float if the `cv` is huge: then the whole minute is one clump.
            let share = if total > 0.0 { f64::from_bits(*place) / total } else { 0.0 };
            let turn = start + share;
            let within = if turn >= 1.0 { turn - 1.0 } else { turn };
            *place = begin + nanos(within * length as f64).min(length.saturating_sub(1));
        }
        self.places.sort_unstable_by(|a, b| b.cmp(a));
        self.minute += 1;
        self.number = 0;
        begin
    }
}
