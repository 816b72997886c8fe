//! What a sweep says: its points side by side, and how they differ from one of them.

use super::{
    document::{Block, Document, Table, Words},
    rests_on::{add_assumptions, add_notes},
    sweep_figures::{Drawn, figures},
};
use crate::{
    metric::Metric,
    number,
    report::{Assumption, Estimate},
    sweep::{Point, SweepResult},
};

impl SweepResult {
    /// For a terminal of 100 columns: all points, and their differences from the one with the number `base` (from 0).
    #[must_use]
    pub fn to_text(&self, base: usize) -> String {
        self.document(base).to_string()
    }

    /// The same as one HTML file: figures as inline SVG, no script, nothing from the network.
    #[must_use]
    pub fn to_html(&self, base: usize) -> String {
        self.document(base).to_html()
    }

    fn document(&self, base: usize) -> Document {
        let title = self.points.first().map_or("", |point| point.report.title.as_str());
        let mut document = Document::new(if title.is_empty() { "Sweep" } else { title }, "");
        document.meta(self.meta());
        document.sentences(self.sentences());
        add_notes(&mut document, self.points.first().map_or(&[], |point| &point.report.notes));
        self.add_figures(&mut document);
        self.add_points(&mut document);
        self.add_differences(&mut document, base);
        add_assumptions(&mut document, Words::on_page("What this rests on"), &self.assumptions());
        let hashes: Vec<&str> = self.points.iter().map(|point| point.report.hash()).collect();
        let hashes = format!("Hashes over every event, point by point: {}", hashes.join(" "));
        document.add(Block::Footer(Words::on_page(hashes)));
        document
    }

    fn meta(&self) -> String {
        let replications = self.points.first().map_or(0, |point| point.report.replications);
        let runs = if replications > 1 {
            format!("{replications} runs for each; ± is half the 95 % interval")
        } else {
            "one run for each, so no intervals".to_owned()
        };
        format!("{} points over {}; {runs}", self.points.len(), self.parameters().join(", "))
    }

    /// Which point is the best by what matters most, in sentences.
    fn sentences(&self) -> Vec<String> {
        let best = |metric: Metric, what: &str| {
            let value = |point: &Point| metric.of(&point.report).mean();
            let known = self.points.iter().filter(|point| !value(point).is_nan());
            let point = known.min_by(|a, b| value(a).total_cmp(&value(b)))?;
            let same = self.points.iter().filter(|other| value(other) == value(point)).count();
            let estimate = number::with_interval(&metric.of(&point.report), metric.form());
            let others = if same > 1 { format!(" and {} more points", same - 1) } else { String::new() };
            // A point may be cheap because it refuses.
            let succeed = match metric {
                Metric::CostPerMonth => {
                    let share = number::mean(&Metric::SuccessShare.of(&point.report), number::percent);
                    format!(", where {share} of the requests succeed")
                }
                _ => String::new(),
            };
            Some(format!("{what}: {estimate} at {}{others}{succeed}.", point.label()))
        };
        let best = [
            best(Metric::CostPerMonth, "Cheapest per month"),
            best(Metric::Application429Share, "Fewest 429s at the application"),
            best(Metric::AddedWaitP95, "Shortest added wait, 95th percentile"),
        ];
        best.into_iter().flatten().collect()
    }

    fn add_figures(&self, document: &mut Document) {
        let figures = figures(self);
        document.note(if figures.is_empty() {
            "No figures: nothing was varied, or too much for a page. The table has it all."
        } else {
            "Lines join the means; the pale bands are 95 % intervals. Figures that are zero everywhere are left out. Never: \
             more requests than the percentile leaves did not succeed."
        });
        for Drawn { figure, picks } in figures {
            let [metric, over, rest] = &picks;
            let at = if rest.is_empty() { String::new() } else { format!(", at {rest}") };
            let heading = format!("{metric}, over {over}{at}");
            let picks = ["Figure", "Over", "At"].map(str::to_owned).into_iter().zip(picks).collect();
            document.add(Block::Figure { heading, figure, caption: String::new(), picks });
        }
    }

    fn add_points(&self, document: &mut Document) {
        document.heading(Words::on_page("All points"));
        document.note(
            "429 seen: requests that ended with a 429 at the application. Spilled: successes from other than the best \
             priority. Never: more requests than the percentile leaves did not succeed.",
        );
        let parameters = self.parameters();
        let names = parameters.iter().zip(short_names(&parameters)).enumerate();
        let table = names.fold(Table::of(&self.points), |table, (index, (path, name))| {
            table.number(Words::two(name, path), |point| point.values().get(index).cloned().unwrap_or_default())
        });
        let table = Metric::COMPARED.into_iter().fold(table, |table, metric| {
            let is_wide = metric == Metric::FirstTokenP95;
            table.mean(title(metric, !is_wide), metric.form(), |point| metric.of(&point.report))
        });
        document.table(table.done());
    }

    fn add_differences(&self, document: &mut Document, base: usize) {
        let Some(from) = self.points.get(base) else { return };
        let pairs = "same requests; ± is the 95 % interval of the pairs";
        document.heading(Words::two(
            format!("DIFFERENCE FROM {} ({pairs})", from.label()),
            format!("Difference from {} ({pairs})", from.label()),
        ));
        let points = self.points.iter().zip(self.differences(base)).enumerate().filter(|(index, _)| *index != base);
        let table = Table::of(points)
            .text("point", |(index, (point, _))| format!("{}: {}", index + 1, point.values().join(", ")));
        let table = Metric::COMPARED.into_iter().enumerate().fold(table, |table, (index, metric)| {
            let is_wide = matches!(metric, Metric::AddedWaitP99 | Metric::AttemptsPerRequest);
            table.number(title(metric, !is_wide), |(_, (_, differences))| signed(metric, &differences[index].1))
        });
        document.table(table.done());
    }

