//! What the runner prints: a Markdown table per section, or one object of JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::{
    goals::Goal,
    rounds::{Measured, Quartiles},
};

/// Everything a run found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rounds: usize,
    groups: Vec<Group>,
    goals: Vec<Goal>,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    sections: Vec<SectionReport>,
}

#[derive(Debug, Serialize)]
struct SectionReport {
    name: String,
    base: String,
    cases: Vec<CaseReport>,
}

/// A case: nanoseconds per operation, and how many times its base that is, both by quartiles over the rounds.
#[derive(Debug, Serialize)]
struct CaseReport {
    name: String,
    rounds: usize,
    nanos: [f64; 3],
    over_base: [f64; 3],
}

impl Report {
    pub(crate) fn new(rounds: usize) -> Self {
        Self { rounds, groups: Vec::new(), goals: Vec::new() }
    }

    pub(crate) fn add_group(&mut self, name: &str, measured: &[Measured]) {
        let sections = measured.iter().map(SectionReport::new).collect();
        self.groups.push(Group { name: name.to_owned(), sections });
    }

    pub(crate) fn add_goals(&mut self, goals: Vec<Goal>) {
        self.goals.extend(goals);
    }

    /// The last group that was added, as Markdown.
    pub(crate) fn last_group(&self) -> String {
        let mut text = String::new();
        if let Some(group) = self.groups.last() {
            let _ = writeln!(text, "## {}\n", group.name);
            let _ =
                writeln!(text, "Medians (and quartiles) of {} interleaved rounds; each ratio is taken", self.rounds);
            let _ = writeln!(text, "within a round, to the first case of its section.\n");
            let _ = writeln!(text, "| section | case | per operation | times the first | quartiles | rounds |");
            let _ = writeln!(text, "| --- | --- | ---: | ---: | ---: | ---: |");
            for section in &group.sections {
                for case in &section.cases {
                    let [lower, median, upper] = case.over_base;
                    let _ = writeln!(
                        text,
                        "| {} | {} | {} | {} | {} - {} | {} |",
                        section.name,
                        case.name,
                        time(case.nanos[1]),
                        number(median),
                        number(lower),
                        number(upper),
                        case.rounds
                    );
                }
            }
        }
        text
    }

    /// The goals, as Markdown.
    pub(crate) fn goals(&self) -> String {
        let mut text =
            "## Goals\n\n| # | what | goal | measured | met |\n| ---: | --- | ---: | ---: | --- |\n".to_owned();
        for goal in &self.goals {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                goal.number,
                goal.what,
                goal.bound,
                goal.bound.show(goal.measured),
                match goal.met {
                    true => "yes",
                    false if goal.measured.is_nan() => "-",
                    false => "**no**",
                }
            );
        }
        text
    }
}

impl SectionReport {
    fn new(measured: &Measured) -> Self {
        let cases = measured.cases.iter().map(|case| CaseReport {
            name: case.name.clone(),
            rounds: case.nanos.iter().filter(|nanos| nanos.is_finite()).count(),
            nanos: array(case.nanos()),
            over_base: array(measured.over_base(case)),
        });
        let base = measured.cases.first().map(|case| case.name.clone()).unwrap_or_default();
        Self { name: measured.section.clone(), base, cases: cases.collect() }
    }
}

fn array(quartiles: Quartiles) -> [f64; 3] {
    [quartiles.lower, quartiles.median, quartiles.upper]
}

/// Nanoseconds with three digits, in the unit that fits.
fn time(nanos: f64) -> String {
    if nanos.is_nan() {
        "-".to_owned()
    } else if nanos < 1e3 {
        format!("{} ns", number(nanos))
    } else if nanos < 1e6 {
        format!("{} us", number(nanos / 1e3))
    } else {
        format!("{} ms", number(nanos / 1e6))
    }
}

/// A number with three digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "-".to_owned(),
        size if size < 0.0995 => format!("{value:.3}"),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.0123, 0.123, 1.234, 12.34, 123.4, 1234.0].map(number);
        assert_eq!(shown, ["0.012", "0.12", "1.23", "12.3", "123", "1234"]);
        assert_eq!([time(1.5), time(74_000.0), time(2e6)], ["1.50 ns", "74.0 us", "2.00 ms"]);
    }
}
