use super::{
    axis::Axis,
    plot::{COLOURS, Figure, GREY, INK, Panel, Series, Shape, VERMILLION},
};
use crate::{
    number::{dollars, thousands},
    plan::{Depth, Limit, PlanResult, depth_name},
};

impl PlanResult {
    /// Dollars per month over the PTUs, a line per bucket depth.
    pub(crate) fn cost_figure(&self) -> Figure {
        let mut series = Vec::new();
        if let Some(depth) = self.depths.first() {
            let alone = depth.steps.iter().map(|step| (step.ptus as f64, step.for_ptus));
            series.push(Series::new("PTUs alone", GREY, Shape::Area, alone.collect()));
        }
        for (index, (depth, colour)) in self.depths.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let costs = depth.steps.iter().map(|step| (step.ptus as f64, step.cost));
            let band: Vec<_> = costs.clone().map(|(ptus, cost)| (ptus, cost.low(), cost.high())).collect();
            let line: Vec<_> = costs.map(|(ptus, cost)| (ptus, cost.mean())).collect();
            let feasible = depth.steps.iter().zip(&line).filter(|(step, _)| step.meets_all()).map(|(_, point)| *point);
            series.push(Series::band(*colour, &band));
            series.push(Series::new("", *colour, Shape::Dots, feasible.collect()).among(index, self.depths.len()));
            series.push(Series::new(name(depth), *colour, Shape::Line, line).among(index, self.depths.len()));
        }
        let feasible = "meets every limit";
        series.push(Series::new(feasible, INK, Shape::Dots, Vec::new()));
        let at = |depth: &Depth, ptus: u64| {
            depth.steps.iter().find(|step| step.ptus == ptus).map(|step| (step.ptus as f64, step.cost.mean()))
        };
        let optima: Vec<_> = self.depths.iter().filter_map(|depth| at(depth, depth.optimum.ptus)).collect();
        let choices: Vec<_> = self.depths.iter().filter_map(|depth| at(depth, depth.choice.as_ref()?.ptus)).collect();
        let highest = series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let highest = highest.filter(|cost| cost.is_finite()).fold(0.0, f64::max);
        if let Some(ptus) = self.decision {
            let at = ptus as f64;
            let name = format!("decision: {ptus} PTUs");
            series.push(Series::new(name, VERMILLION, Shape::Limit, vec![(at, 0.0), (at, 2.0 * highest)]));
        }
        series.extend(notes(&choices));
        series.push(Series::new("cheapest without limits", INK, Shape::Diamonds, optima));
        series.push(Series::new("cheapest that meets every limit", INK, Shape::Circles, choices));
        Figure {
            title: format!("Dollars per month over the PTUs of {}, by bucket depth", self.backend),
            x: self.axis(),
            panels: vec![Panel { height: 380, y: Axis::from_zero("dollars per month", highest, dollars, 5.0), series }],
        }
    }

    /// One limit's value over the PTUs, a line per bucket depth.
    pub(crate) fn limit_figure(&self, number: usize, limit: &Limit) -> Figure {
        let mut series = Vec::new();
        for (index, (depth, colour)) in self.depths.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let checks = depth.steps.iter().filter_map(|step| Some((step.ptus as f64, step.checks.get(number)?)));
            let known = checks.filter(|(_, check)| check.value.is_some());
            let finite = known.clone().filter(|(_, check)| check.value.mean().is_finite());
            let band: Vec<_> = finite.map(|(ptus, check)| (ptus, check.value.mean(), check.upper)).collect();
            let met = known.clone().filter(|(_, check)| check.is_met).map(|(ptus, check)| (ptus, check.value.mean()));
            series.push(Series::band(*colour, &band));
            series.push(Series::new("", *colour, Shape::Dots, met.collect()).among(index, self.depths.len()));
            let line = known.map(|(ptus, check)| (ptus, check.value.mean()));
            series.push(Series::new(name(depth), *colour, Shape::Line, line.collect()).among(index, self.depths.len()));
        }
        let (most, x) = (limit.at_most, self.axis());
        let ends = x.ends();
        series.push(Series::new("limit", INK, Shape::Limit, vec![(ends.0, most), (ends.1, most)]));
        let values = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let highest = values().filter(|value| value.is_finite()).fold(0.0, f64::max);
        // The line of the limit is not the frame.
        let highest = if highest <= most { most * 1.1 } else { highest };
        // The bound of a share can lie above all of it.
        let highest = if limit.metric.is_share() { highest.min(1.0) } else { highest };
        let words = if limit.metric.is_share() { "share" } else { "time" };
        let form = limit.metric.axis_form();
        // A limit far below the largest value would lie on the axis.
        let y = if most > 0.0 && highest > 20.0 * most {
            Axis::log(&format!("{words} (log scale)"), power_below(most / 10.0), highest, form)
        } else {
            Axis::from_zero(words, highest, form, 5.0)
        };
        let y = if values().any(|value| value == f64::INFINITY) { y.with_never() } else { y };
        Figure {
            title: format!("{} over the PTUs of {}, by bucket depth", limit.metric.words(), self.backend),
            x,
            panels: vec![Panel { height: 280, y, series }],
        }
    }

    fn axis(&self) -> Axis {
        let steps = self.depths.first().map_or(&[][..], |depth| &depth.steps);
        let values: Vec<(f64, String)> = steps.iter().map(|step| (step.ptus as f64, step.ptus.to_string())).collect();
        let title = format!("PTUs of {}", self.backend);
        match values.last() {
            // Every label has its place.
            Some(last) if values.len() > 12 => Axis::from_zero(&title, last.0, thousands, 10.0),
            _ => Axis::at(&title, &values),
        }
    }
}

