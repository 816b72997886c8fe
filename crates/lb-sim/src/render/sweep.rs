//! Runs of one scenario with other values, side by side.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::terminal::{table, wrap};
use crate::{
    number::{self, Form},
    report::{Assumption, Estimate, Report},
};

/// Reports on one scenario with other values of some parameters, side by side.
///
/// It prints as a table for a terminal of 100 columns; the pages and files are [`to_html`](Self::to_html),
/// [`to_json`](Self::to_json) and [`to_csv`](Self::to_csv).
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub(crate) parameters: Vec<String>,
    pub(crate) runs: Vec<(Vec<String>, Report)>,
}

/// A figure that runs are compared by.
pub(crate) struct Measure {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) words: &'static str,
    pub(crate) form: Form,
    pub(crate) axis: Form,
    pub(crate) of: fn(&Report) -> Estimate,
}

pub(crate) const MEASURES: [Measure; 8] = [
    Measure {
        key: "success_share",
        title: "succeeded",
        words: "Requests that succeeded",
        form: number::percent,
        axis: number::short_percent,
        of: Report::success_share,
    },
    Measure {
        key: "application_429_share",
        title: "429 seen",
        words: "Requests that ended with a 429 at the application",
        form: number::percent,
        axis: number::short_percent,
        of: Report::application_429_share,
    },
    Measure {
        key: "added_wait_p95_seconds",
        title: "added wait p95",
        words: "Added wait, 95th percentile",
        form: number::seconds,
        axis: number::seconds,
        of: Report::added_wait_p95,
    },
    Measure {
        key: "added_wait_p99_seconds",
        title: "added wait p99",
        words: "Added wait, 99th percentile",
        form: number::seconds,
        axis: number::seconds,
        of: |report| report.all.added_wait.p99,
    },
    Measure {
        key: "first_token_p95_seconds",
        title: "first token p95",
        words: "Time to the first token, 95th percentile",
        form: number::seconds,
        axis: number::seconds,
        of: |report| report.all.first_token.p95,
    },
    Measure {
        key: "spill_share",
        title: "spilled",
        words: "Successes from other than the best priority",
        form: number::percent,
        axis: number::short_percent,
        of: |report| report.all.spill_share,
    },
    Measure {
        key: "attempts_per_request",
        title: "attempts each",
        words: "Attempts per request",
        form: number::ratio,
        axis: number::ratio,
        of: |report| report.all.attempts_per_request,
    },
    Measure {
        key: "cost_per_month",
        title: "$ per month",
        words: "Dollars per month",
        form: number::dollars,
        axis: number::dollars,
        of: |report| report.cost_per_month().unwrap_or(Estimate::NOTHING),
    },
];

impl Comparison {
    /// Compares runs, each with the value that it has for each parameter, in the order of `parameters`.
    #[must_use]
    pub const fn new(parameters: Vec<String>, runs: Vec<(Vec<String>, Report)>) -> Self {
        Self { parameters, runs }
    }

    /// What was varied.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The values of the parameters, and what came of them.
    #[must_use]
    pub fn runs(&self) -> &[(Vec<String>, Report)] {
        &self.runs
    }

