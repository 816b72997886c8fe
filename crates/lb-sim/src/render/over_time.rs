//! Figures of all runs over time.

use super::{
    axis::Axis,
    document::{Document, Words},
    plot::{BLUE, COLOURS, Figure, GREY, INK, PURPLE, Panel, Series, Shape, VERMILLION},
    run_figures::highest,
};
use crate::{
    metrics::Requests,
    number::{ratio, seconds},
    report::Report,
};

/// With more classes than that a figure of their latencies has no medians.
const MOST_MEDIANS: usize = 3;

/// Latencies that are so many times as long as others need powers of ten.
const FAR_APART: f64 = 20.0;

impl Report {
    /// Requests and latencies of all runs.
    pub(super) fn add_over_time(&self, document: &mut Document) {
        document.heading(Words::on_page("Requests over time"));
        let caption = match self.replications {
            ..=1 => "One run, the warm-up included. Successes stand where they ended.".to_owned(),
            runs => format!(
                "The mean of {runs} runs, and its 95 % interval as a pale band; the warm-up is included. Successes stand where \
                 they ended. One run has higher peaks than the mean of many."
            ),
        };
        document.figure("", self.requests_figure(None), caption);
        if self.classes.len() > 1 {
            for (index, class) in self.classes.iter().enumerate() {
                document.figure(&class.name, self.requests_figure(Some(index)), "");
            }
        }
        if let Some(latencies) = self.latency_figure() {
            document.heading(Words::on_page("Latency over time"));
            let caption = "From the arrival to the first token, by when requests arrived, all runs together, to within 7 %. \
                           Never: that part of the requests did not succeed.";
            document.figure("", latencies, caption);
        }
    }

    /// Requests per second of a class, or of all: the mean over the runs, and its interval.
    fn requests_figure(&self, class: Option<usize>) -> Figure {
        let series = [
            ("arrived", GREY, Shape::Area, Requests::Arrived),
            ("succeeded", BLUE, Shape::Line, Requests::Succeeded),
            ("ended with a 429 at the application", VERMILLION, Shape::Line, Requests::Throttled),
            ("ended otherwise without success", PURPLE, Shape::Line, Requests::Failed),
        ];
        let series: Vec<Series> = series
            .into_iter()
            .flat_map(|(name, colour, shape, of)| {
                let rates = self.over_time.rates(class, of);
                let band: Vec<_> = rates.iter().map(|(at, rate)| (*at, rate.low().max(0.0), rate.high())).collect();
                let line =
                    Series::new(name, colour, shape, rates.iter().map(|(at, rate)| (*at, rate.mean())).collect());
                let band = (self.replications > 1).then(|| Series::band(colour, &band));
                band.into_iter().chain([line]).filter(|series| series.points.iter().any(|point| point.1 > 0.0))
            })
            .collect();
        // The bands of few runs reach far: they may leave the figure, which is about the means.
        let lines: Vec<Series> = series.iter().filter(|series| series.shape != Shape::Band).cloned().collect();
        let top = highest(&series).min(3.0 * highest(&lines));
        let series = self.warmup_line(top).into_iter().chain(series).collect();
        Figure {
            title: "Requests per second over time: arrived, succeeded, ended with a 429, ended otherwise".to_owned(),
            x: self.time_axis(),
            panels: vec![Panel { height: 300, y: Axis::from_zero("requests per second", top, ratio, 5.0), series }],
        }
    }

    /// The time to the first token over time, by class; `None` if there is nothing to show.
    fn latency_figure(&self) -> Option<Figure> {
        let with_medians = self.classes.len() <= MOST_MEDIANS;
        let quantiles: Vec<(f64, &str)> =
            [(0.95, "p95"), (0.5, "p50")].into_iter().take(1 + usize::from(with_medians)).collect();
        let mut series = Vec::new();
        for (index, (class, colour)) in self.classes.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let Some(latencies) = self.over_time.first_token(index) else { continue };
            for (number, (quantile, name)) in quantiles.iter().enumerate() {
                let line =
                    Series::new(format!("{} {name}", class.name), *colour, Shape::Line, latencies.quantile(*quantile));
                let place = index * quantiles.len() + number;
                series.push(line.among(place, self.classes.len() * quantiles.len()));
            }
        }
        let values = || series.iter().flat_map(|series: &Series| &series.points).map(|point| point.1);
        let finite = || values().filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(0.0, f64::max));
        values().next()?;
        let title = "time to the first token";
        let y = if high > FAR_APART * low {
            Axis::log(&format!("{title} (log scale)"), low, high, seconds)
        } else {
            Axis::from_zero(title, high, seconds, 5.0)
        };
        let y = if values().any(f64::is_infinite) { y.with_never() } else { y };
        let series = self.warmup_line(high).into_iter().chain(series).collect();
        Some(Figure {
            title: "Time to the first token over time, by class: median and 95th percentile".to_owned(),
            x: self.time_axis(),
            panels: vec![Panel { height: 330, y, series }],
        })
    }

    pub(super) fn time_axis(&self) -> Axis {
        Axis::time("simulated time", self.end(), self.timeline.begin)
    }

    fn warmup_line(&self, top: f64) -> Option<Series> {
        let line = vec![(self.warmup, 0.0), (self.warmup, 2.0 * top)];
        (self.warmup > 0.0).then(|| Series::new("end of the warm-up", INK, Shape::Limit, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{run, scenario, scenario_with};

    #[test]
    fn the_mean_of_several_runs_has_a_band_and_one_run_has_none() {
        let shapes = |runs: u64| {
            let runs: Vec<_> = (0..runs).map(run).collect();
            let figure = Report::new(&scenario(), &runs).requests_figure(None);
            figure.panels[0].series.iter().map(|series| series.shape).collect::<Vec<_>>()
        };
        use Shape::{Area, Band, Limit, Line};
        assert_eq!(shapes(1), [Limit, Area, Line, Line]);
        assert_eq!(shapes(2), [Limit, Band, Area, Band, Line, Band, Line]);
    }

    #[test]
    fn each_class_has_its_own_requests_and_latencies() {
        let second = "[[workload]]\nname = 'batch'\nkind = 'poisson'\nrate = 1.0\ninput = 1\noutput = 1";
        let mut run = run(0);
        run.classes.push(run.classes[0].clone());
        run.timeline.requests_at(1, 0).offered = 50_000;
        (0..10).for_each(|_| run.timeline.first_token(1, 0, None));
        let report = Report::new(&scenario_with(second), &[run]);
        let top = |class| highest(&report.requests_figure(class).panels[0].series);
        assert!(top(Some(1)) > 100.0 * top(Some(0)) && top(None) > top(Some(1)));
        let figure = report.latency_figure().unwrap();
        let series = |name: &str| figure.panels[0].series.iter().find(|series| series.name == name).unwrap();
        assert_eq!(series("batch p50").points[0].1, f64::INFINITY);
        let chat = &series("chat p95").points;
        let finite = chat.iter().filter(|point| point.1.is_finite());
        assert!(finite.clone().count() > 100 && finite.clone().all(|point| (point.1 - 0.5).abs() < 0.05), "{chat:?}");
        let html = report.to_html();
        assert!(html.contains("<h3>chat</h3>") && html.contains("<h3>batch</h3>"), "a figure each");
    }

    #[test]
    fn traffic_with_dates_is_shown_by_the_time_of_day() {
        let mut run = run(0);
        run.timeline.begin = Some(1_700_158_623_000_000_000);
        let html = Report::new(&scenario(), &[run]).to_html();
        assert!(html.contains("UTC, from 2023-11-16") && html.contains("\n19:00\n"));
    }
}
