use super::{
    axis::Axis,
    plot::{COLOURS, Figure, Panel, Series, Shape},
};
use crate::{metric::Metric, report::Report, sweep::SweepResult};

/// More lines than that have no colours of their own.
const MOST_LINES: usize = COLOURS.len();

/// More groups of figures than that nobody compares.
const MOST_GROUPS: usize = 8;

/// What is worth a figure.
const DRAWN: [Metric; 5] = [
    Metric::CostPerMonth,
    Metric::Application429Share,
    Metric::AddedWaitP95,
    Metric::SpillShare,
    Metric::AttemptsPerRequest,
];

/// The figures for one combination of the parameters that are neither on the axis nor in the legend.
pub(crate) struct Group {
    /// That combination in words; empty if there are no such parameters.
    pub(crate) name: String,
    /// A figure per metric, with its caption.
    pub(crate) figures: Vec<(Figure, String)>,
}

/// Which parameter goes where.
struct Roles {
    x: usize,
    line: Option<usize>,
    rest: Vec<usize>,
}

/// The figures: the parameter with the most numbers on the axis, the next as lines, groups for the rest. Empty if
/// no parameter can be an axis, or there would be too many.
pub(crate) fn groups(sweep: &SweepResult) -> Vec<Group> {
    let runs = sweep.points.iter().map(|point| (point.values(), &point.report)).collect();
    Runs { parameters: sweep.parameters(), runs }.groups()
}

/// The values of the parameters, and what came of them.
type Labelled<'a> = (Vec<String>, &'a Report);

/// All points of a sweep.
struct Runs<'a> {
    parameters: Vec<String>,
    runs: Vec<Labelled<'a>>,
}

impl Runs<'_> {
    fn groups(&self) -> Vec<Group> {
        let Some(roles) = self.roles() else { return Vec::new() };
        let mut combinations: Vec<Vec<&str>> = Vec::new();
        for (values, _) in &self.runs {
            let combination = pick(values, &roles.rest);
            if !combinations.contains(&combination) {
                combinations.push(combination);
            }
        }
        if combinations.len() > MOST_GROUPS {
            return Vec::new();
        }
        combinations
            .iter()
            .map(|combination| {
                let of_group = |run: &&Labelled<'_>| pick(&run.0, &roles.rest) == *combination;
                let runs: Vec<&Labelled<'_>> = self.runs.iter().filter(of_group).collect();
                let pairs = roles.rest.iter().zip(combination);
                let names: Vec<String> =
                    pairs.map(|(index, value)| format!("{} = {value}", self.parameters[*index])).collect();
                let figures = DRAWN.iter().filter_map(|metric| self.figure(*metric, &runs, &roles)).collect();
                Group { name: names.join(", "), figures }
            })
            .collect()
    }

    fn roles(&self) -> Option<Roles> {
        let distinct: Vec<Vec<&str>> = (0..self.parameters.len()).map(|index| self.values_of(index)).collect();
        let is_varied = |index: &usize| distinct[*index].len() > 1;
        let mut by_size: Vec<usize> = (0..self.parameters.len()).filter(is_varied).collect();
        // Numbers before words, then the most values; stable otherwise.
        by_size.sort_by_key(|index| {
            let is_words = distinct[*index].iter().any(|value| number(value).is_none());
            (is_words, std::cmp::Reverse(distinct[*index].len()))
        });
        let x = *by_size.first()?;
        let line = by_size.iter().copied().skip(1).find(|index| distinct[*index].len() <= MOST_LINES);
        let rest = by_size.into_iter().filter(|index| *index != x && Some(*index) != line).collect();
        Some(Roles { x, line, rest })
    }

    fn values_of(&self, parameter: usize) -> Vec<&str> {
        let mut distinct: Vec<&str> = Vec::new();
        for value in self.runs.iter().filter_map(|(values, _)| values.get(parameter)) {
            if !distinct.contains(&value.as_str()) {
                distinct.push(value);
            }
        }
        distinct
    }

    fn figure(&self, metric: Metric, runs: &[&Labelled<'_>], roles: &Roles) -> Option<(Figure, String)> {
        let places = places(&self.values_of(roles.x));
        let place = |value: &str| places.iter().find(|(_, label)| label == value).map(|(place, _)| *place);
        let lines = roles.line.map_or_else(|| vec![""], |line| self.values_of(line));
        let mut series = Vec::new();
        let mut never = 0;
        for (value, colour) in lines.iter().zip(COLOURS) {
            let of_line =
                runs.iter().filter(|run| roles.line.is_none_or(|line| run.0.get(line).is_some_and(|v| v == value)));
            let mut points: Vec<(f64, f64, f64, f64)> = Vec::new();
            for run in of_line {
                let estimate = metric.of(run.1);
                let at = run.0.get(roles.x).and_then(|value| place(value));
                match at {
                    Some(at) if estimate.mean().is_finite() => {
                        points.push((at, estimate.mean(), estimate.low().max(0.0), estimate.high()));
                    }
                    _ => never += usize::from(estimate.mean().is_infinite()),
                }
            }
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let band: Vec<(f64, f64, f64)> = points.iter().map(|point| (point.0, point.2, point.3)).collect();
            let middle: Vec<(f64, f64)> = points.iter().map(|point| (point.0, point.1)).collect();
            let name = roles.line.map_or_else(String::new, |line| format!("{} = {value}", self.parameters[line]));
            series.push(Series::band(colour, &band));
            series.push(Series::new(name, colour, Shape::Line, middle.clone()));
            series.push(Series::new("", colour, Shape::Dots, middle));
        }
        let highest = series.iter().flat_map(|series| &series.points).map(|point| point.1).fold(0.0, f64::max);
        if highest == 0.0 {
            return None;
        }
        let y = Axis::from_zero(metric.title(), highest, metric.axis_form(), 5.0);
        let caption = match never {
            0 => String::new(),
            1 => "At one point the figure is infinite: it is not drawn.".to_owned(),
            _ => format!("At {never} points the figure is infinite: they are not drawn."),
        };
        let parameter = &self.parameters[roles.x];
        let figure = Figure {
            title: capitalised(metric.words()),
            x: Axis::at(parameter, &places),
            panels: vec![Panel { height: 280, y, series }],
        };
        Some((figure, caption))
    }
}

