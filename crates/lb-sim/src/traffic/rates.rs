//! Rates over time, piecewise: the integral that turns a unit-rate process into one of this rate.

use std::path::Path;

use super::{exponential::exponential, gap::Gaps, import::DataTable};
use crate::{
    random::{Draws, Purpose},
    scenario::{Columns, Interpolate, RatePoint, Span},
    time,
};

/// A stretch of time over which the rate is linear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// Nanoseconds.
    length: u64,
    /// Requests per second at its start and its end.
    from: f64,
    to: f64,
}

impl Stretch {
    /// Requests that it brings on average: the integral of the rate.
    fn area(self) -> f64 {
        f64::midpoint(self.from, self.to) * (self.length as f64 * 1e-9)
    }

    /// After how many nanoseconds this much of the area is used up.
    fn place(self, area: f64) -> u64 {
        if self.from == self.to {
            return super::nanos(area / self.from * 1e9).min(self.length);
        }
        let slope = (self.to - self.from) / (self.length as f64 * 1e-9);
        // The root of `from x + slope x² / 2 = area`, in the form that does not cancel.
        let root = libm::sqrt((self.from * self.from + 2.0 * slope * area).max(0.0));
        let seconds = 2.0 * area / (self.from + root);
        super::nanos(seconds * 1e9).min(self.length)
    }
}

/// The stretches of a rate, without end.
#[derive(Debug, Clone)]
pub(super) enum Rate {
    /// The stretches of a table, over and over.
    Cycle { stretches: Vec<Stretch>, next: usize },
    /// Two states that take turns.
    Bursts { calm: State, burst: State, is_burst: bool, number: u64 },
}

/// A state of a bursty source.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    rate: f64,
    mean: Span,
}

impl Rate {
    /// A table's; `None` if it has no length or never a request. At two points of one time the rate jumps.
    pub(super) fn cycle(points: &[RatePoint], interpolate: Interpolate, factor: f64, speed: f64) -> Option<Self> {
        let place = |point: &RatePoint| super::scaled(point.at.as_nanos(), speed);
        let factor = factor * speed;
        let mut stretches = Vec::new();
        if let Some(first) = points.first().filter(|first| first.at.as_nanos() > 0) {
            let rate = first.rate * factor;
            stretches.push(Stretch { length: place(first), from: rate, to: rate });
        }
        stretches.extend(points.windows(2).map(|pair| Stretch {
            length: place(&pair[1]).saturating_sub(place(&pair[0])),
            from: pair[0].rate * factor,
            to: factor * if interpolate == Interpolate::Steps { pair[0].rate } else { pair[1].rate },
        }));
        stretches.retain(|stretch| stretch.length > 0);
        let area: f64 = stretches.iter().map(|stretch| stretch.area()).sum();
        (area > 0.0 && area.is_finite()).then_some(Self::Cycle { stretches, next: 0 })
    }

    /// Two states with this mean rate. The first is drawn in proportion to the states' shares of time.
    pub(super) fn bursts(rate: f64, bursts: crate::scenario::Bursts, draws: Draws, workload: u64) -> Self {
        let share = bursts.burst.as_secs_f64() / (bursts.burst.as_secs_f64() + bursts.calm.as_secs_f64());
        let calm = rate / (1.0 - share + share * bursts.factor);
        Self::Bursts {
            calm: State { rate: calm, mean: bursts.calm },
            burst: State { rate: calm * bursts.factor, mean: bursts.burst },
            is_burst: draws.uniform(Purpose::State, workload, u64::MAX) < share,
            number: 0,
        }
    }

    fn next(&mut self, draws: Draws, workload: u64) -> Stretch {
        match self {
            Self::Cycle { stretches, next } => {
                let stretch = stretches[*next];
                *next = if *next + 1 == stretches.len() { 0 } else { *next + 1 };
                stretch
            }
            Self::Bursts { calm, burst, is_burst, number } => {
                let state = if *is_burst { *burst } else { *calm };
                let length =
                    exponential(draws.uniform(Purpose::State, workload, *number)) * state.mean.as_nanos() as f64;
                *is_burst = !*is_burst;
                *number += 1;
                let length = super::nanos(length).max(1);
                Stretch { length, from: state.rate, to: state.rate }
            }
        }
    }
}

/// A unit-rate renewal process, stretched so that it has a given rate at each time: arrival n comes when the integral of
/// the rate reaches the sum of the first n gaps. That is exact for every `cv`, and Poisson stays Poisson.
#[derive(Debug, Clone)]
pub(super) struct Stretched {
    gaps: Gaps,
    rate: Rate,
    stretch: Stretch,
    area: f64,
    begin: u64,
    used: f64,
    number: u64,
}

impl Stretched {
    pub(super) fn new(mut rate: Rate, gaps: Gaps, draws: Draws, workload: u64) -> Self {
        let stretch = rate.next(draws, workload);
        Self { gaps, rate, stretch, area: stretch.area(), begin: 0, used: 0.0, number: 0 }
    }