/// How many PTUs each choice is, once per place.
fn notes(choices: &[(f64, f64)]) -> Vec<Series> {
    let mut notes: Vec<Series> = Vec::new();
    for &(ptus, cost) in choices {
        let note = Series::new(format!("{ptus} PTUs"), INK, Shape::Note, vec![(ptus, cost)]);
        if notes.iter().all(|known| known.name != note.name) {
            notes.push(note);
        }
    }
    notes
}

fn name(depth: &Depth) -> String {
    format!("bucket of {}", depth_name(depth.burst))
}

fn power_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{plan::tests::plan, plot::Width};

    fn points<'a>(figure: &'a Figure, name: &str) -> &'a [(f64, f64)] {
        let series = figure.panels[0].series.iter().find(|series| series.name == name);
        &series.unwrap_or_else(|| panic!("no {name}")).points
    }

    #[test]
    fn the_cost_figure_shows_the_parts_the_optimum_and_the_choice_of_each_depth() {
        let figure = plan().cost_figure();
        assert_eq!(points(&figure, "PTUs alone"), [(0.0, 0.0), (50.0, 36_500.0), (100.0, 73_000.0)]);
        assert_eq!(points(&figure, "cheapest without limits"), [(0.0, 30_000.0), (0.0, 30_000.0)]);
        assert_eq!(points(&figure, "cheapest that meets every limit"), [(100.0, 75_000.0), (50.0, 45_000.0)]);
        assert_eq!(points(&figure, "decision: 100 PTUs")[0].0, 100.0);
    }

    #[test]
    fn feasible_steps_are_marked_and_others_are_not() {
        let figure = plan().cost_figure();
        let dots: Vec<usize> = figure.panels[0]
            .series
            .iter()
            .filter(|series| series.shape == Shape::Dots && series.name.is_empty())
            .map(|series| series.points.len())
            .collect();
        assert_eq!(dots, [1, 2], "one step in the shallow bucket, two in the deep one");
    }

    #[test]
    fn a_limit_is_a_line_and_infinite_values_do_not_break_the_figure() {
        let plan = plan();
        let figure = plan.limit_figure(1, &plan.limits[1]);
        assert!(points(&figure, "limit").iter().all(|point| point.1 == 2.0));
        // At zero PTUs the wait is never.
        let svg = figure.svg(Width::Wide).unwrap();
        assert!(svg.contains("\nnever\n") && !svg.contains("inf") && !svg.contains("NaN"), "{svg}");
        let shares = plan.limit_figure(0, &plan.limits[0]).svg(Width::Wide).unwrap();
        assert!(!shares.contains("never"), "no place for what is not there: {shares}");
    }

    #[test]
    fn a_limit_far_below_the_values_is_on_a_log_axis() {
        let mut plan = plan();
        plan.limits[0].at_most = 0.001;
        assert!(plan.limit_figure(0, &plan.limits[0]).panels[0].y.title().contains("log"));
        assert!(!plan.limit_figure(1, &plan.limits[1]).panels[0].y.title().contains("log"));
    }
}