/// With a large letter in front.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn pick<'a>(values: &'a [String], indices: &[usize]) -> Vec<&'a str> {
    indices.iter().filter_map(|index| values.get(*index)).map(String::as_str).collect()
}

/// Where the values stand, in ascending order: at their numbers, or at equal distances if one is none.
fn places(values: &[&str]) -> Vec<(f64, String)> {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
    let numbers = numbers.unwrap_or_else(|| (0_u32..).take(values.len()).map(f64::from).collect());
    let mut places: Vec<(f64, String)> =
        numbers.into_iter().zip(values.iter().map(|value| (*value).to_owned())).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places
}

/// A number, or a span of time in seconds.
fn number(value: &str) -> Option<f64> {
    let plain = value.trim_matches('"');
    let seconds = || humantime::parse_duration(plain).ok().map(|span| span.as_secs_f64());
    plain.replace('_', "").parse().ok().filter(|number: &f64| number.is_finite()).or_else(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{render::sweep::tests::swept, scenario::KeyPath, sweep::list};

    #[test]
    fn the_parameter_with_the_most_numbers_is_the_axis_and_the_other_gives_lines() {
        let groups = groups(&swept());
        assert_eq!(groups.len(), 1);
        let (cost, _) = &groups[0].figures[0];
        assert_eq!(cost.x.title(), "backend.ptu.ptus");
        let names: Vec<&str> = cost.legend().iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["backend.ptu.burst = 1s", "backend.ptu.burst = 10s"]);
        let line = &cost.panels[0].series[1].points;
        assert_eq!(line.iter().map(|point| point.0).collect::<Vec<_>>(), [50.0, 100.0, 200.0, 400.0]);
    }

    #[test]
    fn a_third_parameter_gives_groups() {
        let mut sweep = swept();
        let key: KeyPath = "workload.chat.max_tokens".parse().unwrap();
        sweep.grid.set(key.clone(), list("exact,4096"));
        let more = sweep.points.clone();
        sweep.points.iter_mut().for_each(|point| point.changes.push((key.clone(), "exact".into())));
        sweep.points.extend(more.into_iter().map(|mut point| {
            point.changes.push((key.clone(), 4096.into()));
            point
        }));
        let names: Vec<String> = groups(&sweep).into_iter().map(|group| group.name).collect();
        // Words come last: the depths make the lines.
        assert_eq!(names, ["workload.chat.max_tokens = exact", "workload.chat.max_tokens = 4096"]);
    }

    #[test]
    fn spans_of_time_are_numbers_and_words_stand_at_equal_distances() {
        let spans: Vec<f64> = places(&["1m", "10s", "500ms"]).into_iter().map(|place| place.0).collect();
        assert_eq!(spans, [0.5, 10.0, 60.0]);
        assert_eq!(places(&["private", "shared"]), [(0.0, "private".to_owned()), (1.0, "shared".to_owned())]);
    }

    #[test]
    fn infinite_figures_are_counted_and_not_drawn() {
        let mut sweep = swept();
        for point in sweep.points.iter_mut().take(2) {
            point.report.all.added_wait.p95 = crate::report::Estimate::over([Some(f64::INFINITY)]);
        }
        let groups = groups(&sweep);
        let (_, caption) = groups[0].figures.iter().find(|(figure, _)| figure.title.contains("wait,")).unwrap();
        assert_eq!(caption, "At 2 points the figure is infinite: they are not drawn.");
    }
}
