use std::{
    ops::Range,
    time::{Duration, UNIX_EPOCH},
};

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::number::{self, Form};

/// An axis: its range, the places of its ticks and what stands beside them.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    title: String,
    low: f64,
    high: f64,
    is_log: bool,
    /// Whether what is infinite has a place, above all values.
    has_never: bool,
    ticks: Vec<(f64, String)>,
    say: Say,
}

/// How any value of an axis is written.
#[derive(Debug, Clone)]
enum Say {
    As(Form),
    /// A time from the start, in a unit of so many seconds.
    Since(f64, &'static str),
    /// A moment: so many seconds after this one, in nanoseconds since 1970.
    Clock(u64),
    /// The label of the nearest of these.
    Nearest(Vec<(f64, String)>),
}

/// The part of an axis below the place for what never was.
const BELOW_NEVER: f64 = 0.88;

const DAY: f64 = 86_400.0;

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
        Self::linear(title, high, ticks(0.0, high, step, form), Say::As(form))
    }

    fn linear(title: impl Into<String>, high: f64, ticks: Vec<(f64, String)>, say: Say) -> Self {
        Self { title: title.into(), low: 0.0, high, is_log: false, has_never: false, ticks, say }
    }

    /// The same with a place for what is infinite, so that never is not taken for the highest value.
    pub(crate) fn with_never(mut self) -> Self {
        self.has_never = true;
        self.ticks.push((f64::INFINITY, "never".to_owned()));
        self
    }

    /// Time from zero to `end` seconds: of the day if it is known when it begins, in nanoseconds since 1970, or in a unit
    /// that gives short numbers.
    pub(crate) fn time(title: &str, end: f64, begin: Option<u64>) -> Self {
        let end = if end > 0.0 { end } else { 1.0 };
        let widest = TIME_STEPS[TIME_STEPS.len() - 1];
        let (step, unit, name) = TIME_STEPS.into_iter().find(|(step, _, _)| end / step <= 8.0).unwrap_or(widest);
        // The first tick stands at a whole step of the clock.
        let first = begin.map_or(0.0, |begin| (step - begin as f64 / 1e9 % step) % step);
        let places = (0..).map(|index| first + f64::from(index) * step);
        let places = places.take_while(|at| *at <= end * (1.0 + 1e-9)).take(100);
        let (title, say) = match begin {
            Some(begin) => (format!("UTC, from {}", &date(begin, 0.0)[..10]), Say::Clock(begin)),
            None => (format!("{title} ({})", if name == "h" { "h:min" } else { name }), Say::Since(unit, name)),
        };
        let label = |at: f64| match begin {
            Some(begin) => clock(&date(begin, at), step),
            None if name == "h" => hours(at),
            None => number::significant(at / unit),
        };
        Self::linear(title, end, places.map(|at| (at, label(at))).collect(), say)
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
        Self { title: title.to_owned(), low, high, is_log: true, has_never: false, ticks, say: Say::As(form) }
    }

    /// Between the smallest and the largest of some values, with a tick at each. By powers of ten if they are far apart.
    pub(crate) fn at(title: &str, values: &[(f64, String)]) -> Self {
        let low = values.iter().map(|value| value.0).fold(f64::INFINITY, f64::min);
        let high = values.iter().map(|value| value.0).fold(f64::NEG_INFINITY, f64::max);
        let is_log = low > 0.0 && high / low >= 16.0;
        let place = |value: f64| if is_log { value.log10() } else { value };
        let back = |place: f64| if is_log { 10_f64.powf(place) } else { place };
        let margin = if high > low { (place(high) - place(low)) * 0.03 } else { 0.03 };
        let (low, high) = (back(place(low) - margin), back(place(high) + margin));
        let ticks = values.to_vec();
        Self { title: title.to_owned(), low, high, is_log, has_never: false, say: Say::Nearest(ticks.clone()), ticks }
    }

    /// The same with those ticks only whose labels have room along so many units, of which a letter takes some.
    pub(crate) fn fitting(&self, units: u32, letter: u32) -> Self {
        let mut end = f64::NEG_INFINITY;
        let has_room = |(value, label): &&(f64, String)| {
            let half = f64::from(letter) * label.chars().count() as f64 / 2.0;
            let middle = self.part(*value) * f64::from(units);
            // A letter's width is between two, and three are free behind the last.
            let fits = middle - half > end && middle + half < f64::from(units + 3 * letter);
            if fits {
                end = middle + half + f64::from(letter);
            }
            fits
        };
        Self { ticks: self.ticks.iter().filter(has_room).cloned().collect(), ..self.clone() }
    }

    /// A value in words, as exact as the axis can be read.
    pub(crate) fn say(&self, value: f64) -> String {
        match &self.say {
            _ if value.is_infinite() => "never".to_owned(),
            Say::As(form) => form(value),
            Say::Since(_, "h") => format!("{} h", hours(value)),
            Say::Since(_, "days") => format!("day {:.0}, {}", (value / DAY).floor() + 1.0, hours(value % DAY)),
            Say::Since(unit, name) => format!("{} {name}", number::significant(value / unit)),
            Say::Clock(begin) => date(*begin, value)[..16].replace('T', " "),
            Say::Nearest(labels) => {
                let nearest = labels.iter().min_by(|a, b| (a.0 - value).abs().total_cmp(&(b.0 - value).abs()));
                nearest.map_or_else(String::new, |label| label.1.clone())
            }
        }
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
    pub(crate) fn part(&self, value: f64) -> f64 {
        if self.has_never && value == f64::INFINITY {
            return 1.0;
        }
        let value = if value.is_nan() { self.low } else { value.clamp(self.low, self.high) };
        let place = |value: f64| if self.is_log { value.log10() } else { value };
        let part = (place(value) - place(self.low)) / (place(self.high) - place(self.low));
        if self.has_never { part * BELOW_NEVER } else { part }
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

/// Hours and minutes: `26:30`.
fn hours(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    format!("{:.0}:{:02.0}", (minutes / 60.0).floor(), minutes % 60.0)
}

/// The moment so many seconds after another one, in RFC 3339.
fn date(begin: u64, seconds: f64) -> String {
    let since = Duration::from_nanos(begin).saturating_add(Duration::from_secs_f64(seconds.max(0.0)));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// What a tick says of a moment in RFC 3339: the time, or the day where one begins.
fn clock(date: &str, step: f64) -> String {
    if step >= DAY || &date[11..19] == "00:00:00" {
        return date[5..10].to_owned();
    }
    date[11..if step < 60.0 { 19 } else { 16 }].to_owned()
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
        let hour = Axis::time("time", 3_660.0, None);
        assert_eq!((hour.title(), labels(&hour).join(" ")), ("time (min)", "0 10 20 30 40 50 60".to_owned()));
        let week = Axis::time("time", 604_800.0, None);
        assert_eq!((week.title(), labels(&week).join(" ")), ("time (days)", "0 1 2 3 4 5 6 7".to_owned()));
        assert_eq!(week.say(216_000.0), "day 3, 12:00");
        let day = Axis::time("time", 86_400.0, None);
        assert_eq!(
            (day.title(), labels(&day).join(" ")),
            ("time (h:min)", "0:00 4:00 8:00 12:00 16:00 20:00 24:00".to_owned())
        );
        assert_eq!(Axis::time("time", 0.5, None).title(), "time (s)");
    }

    #[test]
    fn with_dates_the_ticks_stand_at_whole_hours_of_the_day() {
        // From 18:17:03.5 on.
        let begin = Some(1_700_158_623_500_000_000);
        let hours = Axis::time("time", 28_800.0, begin);
        assert_eq!(hours.title(), "UTC, from 2023-11-16");
        assert_eq!(labels(&hours).join(" "), "19:00 20:00 21:00 22:00 23:00 11-17 01:00 02:00");
        assert!((hours.ticks[0].0 - 2_576.5).abs() < 1e-3, "{:?}", hours.ticks[0]);
        assert_eq!(hours.say(2_576.5), "2023-11-16 19:00");
        assert_eq!(labels(&Axis::time("time", 259_200.0, begin)).join(" "), "11-17 11-18 11-19");
        assert_eq!(labels(&Axis::time("time", 30.0, begin))[..2], ["18:17:05", "18:17:10"]);
    }

    #[test]
    fn never_is_above_every_value() {
        let axis = Axis::from_zero("wait", 4.0, number::seconds, 4.0).with_never();
        assert!(axis.part(4.0) < 0.9 && axis.part(1e9) < 0.9 && axis.part(f64::INFINITY) == 1.0);
        assert_eq!((axis.say(f64::INFINITY).as_str(), labels(&axis).last().unwrap().as_str()), ("never", "never"));
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
        let [wide, narrow] = [800, 300].map(|units| axis.fitting(units, 8).ticks.len());
        assert!((8..14).contains(&wide) && (3..6).contains(&narrow), "{wide} {narrow}");
        assert_eq!(axis.say(17.2), "17 PTU", "a place without a tick has its words all the same");
    }
}
