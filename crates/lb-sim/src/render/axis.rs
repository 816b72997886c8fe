use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::number::{self, Form};

/// An axis: its range, the places of its ticks and what stands beside them.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    title: String,
    low: f64,
    high: f64,
    is_log: bool,
    ticks: Vec<(f64, String)>,
}

/// A span of time that ticks can stand apart, in seconds, and the unit to write it in.
const TIME_STEPS: [(f64, f64, &str); 24] = {
    const S: (f64, &str) = (1.0, "s");
    const MIN: (f64, &str) = (60.0, "min");
    const H: (f64, &str) = (3_600.0, "h");
    const D: (f64, &str) = (86_400.0, "days");
    const fn step(count: f64, unit: (f64, &'static str)) -> (f64, f64, &'static str) {
        (count * unit.0, unit.0, unit.1)
    }
    [
        step(0.01, S),
        step(0.1, S),
        step(0.5, S),
        step(1.0, S),
        step(2.0, S),
        step(5.0, S),
        step(10.0, S),
        step(20.0, S),
        step(1.0, MIN),
        step(2.0, MIN),
        step(5.0, MIN),
        step(10.0, MIN),
        step(20.0, MIN),
        step(1.0, H),
        step(2.0, H),
        step(4.0, H),
        step(8.0, H),
        step(1.0, D),
        step(2.0, D),
        step(7.0, D),
        step(14.0, D),
        step(28.0, D),
        step(91.0, D),
        step(365.0, D),
    ]
};

impl Axis {
    /// From zero to a little above `most`, with about `count` ticks.
    pub(crate) fn from_zero(title: &str, most: f64, form: Form, count: f64) -> Self {
        let most = if most > 0.0 && most.is_finite() { most } else { 1.0 };
        let step = nice(most / count);
        let high = (most / step - 1e-9).ceil() * step;
        Self { title: title.to_owned(), low: 0.0, high, is_log: false, ticks: ticks(0.0, high, step, form) }
    }

    /// Time from zero to `end` seconds, in a unit that gives short numbers.
    pub(crate) fn time(title: &str, end: f64) -> Self {
        let end = if end > 0.0 { end } else { 1.0 };
        let widest = TIME_STEPS[TIME_STEPS.len() - 1];
        let (step, unit, name) = TIME_STEPS.into_iter().find(|(step, _, _)| end / step <= 8.0).unwrap_or(widest);
        let places = (0..).map(|index| f64::from(index) * step).take_while(|at| *at <= end * (1.0 + 1e-9)).take(100);
        let ticks = places.map(|at| (at, number::significant(at / unit))).collect();
        Self { title: format!("{title} ({name})"), low: 0.0, high: end, is_log: false, ticks }
    }

    /// By powers of ten, from `low` to `high`, both above zero.
    pub(crate) fn log(title: &str, low: f64, high: f64, form: Form) -> Self {
        let high = high.max(low * 10.0);
        let decades = (high / low).log10();
        let factors: &[f64] = if decades <= 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let (first, last) = (low.log10().floor(), high.log10().ceil());
        let mut ticks = Vec::new();
        let mut power = first;
        while power <= last {
            let values = factors.iter().map(|factor| factor * 10_f64.powf(power));
            let inside = values.filter(|value| (low * 0.999..=high * 1.001).contains(value));
            ticks.extend(inside.map(|value| (value, form(value))));
            power += 1.0;
        }
        Self { title: title.to_owned(), low, high, is_log: true, ticks }
    }

    /// Between the smallest and the largest of some values, with a tick at each that has room. By powers of ten if they
    /// are far apart.
    pub(crate) fn at(title: &str, values: &[(f64, String)]) -> Self {
        let low = values.iter().map(|value| value.0).fold(f64::INFINITY, f64::min);
        let high = values.iter().map(|value| value.0).fold(f64::NEG_INFINITY, f64::max);
        let is_log = low > 0.0 && high / low >= 16.0;
        let place = |value: f64| if is_log { value.log10() } else { value };
        let back = |place: f64| if is_log { 10_f64.powf(place) } else { place };
        let span = if high > low { place(high) - place(low) } else { 1.0 };
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for (value, label) in values {
            let has_room = |last: &(f64, String)| place(*value) - place(last.0) >= span * room(&last.1, label);
            if ticks.last().is_none_or(has_room) {
                ticks.push((*value, label.clone()));
            }
        }
        let margin = span * 0.03;
        let (low, high) = (back(place(low) - margin), back(place(high) + margin));
        Self { title: title.to_owned(), low, high, is_log, ticks }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Both ends.
    pub(crate) const fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Letters of the longest label.
    pub(crate) fn longest_label(&self) -> usize {
        self.ticks.iter().map(|tick| tick.1.chars().count()).max().unwrap_or(0)
    }

    /// From 0 to 1: how far along the axis a value stands, kept inside of it.
    fn part(&self, value: f64) -> f64 {
        let value = if value.is_nan() { self.low } else { value.clamp(self.low, self.high) };
        let place = |value: f64| if self.is_log { value.log10() } else { value };
        (place(value) - place(self.low)) / (place(self.high) - place(self.low))
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a part of a figure's width or height")]
    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        (f64::from(start) + self.part(*value) * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Bold points only: each has its label.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.iter().map(|tick| tick.0).collect() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// What stands beside a tick.
impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|tick| tick.0 == *value).map_or_else(String::new, |tick| tick.1.clone())
    }
}

/// The part of the axis that half of both labels and a gap take, at about 130 letters across.
fn room(left: &str, right: &str) -> f64 {
    ((left.chars().count() + right.chars().count()) as f64 / 2.0 + 2.0) / 130.0
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors.into_iter().map(|factor| factor * power).find(|nice| *nice >= step * (1.0 - 1e-9)).unwrap_or(step)
}

fn ticks(low: f64, high: f64, step: f64, form: Form) -> Vec<(f64, String)> {
    let places = (0..=100).map(|index| low + f64::from(index) * step);
    places.take_while(|at| *at <= high + step * 1e-6).map(|at| (at, form(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|tick| axis.format_ext(&tick.0)).collect()
    }

    #[test]
    fn time_is_in_the_unit_that_gives_short_numbers() {
        let hour = Axis::time("time", 3_660.0);
        assert_eq!((hour.title(), labels(&hour).join(" ")), ("time (min)", "0 10 20 30 40 50 60".to_owned()));
        let week = Axis::time("time", 604_800.0);
        assert_eq!((week.title(), labels(&week).join(" ")), ("time (days)", "0 1 2 3 4 5 6 7".to_owned()));
        assert_eq!(Axis::time("time", 0.5).title(), "time (s)");
    }

    #[test]
    fn a_log_axis_has_its_ticks_at_powers_of_ten_and_keeps_zero_at_its_end() {
        let waits = Axis::log("wait", 0.001, 100.0, number::seconds);
        assert_eq!(labels(&waits).join(" "), "1 ms 10 ms 100 ms 1 s 10 s 100 s");
        assert_eq!([0.0, 0.001, f64::INFINITY].map(|wait| waits.map(&wait, (0, 500))), [0, 0, 500]);
        assert_eq!(waits.map(&1.0, (500, 0)), 200);
    }

    #[test]
    fn nothing_at_all_still_has_an_axis() {
        assert_eq!(Axis::from_zero("rate", 0.0, number::ratio, 4.0).ends(), (0.0, 1.0));
        let one = Axis::at("PTUs", &[(5.0, "5".to_owned())]);
        assert!(one.ends().0 < 5.0 && one.ends().1 > 5.0);
    }

    #[test]
    fn labels_that_have_no_room_are_left_out() {
        let values: Vec<(f64, String)> = (0..200).map(|value| (f64::from(value), format!("{value} PTU"))).collect();
        let axis = Axis::at("PTUs", &values);
        assert!((5..40).contains(&axis.ticks.len()), "{}", axis.ticks.len());
    }
}
