//! The figures of one report.

use super::{
    axis::Axis,
    plot::{BLUE, COLOURS, Figure, GREEN, GREY, ORANGE, PURPLE, Panel, Series, Shape, VERMILLION},
};
use crate::{
    metrics::BackendBin,
    number::{percent, ratio, seconds, short_percent},
    report::Report,
};

/// Points of a line over time: more only make it hairy.
const MOST_POINTS: usize = 240;

/// The shortest wait that has a place on the axis, in seconds.
const SHORTEST_WAIT: f64 = 1e-3;

impl Report {
    /// What a backend accepted and refused over time, how full it was, and when it was out.
    pub(crate) fn backend_figure(&self, index: usize) -> Figure {
        let backend = &self.backends[index];
        let name = &backend.name;
        let nothing = Vec::new();
        let bins = Bins::of(self, self.timeline.backends.get(index).unwrap_or(&nothing));
        let rate = |value: fn(&BackendBin) -> u64| {
            bins.line(|bins| bins.iter().map(value).sum::<u64>() as f64 / bins_seconds(self, bins))
        };
        let mut rates = vec![
            Series::new("accepted", BLUE, Shape::Area, rate(|bin| bin.accepted)),
            Series::new("refused", VERMILLION, Shape::Line, rate(|bin| bin.refused)),
        ];
        let failed = rate(|bin| bin.failed);
        if failed.iter().any(|point| point.1 > 0.0) {
            rates.push(Series::new("5xx or no answer", PURPLE, Shape::Line, failed));
        }
        let of_time = |value: fn(&BackendBin) -> u64| {
            bins.line(|bins| {
                bins.iter().map(|bin| self.share_of_bin(backend, value(bin))).sum::<f64>() / bins.len().max(1) as f64
            })
        };
        let (cooling, suspect) = (of_time(|bin| bin.cooling), of_time(|bin| bin.suspect));
        let load = bins.line(|bins| bins.iter().map(|bin| bin.utilisation).max().unwrap_or(0) as f64 / 1e3);
        // Load is sampled after the warm-up.
        let load = load.into_iter().filter(|point| point.0 >= self.warmup).collect();
        let full = vec![(0.0, 1.0), (self.end(), 1.0)];
        let mut shares = vec![Series::new("", GREY, Shape::Limit, full)];
        if backend.pools > 0 {
            shares.push(Series::new("cooling: share of the time that pools have it out", ORANGE, Shape::Fill, cooling));
            if suspect.iter().any(|point| point.1 > 0.0) {
                shares.push(Series::new(
                    "suspect: share of the time that pools ask it last",
                    PURPLE,
                    Shape::Fill,
                    suspect,
                ));
            }
        }
        shares.push(Series::new("load: highest of its fullest limit", GREEN, Shape::Line, load));
        Figure {
            title: format!("Backend {name} over time: accepted and refused requests per second, load, cooling"),
            x: self.time_axis(),
            panels: vec![
                Panel {
                    height: 190,
                    y: Axis::from_zero("requests per second", highest(&rates), ratio, 4.0),
                    series: rates,
                },
                Panel {
                    height: 180,
                    y: Axis::from_zero("load, cooling", highest(&shares).max(1.0), short_percent, 4.0),
                    series: shares,
                },
            ],
        }
    }

    /// How many requests waited longer than a time; `None` if none waited at all.
    pub(crate) fn wait_figure(&self) -> Option<Figure> {
        let classes: Vec<_> =
            self.every_class().filter(|class| !class.wait_curve.is_empty() || class.never_share > 0.0).collect();
        let longest =
            classes.iter().filter_map(|class| class.wait_curve.last()).map(|point| point.0).fold(0.0, f64::max);
        let never = classes.iter().map(|class| class.never_share).fold(0.0, f64::max);
        if longest == 0.0 && never == 0.0 {
            return None;
        }
        let end = (longest * 1.5).max(10.0 * SHORTEST_WAIT);
        let series: Vec<Series> = classes
            .iter()
            .zip(COLOURS.iter().cycle())
            .enumerate()
            .map(|(index, (class, colour))| {
                let name = if class.never_share > 0.0 {
                    format!("{} ({} never succeeded)", class.name, percent(class.never_share))
                } else {
                    class.name.clone()
                };
                let stairs = staircase(&class.wait_curve, class.never_share, end);
                Series::new(name, *colour, Shape::Line, stairs).among(index, classes.len())
            })
            .collect();
        let shares = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let lowest = shares().fold(1.0, f64::min);
        let highest = shares().fold(0.0, f64::max);
        let decade = |share: f64, round: fn(f64) -> f64| 10_f64.powf(round(share.log10()));
        Some(Figure {
            title: "Share of requests that waited longer than a time, by class".to_owned(),
            x: Axis::log("added wait (log scale)", SHORTEST_WAIT, end, seconds),
            panels: vec![Panel {
                height: 330,
                y: Axis::log(
                    "waited longer (log scale)",
                    decade(lowest, f64::floor),
                    decade(highest * 1.1, f64::ceil).min(1.0),
                    short_percent,
                ),
                series,
            }],
        })
    }

    /// Where the time axis ends, in seconds.
    pub(super) fn end(&self) -> f64 {
        self.duration.mean().max(self.timeline.bin as f64 * self.timeline.requests().len() as f64 / 1e9)
    }
}

/// The share that waited longer than a time falls where a wait ends, and is level in between; where the finite waits
/// end, those that never succeeded remain.
fn staircase(curve: &[(f64, f64)], never: f64, end: f64) -> Vec<(f64, f64)> {
    let mut share = curve.first().map_or(never, |point| point.1);
    let mut stairs = vec![(SHORTEST_WAIT, share)];
    let last = curve.last().map_or(end, |point| point.0);
    for &(wait, after) in curve.iter().filter(|point| point.0 > SHORTEST_WAIT).chain(&[(last, never), (end, never)]) {
        stairs.extend([(wait, share), (wait, after)]);
        share = after;
    }
    // A share of none has no place among powers of ten.
    stairs.retain(|point| point.1 > 0.0);
    stairs.dedup();
    stairs
}

/// A timeline in pieces that each make a point.
struct Bins<'a, B> {
    bins: &'a [B],
    piece: usize,
    bin_seconds: f64,
}

impl<'a, B> Bins<'a, B> {
    fn of(report: &Report, bins: &'a [B]) -> Self {
        let piece = bins.len().div_ceil(MOST_POINTS).max(1);
        Self { bins, piece, bin_seconds: report.timeline.bin as f64 / 1e9 }
    }

    /// A point per piece, in its middle.
    fn line(&self, value: impl Fn(&[B]) -> f64) -> Vec<(f64, f64)> {
        let pieces = self.bins.chunks(self.piece).enumerate();
        let middle = |index: usize, length: usize| (index * self.piece) as f64 + length as f64 / 2.0;
        pieces.map(|(index, piece)| (middle(index, piece.len()) * self.bin_seconds, value(piece))).collect()
    }
}

fn bins_seconds<B>(report: &Report, bins: &[B]) -> f64 {
    bins.len() as f64 * report.timeline.bin as f64 / 1e9
}

pub(super) fn highest(series: &[Series]) -> f64 {
    series.iter().flat_map(|series| &series.points).map(|point| point.1).fold(0.0, f64::max)
}