    /// The next arrival's time and number; `None` from `until` on.
    #[inline]
    pub(super) fn next(&mut self, draws: Draws, workload: u64, until: u64) -> Option<(u64, u64)> {
        self.used += match self.number {
            0 => self.gaps.first(draws, workload),
            number => self.gaps.draw(draws, workload, number),
        };
        while self.used >= self.area {
            self.used -= self.area;
            self.begin = self.begin.saturating_add(self.stretch.length);
            if self.begin >= until {
                return None;
            }
            self.stretch = self.rate.next(draws, workload);
            self.area = self.stretch.area();
        }
        let number = self.number;
        self.number += 1;
        Some((self.begin.saturating_add(self.stretch.place(self.used)), number))
    }
}

/// A rate table in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RateFile {
    /// Its points, the first at time 0.
    pub(super) points: Vec<RatePoint>,
    /// When the first one is, in nanoseconds since 1970, if the file has dates.
    pub(super) moment: Option<u64>,
    /// How it was read.
    pub(super) notes: Vec<String>,
}

/// The points of a rate table in a CSV file, and notes on how it was read.
pub(super) fn read(path: &Path, columns: Option<&Columns>, ahead: i64) -> Result<RateFile, String> {
    points(DataTable::open(path)?.ahead(ahead), columns)
}