    /// As JSON, indented: `parameters`, and per run its `values` in their order, the figures and the hash.
    ///
    /// # Errors
    ///
    /// If it cannot be written: it holds nothing that JSON has no form for.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&Json {
            parameters: &self.parameters,
            runs: self.runs.iter().map(JsonRun).collect(),
        })
    }

    /// As CSV, tidy: a line per run and figure, with a column per parameter and then `figure`, `mean`, `low`, `high`
    /// (empty: no interval) and `runs`. A time that requests never came to is `never`.
    ///
    /// # Errors
    ///
    /// If a line cannot be written: into memory it always can.
    pub fn to_csv(&self) -> Result<String, csv::Error> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let head = ["figure", "mean", "low", "high", "runs"];
        out.write_record(self.parameters.iter().map(String::as_str).chain(head))?;
        for (values, report) in &self.runs {
            for measure in &MEASURES {
                let estimate = (measure.of)(report);
                let bound = |bound: f64| estimate.half_width().map_or_else(String::new, |_| bound.to_string());
                let mean = match estimate.mean() {
                    mean if mean.is_infinite() => "never".to_owned(),
                    mean if mean.is_nan() => String::new(),
                    mean => mean.to_string(),
                };
                let cells = [mean, bound(estimate.low()), bound(estimate.high()), estimate.runs().to_string()];
                let line = values.iter().map(String::as_str).chain([measure.key]);
                out.write_record(line.chain(cells.iter().map(String::as_str)))?;
            }
        }
        let bytes = out.into_inner().map_err(|error| error.into_error())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn title(&self) -> &str {
        self.runs.first().map(|(_, report)| report.title.as_str()).filter(|title| !title.is_empty()).unwrap_or("Sweep")
    }

    pub(crate) fn meta(&self) -> String {
        let replications = self.runs.first().map_or(0, |(_, report)| report.replications);
        let runs = if replications > 1 {
            format!("{replications} runs for each; ± is half the 95 % interval")
        } else {
            "one run for each, so no intervals".to_owned()
        };
        format!("{} points over {}; {runs}", self.runs.len(), self.parameters.join(", "))
    }

    /// Which point is the best by what matters most, in sentences.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let best = |key: &str, what: &str, is_most: bool| {
            let measure = MEASURES.iter().find(|measure| measure.key == key)?;
            let value = |report: &Report| (measure.of)(report).mean();
            let known = self.runs.iter().filter(|(_, report)| !value(report).is_nan());
            let better = |a: &&(Vec<String>, Report), b: &&(Vec<String>, Report)| value(&a.1).total_cmp(&value(&b.1));
            let (values, report) = if is_most { known.max_by(better) } else { known.min_by(better) }?;
            let same = self.runs.iter().filter(|(_, other)| value(other) == value(report)).count();
            let estimate = number::with_interval(&(measure.of)(report), measure.form);
            let others = if same > 1 { format!(" and {} more points", same - 1) } else { String::new() };
            Some(format!("{what}: {estimate} at {}{others}.", self.point(values)))
        };
        [
            best("cost_per_month", "Cheapest per month", false),
            best("application_429_share", "Fewest 429s at the application", false),
            best("added_wait_p95_seconds", "Shortest added wait, 95th percentile", false),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn point(&self, values: &[String]) -> String {
        let pairs = self.parameters.iter().zip(values).map(|(parameter, value)| format!("{parameter} = {value}"));
        pairs.collect::<Vec<_>>().join(", ")
    }

    /// The last parts of the parameters' paths, or the paths if two would be the same.
    fn short_names(&self) -> Vec<&str> {
        let short = |path: &str| path.rfind('.').map_or(0, |dot| dot + 1);
        let names: Vec<&str> = self.parameters.iter().map(|path| &path[short(path)..]).collect();
        let is_clear = names.iter().enumerate().all(|(index, name)| !names[..index].contains(name));
        if is_clear { names } else { self.parameters.iter().map(String::as_str).collect() }
    }

    /// What all runs rest on, and what only some do.
    pub(crate) fn assumptions(&self) -> Vec<Assumption> {
        let mut all: Vec<Assumption> = Vec::new();
        for one in self.runs.iter().flat_map(|(_, report)| &report.assumptions) {
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

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        for text in std::iter::once(self.meta()).chain(self.sentences()) {
            wrap(&text, 100).iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        writeln!(f)?;
        let measures = || MEASURES.iter().filter(|measure| measure.key != "first_token_p95_seconds");
        let head: Vec<&str> = self.short_names().into_iter().chain(measures().map(|measure| measure.title)).collect();
        let rows = self.runs.iter().map(|(values, report)| {
            let figures = measures().map(|measure| number::mean(&(measure.of)(report), measure.form));
            values.iter().cloned().chain(figures).collect()
        });
        table(f, &head, &[], rows)
    }
}

#[derive(Serialize)]
struct Json<'a> {
    parameters: &'a [String],
    runs: Vec<JsonRun<'a>>,
}

struct JsonRun<'a>(&'a (Vec<String>, Report));