    /// What all runs rest on, and what only some do.
    fn assumptions(&self) -> Vec<Assumption> {
        let mut all: Vec<Assumption> = Vec::new();
        for one in self.points.iter().flat_map(|point| &point.report.assumptions) {
            match all.iter_mut().find(|known| known.what == one.what) {
                Some(known) if known.value != one.value => "as varied".clone_into(&mut known.value),
                Some(_) => {}
                None => all.push(one.clone()),
            }
        }
        all.sort_by_key(|one| one.source.order());
        all
    }
}

/// A metric's column; a terminal has no room for all.
fn title(metric: Metric, fits: bool) -> Words {
    if fits { metric.title().into() } else { Words::on_page(metric.title()) }
}

/// The last parts of the parameters' paths, or the paths if two would be the same.
fn short_names(parameters: &[String]) -> Vec<&str> {
    let short = |path: &str| path.rfind('.').map_or(0, |dot| dot + 1);
    let names: Vec<&str> = parameters.iter().map(|path| &path[short(path)..]).collect();
    let is_clear = names.iter().enumerate().all(|(index, name)| !names[..index].contains(name));
    if is_clear { names } else { parameters.iter().map(String::as_str).collect() }
}

/// The mean with its sign, and the interval.
fn signed(metric: Metric, difference: &Estimate) -> String {
    if !difference.is_some() {
        return number::NOTHING.to_owned();
    }
    let form = metric.difference_form();
    let sign = match difference.mean() {
        mean if mean > 0.0 => "+",
        mean if mean < 0.0 => "-",
        _ => "",
    };
    let half = difference.half_width().map_or_else(String::new, |half| format!(" ± {}", form(half)));
    format!("{sign}{}{half}", form(difference.mean().abs()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        metrics::Replications,
        report::testing::{run, scenario},
        scenario::KeyPath,
        sweep::{Grid, list},
    };

    /// PTU counts by bucket depths: the more of both, the fewer 429s.
    pub(crate) fn swept() -> SweepResult {
        let mut grid = Grid::default();
        grid.set("backend.ptu.ptus".parse().unwrap(), list("50,100,200,400"));
        grid.set("backend.ptu.burst".parse().unwrap(), list("1s,10s"));
        let point = |(index, changes): (u64, Vec<(KeyPath, toml::Value)>)| {
            let (more, deeper) = (index / 2, index % 2);
            let runs: Vec<_> = (0..3)
                .map(|replication| {
                    let mut run = run(replication);
                    run.classes[0].given_up.throttled = 100 - 20 * more - 10 * deeper + replication;
                    run
                })
                .collect();
            let scenario = scenario().with(&changes[..1]).unwrap();
            Point::new(changes, &scenario, &Replications::of(&runs))
        };
        let points = (0..).zip(grid.points().unwrap()).map(point).collect();
        SweepResult { grid, points }
    }

    #[test]
    fn the_table_has_a_line_per_point_and_names_the_best() {
        let text = swept().to_text(0);
        assert!(text.contains("Cheapest per month: $36,699 ± $14.51 at backend.ptu.ptus = 50"), "{text}");
        assert!(text.contains("of the requests succeed."), "{text}");
        assert!(text.contains("Fewest 429s at the application: 3.0 %"), "{text}");
        assert!(text.contains("at backend.ptu.ptus = 400, backend.ptu.burst = 10s."), "{text}");
        let is_point = |line: &&str| line.contains("  1s ") || line.contains(" 10s ");
        assert_eq!(text.lines().filter(is_point).filter(|line| line.contains("1.95 s  ")).count(), 8, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn json_and_csv_have_every_point_and_figure() {
        let sweep = swept();
        let json: serde_json::Value = serde_json::from_str(&sweep.to_json(0).unwrap()).unwrap();
        assert_eq!(json["runs"][3]["values"], serde_json::json!(["100", "10s"]));
        assert!(json["runs"][3]["application_429_share"]["low"].is_number());
        let csv = sweep.to_csv().unwrap();
        assert_eq!(csv.lines().count(), 1 + 8 * Metric::COMPARED.len());
        assert!(csv.starts_with("backend.ptu.ptus,backend.ptu.burst,figure,mean,low,high,runs\n50,1s,success_share,"));
    }

    #[test]
    fn assumptions_that_differ_are_said_to_be_varied() {
        let mut sweep = swept();
        sweep.points[1].report.assumptions[0].value = "1 s of drain".to_owned();
        let all = sweep.assumptions();
        assert_eq!(all.iter().filter(|one| one.what == "bucket depth of ptu").count(), 1);
        assert!(all.iter().any(|one| one.what == "bucket depth of ptu" && one.value == "as varied"));
    }

    #[test]
    fn nothing_can_be_compared() {
        let mut grid = Grid::default();
        grid.set("x".parse().unwrap(), Vec::new());
        let nothing = SweepResult { grid, points: Vec::new() };
        assert!(nothing.to_text(0).contains("0 points over x"));
        assert!(nothing.to_html(0).contains("</html>"));
    }
}
