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

/// More figures than that nobody looks at: then one parameter is the axis, and no other.
const MOST_FIGURES: usize = 40;

/// A figure of a sweep.
pub(crate) struct Drawn {
    pub(crate) figure: Figure,
    /// Which metric, over which parameter, and the values of those that are neither its axis nor its lines.
    pub(crate) picks: [String; 3],
}

/// Which parameter goes where.
struct Roles {
    x: usize,
    line: Option<usize>,
    rest: Vec<usize>,
}

/// The figures: each varied parameter is the axis once, the one with the most numbers first; of the others one gives the
/// lines, and the rest gives groups. Empty if nothing was varied, or there would be too many.
pub(crate) fn figures(sweep: &SweepResult) -> Vec<Drawn> {
    let runs = sweep.points.iter().map(|point| (point.values(), &point.report)).collect();
    Runs { parameters: sweep.parameters(), runs }.figures()
}

/// The values of the parameters, and what came of them.
type Labelled<'a> = (Vec<String>, &'a Report);

/// All points of a sweep.
struct Runs<'a> {
    parameters: Vec<String>,
    runs: Vec<Labelled<'a>>,
}

impl Runs<'_> {
    fn figures(&self) -> Vec<Drawn> {
        let mut all: Vec<Drawn> = Vec::new();
        for roles in self.roles() {
            let more = self.figures_over(&roles);
            if !all.is_empty() && all.len() + more.len() > MOST_FIGURES {
                break;
            }
            all.extend(more);
        }
        all
    }

    fn figures_over(&self, roles: &Roles) -> Vec<Drawn> {
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
        let drawn = |combination: &Vec<&str>| {
            let of_group = |run: &&Labelled<'_>| pick(&run.0, &roles.rest) == *combination;
            let runs: Vec<&Labelled<'_>> = self.runs.iter().filter(of_group).collect();
            let pairs = roles.rest.iter().zip(combination);
            let names: Vec<String> =
                pairs.map(|(index, value)| format!("{} = {value}", self.parameters[*index])).collect();
            let picks =
                |metric: Metric| [capitalised(metric.words()), self.parameters[roles.x].clone(), names.join(", ")];
            let figures = DRAWN.iter().filter_map(|metric| {
                Some(Drawn { figure: self.figure(*metric, &runs, roles)?, picks: picks(*metric) })
            });
            figures.collect::<Vec<_>>()
        };
        combinations.iter().flat_map(drawn).collect()
    }

    fn roles(&self) -> Vec<Roles> {
        let distinct: Vec<Vec<&str>> = (0..self.parameters.len()).map(|index| self.values_of(index)).collect();
        let is_varied = |index: &usize| distinct[*index].len() > 1;
        let mut by_size: Vec<usize> = (0..self.parameters.len()).filter(is_varied).collect();
        // Numbers before words, then the most values; stable otherwise.
        by_size.sort_by_key(|index| {
            let is_words = distinct[*index].iter().any(|value| number(value).is_none());
            (is_words, std::cmp::Reverse(distinct[*index].len()))
        });
        let with_axis = |&x: &usize| {
            let others = || by_size.iter().copied().filter(|index| *index != x);
            let line = others().find(|index| distinct[*index].len() <= MOST_LINES);
            Roles { x, line, rest: others().filter(|index| Some(*index) != line).collect() }
        };
        by_size.iter().map(with_axis).collect()
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

    fn figure(&self, metric: Metric, runs: &[&Labelled<'_>], roles: &Roles) -> Option<Figure> {
        let places = places(&self.values_of(roles.x));
        let place = |value: &str| places.iter().find(|(_, label)| label == value).map(|(place, _)| *place);
        let lines = roles.line.map_or_else(|| vec![""], |line| self.values_of(line));
        let mut series = Vec::new();
        for (index, (value, colour)) in lines.iter().zip(COLOURS).enumerate() {
            let of_line =
                runs.iter().filter(|run| roles.line.is_none_or(|line| run.0.get(line).is_some_and(|v| v == value)));
            let mut points: Vec<(f64, f64, f64, f64)> = Vec::new();
            for run in of_line {
                let estimate = metric.of(run.1);
                let at = run.0.get(roles.x).and_then(|value| place(value));
                if let Some(at) = at.filter(|_| estimate.is_some()) {
                    points.push((at, estimate.mean(), estimate.low().max(0.0), estimate.high()));
                }
            }
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let finite = points.iter().filter(|point| point.1.is_finite());
            let band: Vec<(f64, f64, f64)> = finite.clone().map(|point| (point.0, point.2, point.3)).collect();
            let dots = finite.map(|point| (point.0, point.1)).collect();
            let middle: Vec<(f64, f64)> = points.iter().map(|point| (point.0, point.1)).collect();
            let name = match roles.line {
                Some(line) => format!("{} = {value}", self.parameters[line]),
                None => metric.title().to_owned(),
            };
            series.push(Series::band(colour, &band));
            series.push(Series::new(name, colour, Shape::Line, middle).among(index, lines.len()));
            series.push(Series::new("", colour, Shape::Dots, dots).among(index, lines.len()));
        }
        let values = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let highest = values().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let has_never = values().any(f64::is_infinite);
        if highest == 0.0 && !has_never {
            return None;
        }
        let y = Axis::from_zero(metric.title(), highest, metric.axis_form(), 5.0);
        let y = if has_never { y.with_never() } else { y };
        let parameter = &self.parameters[roles.x];
        Some(Figure {
            title: capitalised(metric.words()),
            x: Axis::at(parameter, &places),
            panels: vec![Panel { height: 280, y, series }],
        })
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
    use crate::{
        render::{plot::Width, sweep::tests::swept},
        scenario::KeyPath,
        sweep::list,
    };

    #[test]
    fn each_parameter_is_the_axis_once_and_the_other_gives_lines() {
        let figures = figures(&swept());
        let cost = |over: &str| {
            let picks = ["Dollars per month", over, ""];
            &figures.iter().find(|drawn| drawn.picks == picks).unwrap_or_else(|| panic!("no {picks:?}")).figure
        };
        assert_eq!(figures[0].picks[1], "backend.ptu.ptus", "the one with the most values comes first");
        let over_ptus = cost("backend.ptu.ptus");
        assert_eq!(over_ptus.x.title(), "backend.ptu.ptus");
        let names: Vec<&str> = over_ptus.legend().iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["backend.ptu.burst = 1s", "backend.ptu.burst = 10s"]);
        let line = &over_ptus.panels[0].series[1].points;
        assert_eq!(line.iter().map(|point| point.0).collect::<Vec<_>>(), [50.0, 100.0, 200.0, 400.0]);
        assert_eq!(cost("backend.ptu.burst").legend().len(), 4);
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
        let figures = figures(&sweep);
        let mut names: Vec<&str> = figures.iter().map(|drawn| drawn.picks[2].as_str()).collect();
        names.dedup();
        // Words come last: the depths make the lines.
        assert_eq!(names[..2], ["workload.chat.max_tokens = exact", "workload.chat.max_tokens = 4096"]);
        assert!(figures.len() <= MOST_FIGURES, "{}", figures.len());
    }

    #[test]
    fn spans_of_time_are_numbers_and_words_stand_at_equal_distances() {
        let spans: Vec<f64> = places(&["1m", "10s", "500ms"]).into_iter().map(|place| place.0).collect();
        assert_eq!(spans, [0.5, 10.0, 60.0]);
        assert_eq!(places(&["private", "shared"]), [(0.0, "private".to_owned()), (1.0, "shared".to_owned())]);
    }

    #[test]
    fn what_is_never_has_its_own_place_and_no_dot_among_the_values() {
        let mut sweep = swept();
        for point in sweep.points.iter_mut().take(2) {
            point.report.all.added_wait.p95 = crate::report::Estimate::over([Some(f64::INFINITY)]);
        }
        let figures = figures(&sweep);
        let waits = figures.iter().find(|drawn| drawn.picks[0] == "Added wait, 95th percentile").unwrap();
        let series = &waits.figure.panels[0].series;
        assert_eq!(series[1].points[0], (50.0, f64::INFINITY));
        assert_eq!(series[2].points.len(), 3, "a dot for each of the others");
        assert!(waits.figure.svg(Width::Wide).unwrap().contains("\nnever\n"));
        let cost = figures[0].figure.svg(Width::Wide).unwrap();
        assert!(!cost.contains("never"), "{cost}");
    }
}