impl Serialize for JsonRun<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (values, report) = self.0;
        let mut map = serializer.serialize_map(Some(MEASURES.len() + 2))?;
        map.serialize_entry("values", values)?;
        for measure in &MEASURES {
            map.serialize_entry(measure.key, &(measure.of)(report))?;
        }
        map.serialize_entry("hash", report.hash())?;
        map.end()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::testing::{run, scenario};

    /// PTU counts by bucket depths: the more of both, the fewer 429s.
    pub(crate) fn comparison() -> Comparison {
        let mut runs = Vec::new();
        for (more, ptus) in (0_u64..).zip([50_u32, 100, 200, 400]) {
            for (deeper, burst) in (0_u64..).zip(["1s", "10s"]) {
                let change = [("backend.ptu.ptus".parse().unwrap(), toml::Value::from(ptus))];
                let runs_of_point: Vec<_> = (0..3)
                    .map(|replication| {
                        let mut run = run(replication);
                        run.classes[0].given_up.throttled = 100 - 20 * more - 10 * deeper + replication;
                        run
                    })
                    .collect();
                let report = Report::new(&scenario().with(&change).unwrap(), &runs_of_point);
                runs.push((vec![ptus.to_string(), burst.to_owned()], report));
            }
        }
        Comparison::new(vec!["backend.ptu.ptus".to_owned(), "backend.ptu.burst".to_owned()], runs)
    }

    #[test]
    fn the_table_has_a_line_per_point_and_names_the_best() {
        let text = comparison().to_string();
        assert!(text.contains("Cheapest per month: $36,699 ± $14.51 at backend.ptu.ptus = 50"), "{text}");
        assert!(text.contains("Fewest 429s at the application: 3.0 %"), "{text}");
        assert!(text.contains("at backend.ptu.ptus = 400, backend.ptu.burst = 10s."), "{text}");
        let is_point = |line: &&str| line.contains("  1s ") || line.contains(" 10s ");
        assert_eq!(text.lines().filter(is_point).filter(|line| line.contains("1.95 s  ")).count(), 8, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn json_and_csv_have_every_point_and_figure() {
        let comparison = comparison();
        let json: serde_json::Value = serde_json::from_str(&comparison.to_json().unwrap()).unwrap();
        assert_eq!(json["runs"][3]["values"], serde_json::json!(["100", "10s"]));
        assert!(json["runs"][3]["application_429_share"]["low"].is_number());
        let csv = comparison.to_csv().unwrap();
        assert_eq!(csv.lines().count(), 1 + 8 * MEASURES.len());
        assert!(csv.starts_with("backend.ptu.ptus,backend.ptu.burst,figure,mean,low,high,runs\n50,1s,success_share,"));
    }

    #[test]
    fn assumptions_that_differ_are_said_to_be_varied() {
        let mut comparison = comparison();
        comparison.runs[1].1.assumptions[0].value = "1 s of drain".to_owned();
        let all = comparison.assumptions();
        assert_eq!(all.iter().filter(|one| one.what == "bucket depth of ptu").count(), 1);
        assert!(all.iter().any(|one| one.what == "bucket depth of ptu" && one.value == "as varied"));
    }

    #[test]
    fn nothing_can_be_compared() {
        let nothing = Comparison::new(vec!["x".to_owned()], Vec::new());
        assert!(nothing.to_string().contains("0 points over x"));
        assert!(nothing.to_html().contains("</html>"));
    }
}
