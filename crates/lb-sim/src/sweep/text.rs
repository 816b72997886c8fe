use std::fmt::{self, Write as _};

use super::{Figure, SweepResult};
use crate::report::{
    Estimate,
    number::{self, Form},
    terminal,
};

impl Figure {
    /// What stands above its column.
    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::CostPerMonth => "$/month",
            Self::SuccessShare => "success",
            Self::Application429Share => "429 seen",
            Self::SpillShare => "spilled",
            Self::AttemptsPerRequest => "attempts each",
            Self::AddedWaitP95 => "added wait p95",
            Self::TtftP95 => "first token p95",
        }
    }

    pub(crate) const fn form(self) -> Form {
        match self {
            Self::CostPerMonth => number::dollars,
            Self::SuccessShare | Self::Application429Share | Self::SpillShare => number::percent,
            Self::AttemptsPerRequest => number::ratio,
            Self::AddedWaitP95 | Self::TtftP95 => number::seconds,
        }
    }
}

impl SweepResult {
    /// The differences from the point with the number `base` (from 0), for a terminal of 100 columns.
    #[must_use]
    pub fn differences_text(&self, base: usize) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", Differences { sweep: self, base });
        text
    }
}

struct Differences<'a> {
    sweep: &'a SweepResult,
    base: usize,
}

impl fmt::Display for Differences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(base) = self.sweep.points.get(self.base) else { return Ok(()) };
        writeln!(f, "DIFFERENCE FROM {} (same requests; ± is the 95 % interval of the pairs)", base.label())?;
        let head: Vec<&str> = std::iter::once("point").chain(Figure::ALL.map(Figure::head)).collect();
        let rows = self.sweep.differences(self.base).into_iter().enumerate().filter(|(index, _)| *index != self.base);
        let rows = rows.map(|(index, differences)| {
            let cells = differences.iter().map(|difference| signed(&difference.difference, difference.figure.form()));
            std::iter::once((index + 1).to_string()).chain(cells).collect()
        });
        terminal::table(f, &head, &[0], rows)
    }
}

/// The mean with its sign, and the interval.
fn signed(estimate: &Estimate, form: Form) -> String {
    if !estimate.is_some() {
        return number::NOTHING.to_owned();
    }
    let sign = match estimate.mean() {
        mean if mean > 0.0 => "+",
        mean if mean < 0.0 => "-",
        _ => "",
    };
    let half = estimate.half_width().map_or_else(String::new, |half| format!(" ± {}", form(half)));
    format!("{sign}{}{half}", form(estimate.mean().abs()))
}