fn points(mut table: DataTable, columns: Option<&Columns>) -> Result<RateFile, String> {
    let named = |name: Option<&String>, usual: &[&str]| match name {
        Some(name) => table.column(&[name]),
        None => table.column(usual),
    };
    let time = named(columns.map(|columns| &columns.time), &["time", "at", "timestamp", "time_s", "window_start_s"])?;
    let rate = named(columns.and_then(|columns| columns.rate.as_ref()), &["rate", "rate_rps", "rps"])?;
    let unit = columns.and_then(|columns| columns.time_unit).unwrap_or(Span::from_secs(1)).as_nanos();
    let mut points = Vec::new();
    while table.advance()? {
        points.push(RatePoint {
            at: table.time(time, unit).map(Span::from_nanos)?,
            rate: table.value(rate, "a rate of 0 or more", |text| {
                text.parse().ok().filter(|rate| (0.0..=1e9).contains(rate))
            })?,
        });
    }
    let mut notes = Vec::new();
    if points.windows(2).any(|pair| pair[1].at < pair[0].at) {
        points.sort_by_key(|point| point.at);
        notes.push("the points of the rate table were not in order; they were sorted".to_owned());
    }
    if let Some(crowd) = points.windows(3).find(|points| points[0].at == points[2].at) {
        return Err(format!("the rate table has three points at {}; a jump has two", crowd[0].at));
    }
    let begin = points.first().map_or(0, |point| point.at.as_nanos());
    for point in &mut points {
        point.at = Span::from_nanos(point.at.as_nanos() - begin);
    }
    Ok(RateFile { points, moment: time::moment(begin), notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(seconds: u64, rate: f64) -> RatePoint {
        RatePoint { at: Span::from_secs(seconds), rate }
    }

    #[test]
    fn equal_gaps_arrive_where_the_integral_of_the_rate_is_whole() {
        // From 0 to 2 per second over 4 s, then down again: the integral is t²/4, then 4 + 2 u - u²/4.
        let rate = Rate::cycle(&[point(0, 0.0), point(4, 2.0), point(8, 0.0)], Interpolate::Linear, 1.0, 1.0).unwrap();
        let mut stretched = Stretched::new(rate, Gaps::Equal, Draws::new(1), 0);
        let times: Vec<f64> =
            (0..9).map(|_| stretched.next(Draws::new(1), 0, u64::MAX).unwrap().0 as f64 / 1e9).collect();
        let expected =
            [2.0, 8.0_f64.sqrt(), 12.0_f64.sqrt(), 4.0, 8.0 - 12.0_f64.sqrt(), 8.0 - 8.0_f64.sqrt(), 6.0, 8.0, 10.0];
        for (time, expected) in times.iter().zip(expected) {
            assert!((time - expected).abs() < 2e-9, "{times:?}");
        }
    }

    #[test]
    fn a_rate_jumps_at_two_points_of_one_time_and_at_every_step() {
        // 1 per second for 4 s, then 3 per second for 2 s: equal gaps are a second long, then a third of one.
        let jump = [point(0, 1.0), point(4, 1.0), point(4, 3.0), point(6, 3.0)];
        let steps = [point(0, 1.0), point(4, 3.0), point(6, 9.0)];
        for (points, interpolate) in [(&jump[..], Interpolate::Linear), (&steps, Interpolate::Steps)] {
            let rate = Rate::cycle(points, interpolate, 1.0, 1.0).unwrap();
            let mut stretched = Stretched::new(rate, Gaps::Equal, Draws::new(1), 0);
            let mut next = || stretched.next(Draws::new(1), 0, u64::MAX).unwrap().0 as f64 / 1e9;
            for cycle in [0.0, 6.0] {
                for expected in [1.0, 2.0, 3.0, 4.0, 4.0 + 1.0 / 3.0, 4.0 + 2.0 / 3.0, 5.0] {
                    let time = next() - cycle;
                    assert!((time - expected).abs() < 2e-9, "{interpolate:?}: {time} instead of {expected}");
                }
                for _ in 0..3 {
                    next();
                }
            }
        }
    }

    #[test]
    fn poisson_arrivals_of_a_rate_that_jumps_are_poisson_counts_on_both_sides() {
        // Counts per second of 2 and of 8, over 20,000 cycles: mean and variance are the rate.
        let steps = [point(0, 2.0), point(1, 8.0), point(2, 0.0)];
        let rate = Rate::cycle(&steps, Interpolate::Steps, 1.0, 1.0).unwrap();
        let (mut stretched, draws) = (Stretched::new(rate, Gaps::new(1.0), Draws::new(3), 0), Draws::new(3));
        let mut counts = vec![[0_u32; 2]; 20_000];
        while let Some((at, _)) = stretched.next(draws, 0, 40_000_000_000_000) {
            let second = usize::try_from(at / 1_000_000_000).unwrap();
            counts[second / 2][second % 2] += 1;
        }
        for (side, rate) in [(0, 2.0), (1, 8.0)] {
            let (mean, variance) = moments(counts.iter().map(|cycle| f64::from(cycle[side])));
            // Four standard errors of a Poisson count's mean and variance.
            let n = counts.len() as f64;
            assert!((mean - rate).abs() < 4.0 * (rate / n).sqrt(), "{mean} instead of {rate}");
            let error = 4.0 * ((rate + 2.0 * rate * rate) / n).sqrt();
            assert!((variance - rate).abs() < error, "{variance} instead of {rate}");
        }
    }

    fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let n = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / n;
        (mean, values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0))
    }

    #[test]
    fn a_table_starts_over_and_its_mean_is_the_rate() {
        let points = [point(0, 3.0), point(10, 3.0), point(11, 0.0), point(20, 0.0), point(30, 10.0)];
        // 30 + 1.5 + 0 + 50 requests in 30 s.
        for cv in [0.0, 0.5, 1.0, 4.0] {
            let rate = Rate::cycle(&points, Interpolate::Linear, 2.0, 1.0).unwrap();
            let mut stretched = Stretched::new(rate, Gaps::new(cv), Draws::new(5), 0);
            let cycles = 1_000_u64;
            let (mut total, mut in_calm) = (0.0, 0_u64);
            while let Some((at, _)) = stretched.next(Draws::new(5), 0, cycles * 30_000_000_000) {
                total += 1.0;
                in_calm += u64::from((11_000_000_001..20_000_000_000).contains(&(at % 30_000_000_000)));
            }
            let expected = 2.0 * 81.5 * cycles as f64;
            let error = 4.0 * cv * expected.sqrt() + 2.0;
            assert!((total - expected).abs() < error, "cv {cv}: {total} instead of {expected}");
            assert_eq!(in_calm, 0, "the rate is zero there");
        }
    }

    #[test]
    fn a_table_that_never_has_a_request_is_none() {
        assert!(Rate::cycle(&[point(0, 0.0), point(9, 0.0)], Interpolate::Linear, 1.0, 1.0).is_none());
        assert!(Rate::cycle(&[point(0, 5.0)], Interpolate::Linear, 1.0, 1.0).is_none());
        assert!(Rate::cycle(&[], Interpolate::Linear, 1.0, 1.0).is_none());
    }

    #[test]
    fn a_file_of_rates_is_sorted_and_starts_at_zero() {
        let table =
            |text: &str| DataTable::read("r.csv".to_owned(), Box::new(std::io::Cursor::new(text.as_bytes().to_vec())));
        let read = points(table("model,window_start_s,rate_rps\na,1200,4\na,600,2.5\n").unwrap(), None).unwrap();
        assert_eq!(read.points, [point(0, 2.5), point(600, 4.0)]);
        assert_eq!((read.notes.len(), read.moment), (1, None));
        let error = |text| points(table(text).unwrap(), None).unwrap_err();
        assert_eq!(error("time,rate\n1,-2\n"), "r.csv:2, column rate: `-2` is not a rate of 0 or more");
        let jump = points(table("time,rate\n0,1\n5,1\n5,3\n9,3\n").unwrap(), None).unwrap();
        assert_eq!(jump.points, [point(0, 1.0), point(5, 1.0), point(5, 3.0), point(9, 3.0)]);
        let crowd = error("time,rate\n1,2\n1,3\n1,4\n");
        assert_eq!(crowd, "the rate table has three points at 1s; a jump has two");
    }
}
